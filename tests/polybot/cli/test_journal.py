"""``polybot journal`` on journals in segments: live, archived, damaged and unknown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.bus import codec
from pipeline.bus.compose import journal_path
from pipeline.bus.journal_archive import archive_segment
from pipeline.bus.journal_files import JournalFiles
from pipeline.bus.journal_reading import Follower
from pipeline.bus.journal_segments import read_segment, segment_files
from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderIntent, OrderRecord
from pipeline.store.journal import DurableRecord, append_records
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run
from polybot.cli import main
from polybot.cli.journal_lines import KINDS, described
from processes.health_file import Health, write_health
from processes.options import database_name
from processes.runs import run_folder

T = 1_790_000_000_000_000_000
ORDER = OrderRecord(
    ts_ns=T, client_order_id="s1-quoter-1", venue_order_id="0xabc", strategy="quoter", mode="paper", token_id="mkt-1/yes",
    market="mkt-1", side="BUY", price_e6=415_000, size_e6=12_500_000, filled_e6=2_500_000, order_type="GTC", post_only=True,
    status="live", plan_id="p1",
)  # fmt: skip
FILL = FillRecord(
    ts_ns=T + 10**9, trade_id="t1", client_order_id="s1-quoter-1", strategy="quoter", mode="paper", token_id="mkt-1/yes",
    market="mkt-1", side="BUY", price_e6=415_000, size_e6=2_500_000, notional_e6=1_037_500, fee_e6=1_200, liquidity="maker",
    status="matched",
)  # fmt: skip
INTENT = OrderIntent(
    ts_ns=T, client_order_id="c", venue_order_id="0xh", token_id="t", market="m", side="SELL", price_e6=1, size_e6=1,
    order_type="FAK", post_only=False, body="{}", expires_ns=1,
)  # fmt: skip
AUDIT = AuditRecord(
    ts_ns=T, plan_id="p1", strategy="quoter", mode="paper", market="mkt-1", intents="[]", acks="[]", duration_ms=7,
    outcome="complete", reason="edge",
)  # fmt: skip
HALT = HaltRecord(ts_ns=T, halted=True, reason="lunch")


class Place:
    """A state directory with the journal of an executor, and its database."""

    def __init__(self, folder: Path) -> None:
        self.state_dir = folder / "var"
        self.db_url = f"sqlite:///{folder / 'x.db'}"
        self.base = journal_path(self.state_dir, "executor", database_name(self.db_url))

    def write(self, segments: Iterable[Iterable[Message]]) -> str:
        files = JournalFiles(self.base, session_id="s1", sync=False)
        producer = f"executor@{files.id}"
        for records in segments:
            files.open_segment(Checkpoint(ts_ns=T), producer, "s1.executor.1", T)
            for record in records:
                seq = files.seq + 1
                files.append(seq, codec.encode(codec.topic_of("persist.durable", record), producer, "s1.executor.1", seq, record))
        files.close()
        return producer

    def commit(self, producer: str, *records: OrderRecord | FillRecord | HaltRecord) -> None:
        with open_store(self.db_url) as store, store.begin() as conn:
            save_run(conn, Run(1, "executor", "s1.executor.1", started_ns=T))
            append_records(conn, producer, [DurableRecord(seq, 1, record) for seq, record in enumerate(records, 1)])

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, ["journal", *words, "--state-dir", str(self.state_dir), "--db-url", self.db_url])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_each_record_is_a_line_with_its_number_its_dollars_and_whether_the_database_has_it(place: Place) -> None:
    place.commit(place.write([[ORDER, HALT], [FILL]]), ORDER, HALT)
    shown = place.run("show")
    assert shown.exit_code == 0, shown.output
    assert [line for line in shown.output.splitlines() if "checkpoint" not in line] == [
        "2026-09-21 14:13:20.000  #1        order       s1-quoter-1 live: BUY 12.5 shares at $0.415 of mkt-1/yes GTC post-only, "
        "filled 2.5; plan p1; venue 0xabc  [committed, segment 1]",
        "2026-09-21 14:13:20.000  #2        halt        trading halted; reason lunch  [committed, segment 1]",
        "2026-09-21 14:13:21.000  #3        fill        t1 of s1-quoter-1 matched: BUY 2.5 shares at $0.415 of mkt-1/yes = $1.0375, "
        "fee $0.0012, maker  [not committed, segment 2]",
    ]


def test_records_are_chosen_by_number_and_kind(place: Place) -> None:
    place.write([[ORDER, FILL, HALT], [FILL, ORDER]])
    shown = place.run("show", "--since", "3", "--kind", "fill", "--kind", "halt", "--json")
    objects = [json.loads(line) for line in shown.output.splitlines()]
    assert [(told["seq"], told["kind"], told["segment"]) for told in objects] == [(3, "halt", 1), (4, "fill", 2)]
    assert objects[1]["notional_e6"] == 1_037_500
    assert objects[0]["committed"] is None  # there is no database to ask


def test_archived_segments_are_shown_in_their_place_and_are_committed(place: Place) -> None:
    place.write([[ORDER], [HALT], [FILL]])
    archived = archive_segment(segment_files(place.base)[0], place.state_dir / "runs" / "s1" / "journal")
    shown = place.run("show", "--json")
    told = [(line["seq"], line["kind"], line["committed"]) for line in map(json.loads, shown.output.splitlines())]
    assert [each for each in told if each[1] != "checkpoint"] == [(1, "order", True), (2, "halt", None), (3, "fill", None)]
    alone = place.run("show", "--file", str(archived), "--kind", "order")
    assert "#1 " in alone.output and "[committed, segment 1]" in alone.output
    assert [row["state"] for row in json.loads(place.run("list", "--json").output)["journals"][0]["segments"]] == [
        "archived", "closed", "open",
    ]  # fmt: skip


def test_the_list_tells_spans_sizes_and_the_backlog(place: Place) -> None:
    place.commit(place.write([[ORDER, HALT], [FILL, HALT]]), ORDER)
    told = json.loads(place.run("list", "--json").output)["journals"][0]
    assert (told["journal"], told["last_seq"], told["committed_seq"], told["backlog"]) == (place.base.name, 4, 1, 3)
    assert [(row["first_seq"], row["last_seq"], row["backlog"]) for row in told["segments"]] == [(1, 2, 1), (3, 4, 2)]
    table = place.run("list").output
    assert "last record 4, backlog 3 records, 2 segments" in table and "2026-09-21 14:13:21.000" in table


def test_without_a_database_each_journal_is_held_against_that_of_the_session_that_wrote_it(place: Place) -> None:
    place.commit(place.write([[ORDER, FILL, HALT]]), ORDER, FILL)
    other = Place(place.state_dir.parent)
    other.db_url = f"sqlite:///{place.state_dir.parent / 'y.db'}"
    other.base = journal_path(place.state_dir, "executor", database_name(other.db_url))
    other.write([[ORDER, FILL, HALT]])
    words = ["journal", "list", "--json", "--state-dir", str(place.state_dir)]
    (unknown, _) = json.loads(CliRunner().invoke(main, words).output)["journals"]
    write_health(place.state_dir, Health("s2", 1, T, "stopped", db_url=other.db_url))
    run = run_folder(place.state_dir, "s1")
    run.mkdir(parents=True)
    (run / "config.json").write_text(json.dumps({"db": {"url": place.db_url}}))
    (known, unread) = json.loads(CliRunner().invoke(main, words).output)["journals"]
    assert (unknown["backlog"], known["backlog"], unread["backlog"]) == (None, 1, None)
    shown = CliRunner().invoke(main, ["journal", "show", "--state-dir", str(place.state_dir)])
    assert shown.exit_code == 0 and len(shown.output.splitlines()) == 4


def test_damage_is_told_with_file_and_offset_and_the_rest_is_shown(place: Place) -> None:
    place.write([[ORDER, HALT, FILL]])
    file = segment_files(place.base)[0]
    offset = read_segment(file).entries[1].offset
    data = bytearray(file.read_bytes())
    data[offset + 12] ^= 0xFF
    file.write_bytes(data + b"torn")
    shown = place.run("show", "--json")
    assert f"{file} is damaged" in shown.stderr and f"at offset {offset}" in shown.stderr
    assert "behind record 3" in shown.stderr and ": 4 bytes" in shown.stderr
    assert [json.loads(line)["seq"] for line in shown.stdout.splitlines()] == [0, 1, 3]


def test_a_journal_is_followed_over_new_segments_without_repeats(place: Place) -> None:
    place.write([[ORDER]])
    follower = Follower(place.base)
    follower.skip_to(1)
    assert not list(follower.news())
    place.write([[HALT], [FILL]])
    assert [(line.seq, line.is_record) for line in follower.news()] == [(1, False), (2, True), (2, False), (3, True)]
    assert not list(follower.news())


def test_text_of_the_venue_cannot_command_a_terminal(place: Place) -> None:
    place.write([[HaltRecord(ts_ns=T, halted=True, reason="\x1b[2J gone")]])
    assert "\x1b" not in place.run("show").output + place.run("show", "--json").output


def test_every_kind_of_record_has_words(place: Place) -> None:
    known = {type(message): described(message) for message in (ORDER, INTENT, FILL, AUDIT, HALT, Checkpoint(ts_ns=T))}
    assert set(known) == set(KINDS.values())
    assert not any("ts_ns" in words or "[" in words for words in known.values())
    assert known[AuditRecord] == "p1 of quoter complete in 7 ms; market mkt-1; reason edge"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["show", "--role", "gateway"], "no journal of gateway; there are journals of executor"),
        (["show", "--kind", "trade"], "'trade' is not one of"),
        (["show", "--since", "0"], "0 is not in the range"),
        (["show", "--file", "nowhere.gz"], "nowhere.gz: there is no such file"),
        (["show", "--file", "x", "--follow"], "leave one of them out"),
    ],
)
def test_bad_input_is_refused_in_one_line_with_exit_code_2(place: Place, words: list[str], complaint: str) -> None:
    place.write([[ORDER]])
    shown = place.run(*words)
    assert shown.exit_code == 2
    assert complaint in shown.output


def test_a_state_directory_without_journals_says_what_would_begin_one(place: Place) -> None:
    place.state_dir.mkdir()
    assert "`polybot up` begins one" in place.run("list").output
    assert place.run("show").exit_code == 2
