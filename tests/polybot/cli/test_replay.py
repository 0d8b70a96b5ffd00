"""`polybot replay`: one transaction a file, the same stages as live, and one line for what cannot be replayed."""

from __future__ import annotations

import gzip
import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from polybot.replaying import replay_file

SNAPSHOT = '{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[[0.47,100.0]]}'
DELTA = '{"type":"delta","seq":2,"bids":[[0.41,10.0]]}'
DATA = ("orderbook_events", "orderbook_snapshots", "market_status")


# --- what it brings ---------------------------------------------------------------------------------------------------


def test_the_three_lines_of_the_protocol_give_one_snapshot_row_one_event_row_and_seq_3(cli, db, three_lines):
    done = cli("replay", three_lines, "mkt-1", "--db-url", db.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "replayed 3 lines: 1 snapshot, 2 deltas, 0 trades; 5 rows written\n"
    assert db.counts(*DATA) == {"orderbook_events": 1, "orderbook_snapshots": 1, "market_status": 1}
    assert db.rows("SELECT market_id, outcome_id, seq, side, price_e6, size_e6, change_e6 FROM orderbook_events") == [
        ("mkt-1", "yes", 3, "bid", 410_000, 10_000_000, 10_000_000)
    ]
    assert db.rows("SELECT best_bid_e6, best_ask_e6, mid_e6 FROM orderbook_snapshots") == [(400_000, 470_000, 435_000)]
    assert db.rows("SELECT last_seq, snapshots, deltas FROM market_status") == [(3, 1, 2)]
    assert db.rows("SELECT market_id FROM markets") == [("mkt-1",)]
    assert db.rows("SELECT outcome_id FROM outcomes") == [("yes",)]


def test_status_after_it_tells_the_same(cli, db, three_lines):
    cli("replay", three_lines, "mkt-1", "--db-url", db.url)
    (market,) = json.loads(cli("status", "--db-url", db.url, "--json").stdout)
    assert (market["snapshot_rows"], market["event_rows"], market["last_seq"]) == (1, 1, 3)
    assert [(state["outcome_id"], state["state"], state["basis"]) for state in market["states"]] == [("yes", "VERIFIED", "seq")]


def test_the_same_file_for_the_same_market_again_writes_nothing(cli, db, three_lines):
    cli("replay", three_lines, "mkt-1", "--db-url", db.url)
    before = db.counts("runs", *DATA)
    again = cli("replay", three_lines, "mkt-1", "--db-url", db.url)
    assert (again.exit_code, again.stderr) == (0, "")
    assert again.stdout == f"{three_lines} was replayed for mkt-1 before; nothing written\n"
    assert db.counts("runs", *DATA) == before
    other = cli("replay", three_lines, "mkt-2", "--db-url", db.url)
    assert other.exit_code == 0
    assert db.one("SELECT count(*) FROM markets") == 2


def test_json_tells_what_was_done(cli, db, three_lines):
    first = json.loads(cli("replay", three_lines, "mkt-1", "--db-url", db.url, "--json").stdout)
    assert {name: first[name] for name in ("kind", "already", "frames", "snapshots", "deltas", "rows", "doubts")} == {
        "kind": "generic",
        "already": False,
        "frames": 3,
        "snapshots": 1,
        "deltas": 2,
        "rows": 5,
        "doubts": {},
    }
    assert json.loads(cli("replay", three_lines, "mkt-1", "--db-url", db.url, "--json").stdout)["already"] is True


def test_every_run_of_a_replay_has_ended_and_names_its_file(cli, db, three_lines):
    cli("replay", three_lines, "mkt-1", "--db-url", db.url)
    runs = db.rows("SELECT role, source, ended_ns IS NOT NULL, reason FROM runs ORDER BY role")
    assert [run[0] for run in runs] == ["book_builder", "gateway", "scheduler", "writer"]
    assert {run[1:] for run in runs} == {(str(three_lines), 1, "stopped")}


def test_a_compressed_file_is_read_as_it_is(cli, db, three_lines, tmp_path):
    packed = tmp_path / "three.jsonl.gz"
    packed.write_bytes(gzip.compress(three_lines.read_bytes()))
    assert cli("replay", packed, "mkt-1", "--db-url", db.url).exit_code == 0
    assert db.one("SELECT last_seq FROM market_status") == 3


def test_outcome_names_the_book_of_lines_that_name_none(cli, db, lines_file):
    named = '{"type":"snapshot","seq":2,"outcome_id":"no","bids":[[0.5,1]],"asks":[[0.6,1]]}'
    assert cli("replay", lines_file(SNAPSHOT, named), "mkt-1", "--outcome", "maybe", "--db-url", db.url).exit_code == 0
    assert sorted(db.rows("SELECT outcome_id, seq FROM orderbook_snapshots")) == [("maybe", 1), ("no", 2)]


def test_lines_about_other_markets_and_of_other_kinds_are_passed_over(cli, db, lines_file):
    others = ('{"type":"delta","seq":7,"market":"mkt-2"}', '{"type":"hello"}', '{"type":"delta","seq":9,"channel":"l3"}')
    done = cli("replay", lines_file(SNAPSHOT, *others, DELTA), "mkt-1", "--db-url", db.url)
    assert (done.exit_code, done.stdout) == (0, "replayed 5 lines: 1 snapshot, 1 delta, 0 trades; 5 rows written\n")


# --- gaps and fresh books -----------------------------------------------------------------------------------------------


def test_a_gap_is_told_and_the_book_after_it_is_marked(cli, db, lines_file):
    file = lines_file(SNAPSHOT, '{"type":"delta","seq":5,"bids":[[0.41,10.0]]}')
    done = cli("replay", file, "mkt-1", "--db-url", db.url)
    assert done.stdout.endswith("; 1 resync_gap\n")
    assert db.rows("SELECT new FROM book_states ORDER BY id DESC LIMIT 1") == [("SUSPECT",)]
    assert db.one("SELECT resync_gap FROM market_status") == 1


def test_snapshots_answer_a_gap_with_a_fresh_book(cli, db, lines_file, tmp_path):
    file = lines_file(SNAPSHOT, '{"type":"delta","seq":5,"bids":[[0.41,10.0]]}')
    fresh = tmp_path / "fresh.json"
    fresh.write_text('{"seq":4,"type":"snapshot","bids":[[0.40,70]],"asks":[[0.50,5]]}')
    done = cli("replay", file, "mkt-1", "--snapshots", fresh, "--db-url", db.url)
    assert done.exit_code == 0
    assert db.rows("SELECT new FROM book_states ORDER BY id DESC LIMIT 1") == [("VERIFIED",)]
    assert db.rows("SELECT seq, price_e6, size_e6 FROM orderbook_events") == [(5, 410_000, 10_000_000)]
    assert [row[0] for row in db.rows("SELECT seq FROM orderbook_snapshots ORDER BY id")] == [1, 4]


@pytest.mark.parametrize(
    ("line", "doubt"),
    [
        ('{"type":"delta","seq":2,"bids":[[1.4,10.0]]}', "1 invalid"),
        ('{"type":"delta","seq":2,"bids":[[0.47,10.0]]}', "1 crossed"),
    ],
)
def test_numbers_that_no_book_can_hold_are_counted_and_the_book_is_doubted(cli, db, lines_file, line, doubt):
    done = cli("replay", lines_file(SNAPSHOT, line), "mkt-1", "--db-url", db.url)
    assert done.exit_code == 0
    assert done.stdout.rstrip("\n").endswith(f"; {doubt}")
    assert db.rows("SELECT new FROM book_states ORDER BY id DESC LIMIT 1") == [("SUSPECT",)]
    assert db.one("SELECT count(*) FROM orderbook_events") == 0


# --- level-2 CSV ------------------------------------------------------------------------------------------------------


def test_columns_map_a_csv_of_another_shape(cli, db, lines_file):
    file = lines_file("when,id,way,px,qty", "1780000000,77,b,0.41,5", "1780000001,77,a,0.45,0", name="deep.csv")
    mapping = "time=when,unit=s,token=id,side=way,price=px,size=qty,kind=,bid=b,ask=a"
    done = cli("replay", file, "deep", "--columns", mapping, "--db-url", db.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("replayed 2 lines: 0 snapshots, 2 deltas, 0 trades")
    assert db.rows("SELECT market_id, outcome_id, ts_ms, side, price_e6, size_e6 FROM orderbook_events ORDER BY id") == [
        ("deep", "77", 1_780_000_000_000, "bid", 410_000, 5_000_000),
        ("deep", "77", 1_780_000_001_000, "ask", 450_000, 0),
    ]


def test_a_csv_that_lacks_a_column_and_a_bad_mapping_are_refused(told, db, lines_file):
    file = lines_file("when,id", "1,2", name="thin.csv")
    assert "no column ts_ms for the time; it has when, id" in told("replay", file, "m", "--db-url", db.url)
    assert "expected NAME=COLUMN" in told("replay", file, "m", "--columns", "what", "--db-url", db.url)
    assert db.is_untouched


@pytest.mark.timeout(120)
def test_no_row_of_the_level2_capture_is_lost(cli, db, shared):
    file = shared / "data" / "real" / "l2" / "tickscope_polymarket_20260607_0130.csv.gz"
    done = cli("replay", file, "tickscope", "--db-url", db.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("replayed 206,848 lines: 0 snapshots, 206,365 deltas, 483 trades;")
    assert db.counts("orderbook_events", "trades") == {"orderbook_events": 206_365, "trades": 483}
    assert db.one("SELECT count(DISTINCT outcome_id) FROM orderbook_events") == 12
    assert db.rows("SELECT DISTINCT new FROM book_states") == [("UNVERIFIED",)]
    assert cli("status", "--db-url", db.url).stdout.rstrip().endswith("  12 UNVERIFIED")
    assert "  12 outcomes  " in cli("markets", "list", "--db-url", db.url).stdout


# --- recordings and captures --------------------------------------------------------------------------------------------


def test_part_of_the_shipped_recording_replays_with_every_batch_verified(cli, db, repository, tmp_path):
    whole = repository / "recordings" / "fake-venue-10min"
    part = tmp_path / "part"
    part.mkdir()
    (part / "markets.json").write_bytes((whole / "markets.json").read_bytes())
    with gzip.open(whole / "000001.jsonl.gz") as lines, (part / "000001.jsonl").open("wb") as cut:
        for number, line in enumerate(lines):
            if number < 3_000:
                cut.write(line)
    done = json.loads(cli("replay", part, "all", "--db-url", db.url, "--json").stdout)
    assert done["doubts"] == {} and done["bad_frames"] == 0
    assert done["snapshots"] > 10 and done["deltas"] > 4_000
    assert {state for (state,) in db.rows("SELECT new FROM book_states")} == {"VERIFIED"}
    assert db.one("SELECT count(*) FROM markets") > 5
    assert db.one("SELECT value FROM meta WHERE key = 'venue'") == "fake"


def test_one_market_of_a_recording_is_taken_by_its_id(cli, db, repository, tmp_path):
    whole = repository / "recordings" / "fake-venue-10min"
    part = tmp_path / "part"
    part.mkdir()
    (part / "markets.json").write_bytes((whole / "markets.json").read_bytes())
    with gzip.open(whole / "000001.jsonl.gz") as lines, (part / "000001.jsonl").open("wb") as cut:
        for number, line in enumerate(lines):
            if number < 300:
                cut.write(line)
    market_id = json.loads((part / "markets.json").read_text())["markets"][0]["market_id"]
    assert cli("replay", part, market_id, "--db-url", db.url).exit_code == 0
    assert db.rows("SELECT DISTINCT market_id FROM orderbook_snapshots") == [(market_id,)]
    assert db.rows("SELECT market_id FROM markets") == [(market_id,)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("polyarb_ws_market_capture.json", "replayed 5 lines: 3 snapshots, 8 deltas, 0 trades;"),
        ("adriancova_market_frames_h1_run8.jsonl", "replayed 28 lines: 5 snapshots, 40 deltas, 2 trades;"),
        ("adriancova_ws_market_v2_session.jsonl", "replayed 10 lines: 1 snapshot, 0 deltas, 0 trades;"),
        ("tail5m_bba_cancel_batch.jsonl", "replayed 6 lines: 0 snapshots, 8 deltas, 0 trades;"),
    ],
)
def test_captures_that_others_made_are_read(cli, db, shared, name, expected):
    done = cli("replay", shared / "data" / "real" / "ws" / name, "all", "--db-url", db.url)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(expected)
    snapshots, deltas = db.one("SELECT count(*) FROM orderbook_snapshots"), db.one("SELECT count(*) FROM orderbook_events")
    assert (snapshots, deltas) == (int(expected.split()[3]), int(expected.split()[5]))


def test_every_capture_of_the_folder_is_tested(shared):
    folder = shared / "data" / "real" / "ws"
    assert len([file for file in folder.iterdir() if file.suffix in (".json", ".jsonl")]) == 4


def test_a_bad_frame_in_a_recording_is_counted_and_skipped(cli, db, tmp_path):
    folder = tmp_path / "recorded"
    folder.mkdir()
    texts = (SNAPSHOT, "{half a fra", DELTA)
    lines = [json.dumps({"kind": "ws_in", "ts_ns": 1_000 + n, "link": "a", "text": text}) for n, text in enumerate(texts)]
    (folder / "000001.jsonl").write_text("\n".join([*lines, '{"kind":"ws_in","ts_']))
    (folder / "markets.json").write_text('{"venue":"generic"}')
    done = cli("replay", folder, "mkt-1", "--db-url", db.url)
    assert done.exit_code == 0
    assert done.stdout.endswith("; 1 bad frame\n")
    (logged,) = (json.loads(line) for line in done.stderr.splitlines())
    assert (logged["event"], logged["head"]) == ("frame_refused", "{half a fra")
    assert db.one("SELECT count(*) FROM orderbook_events") == 1


# --- what is refused: one line, exit code 2, nothing written ------------------------------------------------------------


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("not json", ":3: not JSON"),
        ('{"type":"delta","seq":"x"}', ":3: "),
        ('{"type":"delta","seq":3,"bids":{}}', ":3: "),
        ('{"type":"delta","seq":3,"bids":[["a",1]]}', ":3: "),
        ('{"type":"snapshot","seq":3,"bids":[[0.40,-100.0]],"asks":[]}', ":3: bids: size -100.0 of a snapshot is negative"),
        ('{"type":"delta","seq":3,"bids":[[0.3999999,1]]}', ":3: "),
        ("[1, 2]", ":3: "),
    ],
)
def test_a_bad_line_in_the_middle_leaves_nothing(told, db, lines_file, bad, reason):
    file = lines_file(SNAPSHOT, DELTA, bad, '{"type":"delta","seq":4}')
    line = told("replay", file, "mkt-1", "--db-url", db.url)
    assert line.startswith(f"{file}{reason}")
    assert db.is_untouched


def test_what_was_there_before_a_bad_file_stays_as_it_was(told, cli, db, three_lines, lines_file):
    cli("replay", three_lines, "mkt-1", "--db-url", db.url)
    before = db.counts("runs", *DATA)
    told("replay", lines_file(SNAPSHOT, "broken", name="bad.jsonl"), "mkt-1", "--db-url", db.url)
    assert db.counts("runs", *DATA) == before


def test_a_file_without_a_line_for_the_market_says_so(told, db, lines_file):
    file = lines_file('{"type":"snapshot","seq":1,"market":"other","bids":[],"asks":[]}')
    assert told("replay", file, "mkt-1", "--db-url", db.url) == f"{file}: no line is about market mkt-1; check the MARKET_ID"
    assert db.is_untouched


def test_a_missing_an_empty_and_a_strange_file_are_refused_by_name(told, db, tmp_path, lines_file):
    missing = tmp_path / "none.jsonl"
    assert told("replay", missing, "mkt-1", "--db-url", db.url).startswith(f"{missing}: no such file")
    assert not db.path.exists()
    assert told("replay", lines_file(name="empty.jsonl"), "mkt-1", "--db-url", db.url).endswith("empty.jsonl: is empty")
    assert "not JSON" in told("replay", lines_file("just words", name="words.txt"), "mkt-1", "--db-url", db.url)
    assert "holds no recording" in told("replay", tmp_path, "mkt-1", "--db-url", db.url)
    assert not db.path.exists()


def test_a_market_id_must_be_given_and_all_is_for_files_that_name_their_markets(told, db, three_lines):
    assert "MARKET_ID is empty" in told("replay", three_lines, "", "--db-url", db.url)
    assert "need a MARKET_ID of their own" in told("replay", three_lines, "all", "--db-url", db.url)


def test_databases_that_are_not_ours_are_left_alone(told, tmp_path, three_lines):
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as conn:
        conn.execute("CREATE TABLE theirs (a)")
    words = tmp_path / "words.db"
    words.write_text("hello")
    before = foreign.read_bytes()
    assert "is not Polybot's" in told("replay", three_lines, "mkt-1", "--db-url", f"sqlite:///{foreign}")
    assert "file is not a database" in told("replay", three_lines, "mkt-1", "--db-url", f"sqlite:///{words}")
    assert (foreign.read_bytes(), words.read_text()) == (before, "hello")


@pytest.mark.parametrize("url", ["postgresql://u:p@host/polybot", "polybot.db", "sqlite:///{tmp}/none/polybot.db"])
def test_a_database_url_that_cannot_be_used_is_refused(told, three_lines, tmp_path, url):
    line = told("replay", three_lines, "mkt-1", "--db-url", url.format(tmp=tmp_path))
    assert line.startswith("database URL")


VENUE_FRAME = json.dumps(
    {
        "event_type": "book",
        "market": "0x1",
        "asset_id": "1",
        "timestamp": "1780000000000",
        "hash": "00",
        "bids": [{"price": "0.4", "size": "5"}],
        "asks": [],
    }
)


def test_another_venues_database_is_refused_and_a_refused_replay_claims_none(told, cli, db, lines_file, repository):
    recording = repository / "recordings" / "fake-venue-10min"
    told("replay", recording, "no-such-market", "--db-url", db.url)
    assert db.is_untouched
    frames = lines_file(VENUE_FRAME, name="frames.jsonl")
    assert cli("replay", frames, "0x1", "--db-url", db.url).exit_code == 0
    assert db.one("SELECT value FROM meta WHERE key = 'venue'") == "polymarket"
    line = told("replay", recording, "all", "--db-url", db.url)
    assert line.startswith(f"{db.path}: it holds data of venue polymarket, and this is data of venue fake")


def test_the_generic_stream_may_lie_beside_any_venues_data(cli, db, lines_file, three_lines):
    assert cli("replay", lines_file(VENUE_FRAME, name="frames.jsonl"), "0x1", "--db-url", db.url).exit_code == 0
    assert cli("replay", three_lines, "mkt-1", "--db-url", db.url).exit_code == 0


def test_a_configuration_that_is_named_must_be_right(told, db, three_lines, tmp_path):
    typo = tmp_path / "typo.toml"
    typo.write_text('[db]\nulr = "x"\n')
    assert "ulr" in told("replay", three_lines, "mkt-1", "--config", typo, "--db-url", db.url)
    assert str(tmp_path / "none") in told("replay", three_lines, "mkt-1", "--config", tmp_path / "none", "--db-url", db.url)


# --- as a process -------------------------------------------------------------------------------------------------------


def test_as_the_guide_types_it(tmp_path, repository):
    words = [sys.executable, "-m", "polybot.cli", "replay", str(repository / "recordings" / "sample.jsonl"), "mkt-1"]
    run = subprocess.run(
        [*words, "--db-url", "sqlite:///./polybot.db"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert (run.stdout, run.stderr) == ("replayed 200 lines: 1 snapshot, 198 deltas, 0 trades; 290 rows written\n", "")
    assert (tmp_path / "polybot.db").is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to one process")
def test_ctrl_c_leaves_nothing_and_says_so_in_one_line(db, tmp_path, repository):
    endless = tmp_path / "long.jsonl"
    with endless.open("w") as out:
        out.write(SNAPSHOT + "\n")
        for seq in range(2, 400_000):
            out.write(f'{{"type":"delta","seq":{seq},"bids":[[0.41,1]]}}\n')
    words = [sys.executable, "-m", "polybot.cli", "replay", str(endless), "mkt-1", "--db-url", db.url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not db.path.exists() and process.poll() is None:
            pass
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (130, "")
    assert err == f"polybot: replay of {endless} was interrupted; nothing written\n"
    assert db.is_untouched


def test_a_refused_replay_makes_no_database_and_takes_none_away(tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"type":"snapshot","seq":1,"bids":[[0.4,1]],"asks":[]}\nnot json\n')
    good = tmp_path / "good.jsonl"
    good.write_text('{"type":"snapshot","seq":1,"bids":[[0.4,1]],"asks":[]}\n')
    db = tmp_path / "new.db"
    with pytest.raises(BadInput, match=r"bad\.jsonl:2"):
        replay_file(bad, "mkt-1", f"sqlite:///{db}")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bad.jsonl", "good.jsonl"]
    replay_file(good, "mkt-1", f"sqlite:///{db}")
    with pytest.raises(BadInput, match=r"bad\.jsonl:2"):
        replay_file(bad, "mkt-1", f"sqlite:///{db}")
    assert db.is_file()
