"""``polybot recordings``: what each command answers, refuses and leaves behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.messages.market import Market, Outcome
from pipeline.recording.lines import Line
from pipeline.recording.markets import RecordedMarkets, write_markets
from pipeline.recording.writer import RecordingWriter
from polybot.cli import main

SNAPSHOT = '{"type":"snapshot","seq":1,"bids":[[0.40,5]],"asks":[[0.60,5]]}'
DELTA = '{"type":"delta","seq":%d,"bids":[[0.40,1]]}'
S = 10**9
BEGUN = 1_780_000_000 * S
HOSTILE = "\x1b[2JWho \u202ewins?\n"


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["recordings", *map(str, words)])


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Path]:
    """A recording of the generic stream: ten seconds, a frame each, and twenty in the last one."""

    def make(name: str = "mine", begun_ns: int = BEGUN, venue: str = "generic") -> Path:
        folder = tmp_path / name
        writer = RecordingWriter(folder, venue=venue)
        frames = [SNAPSHOT, *(DELTA % seq for seq in range(2, 31))]
        for number, text in enumerate(frames):
            ts_ns = begun_ns + min(number, 10) * S + max(0, number - 10) * 1_000
            writer.keep(Line(kind="ws_in", ts_ns=ts_ns, link="stream", text=text))
        writer.close()
        market = Market("mine", (Outcome("mine/yes", "yes"),), question=HOSTILE)
        write_markets(folder, RecordedMarkets(venue, (market,)))
        return folder

    return make


def damage(folder: Path) -> None:
    segment = folder / "000001.jsonl.gz"
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)


def test_list_tells_the_newest_first_with_runs_files_and_what_cannot_be_read(made: Callable[..., Path], tmp_path: Path) -> None:
    made("there/old"), made("there/new", BEGUN + 60 * S)
    shutil.move(made("var"), tmp_path / "run")
    (tmp_path / "state" / "runs" / "s-1").mkdir(parents=True)
    shutil.move(tmp_path / "run", tmp_path / "state" / "runs" / "s-1" / "recording")
    (tmp_path / "there" / "frames.jsonl").write_text(SNAPSHOT + "\n")
    (tmp_path / "there" / "bad.jsonl").write_text("nothing\n")
    shown = run("list", tmp_path / "there", "--state-dir", tmp_path / "state", "--json")
    assert shown.exit_code == 0, shown.output
    found = [row for row in json.loads(shown.stdout)["recordings"] if str(tmp_path) in row["path"]]
    assert [row["name"] for row in found][:3] == ["new", "old", "s-1"]
    assert {row["name"]: row["state"] for row in found}["bad.jsonl"] == "unreadable"
    assert {row["name"]: row["state"] for row in found}["frames.jsonl"] == "generic"
    first = found[0]
    assert (first["frames"], first["venue"], first["state"], first["markets"]) == (30, "generic", "recorded", 1)
    assert (first["first_ns"], first["last_ns"]) == (BEGUN + 60 * S, BEGUN + 70 * S + 19_000)
    table = run("list", tmp_path / "there", "--state-dir", tmp_path / "state")
    assert "not JSON" in table.stderr and table.stdout.splitlines()[0].split()[:3] == ["name", "what", "venue"]


def test_info_tells_rates_tokens_size_and_that_nothing_was_changed(made: Callable[..., Path]) -> None:
    shown = run("info", made(), "--json")
    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert told["frames"] == {"snapshot": 1, "delta": 29} and told["lines"] == {"ws_in": 30}
    assert told["rates"] == {"mean": 3.0, "p99": 20, "most": 20}
    assert told["integrity"]["segments"][0]["state"] == "verified" and not told["integrity"]["damaged"]
    assert told["unpacked_bytes"] > told["bytes"] > 0
    (token,) = told["tokens"]
    assert (token["token_id"], token["question"], token["proved_ns"] == token["observed_ns"]) == ("mine/yes", HOSTILE, True)


def test_text_from_outside_is_shown_and_not_obeyed(made: Callable[..., Path]) -> None:
    shown = run("info", made())
    assert "\\x1b[2JWho \\u202ewins?\\n" in shown.stdout
    assert not [letter for letter in shown.output if letter in "\x1b\u202e"]


def test_info_of_a_changed_recording_names_the_file_and_ends_with_1(made: Callable[..., Path]) -> None:
    folder = made()
    damage(folder)
    shown = run("info", folder)
    assert shown.exit_code == 1
    assert "1 segment changed since it was finished" in shown.stdout
    assert f"{folder / '000001.jsonl.gz'}: changed since it was finished" in shown.stderr


def test_info_of_a_killed_recorder_tells_the_torn_line_and_ends_with_0(made: Callable[..., Path]) -> None:
    folder = made()
    (folder / "000002.jsonl").write_bytes(b'{"kind":"ws_in","ts')
    shown = run("info", folder)
    assert shown.exit_code == 0
    assert "1 segment verified, 1 segment not finished, its last line is torn" in shown.stdout


def test_cut_merge_and_convert_say_what_they_wrote(made: Callable[..., Path], tmp_path: Path) -> None:
    whole, early, late = made(), tmp_path / "early", tmp_path / "late"
    cut = run("cut", whole, "--to", "+4s", "--out", early)
    assert (
        cut.stdout
        == f"4 lines of {whole} in {early}: 2026-05-28 20:26:40.000 to 2026-05-28 20:26:43.000 UTC, 3.000 s, 1 market\n"
    )
    told = json.loads(run("cut", whole, "--from", "2026-05-28T20:26:44", "--out", late, "--json").stdout)
    assert (told["lines"], told["opened"], told["start_ns"]) == (26, 1, BEGUN + 4 * S)
    merged = run("merge", late, early, "--out", tmp_path / "both")
    assert merged.stdout == f"30 lines of 2 recordings in {tmp_path / 'both'}\n"
    again = run("convert", tmp_path / "both", "--out", tmp_path / "tables")
    assert again.stdout.endswith("tables: 30 rows in frames.parquet, 31 rows in level2.parquet\n"), again.output
    assert run("convert", tmp_path / "tables", "--out", tmp_path / "back").stdout.endswith("30 lines in back\n")
    assert (tmp_path / "back" / "000001.jsonl.gz").read_bytes() == (whole / "000001.jsonl.gz").read_bytes()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("info", "{tmp}/none"), "no such file or folder"),
        (("list", "{tmp}/none"), "there is no such folder"),
        (("cut", "{mine}", "--from", "yesterday", "--out", "{tmp}/out"), "--from yesterday: not a moment"),
        (("cut", "{mine}", "--from", "+99999999999h", "--out", "{tmp}/out"), "not a moment"),
        (("cut", "{mine}", "--from", "+5s", "--to", "+5s", "--out", "{tmp}/out"), "--from is not before --to"),
        (("cut", "{mine}", "--from", "+1h", "--out", "{tmp}/out"), "holds no line of the wanted stretch"),
        (("cut", "{mine}", "--out", "{mine}"), "is there already"),
        (("cut", "{mine}", "--out", "{tmp}/no/such/out"), "cannot be written"),
        (("merge", "{mine}", "--out", "{tmp}/out"), "give two or more recordings, each once"),
        (("merge", "{mine}", "{mine}/.", "--out", "{tmp}/out"), "give two or more recordings, each once"),
        (("convert", "{mine}", "--to", "frames", "--out", "{tmp}/out"), "is a recording already"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_leaves_nothing(
    made: Callable[..., Path], tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    mine = made()
    shown = run(*(word.format(tmp=tmp_path, mine=mine) for word in words))
    assert shown.exit_code == 2
    assert shown.stderr.startswith("polybot: ") and told in shown.stderr and shown.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_recordings_of_two_venues_are_not_merged(made: Callable[..., Path], tmp_path: Path) -> None:
    shown = run("merge", made("one", venue="fake"), made("two", BEGUN + S, venue="polymarket"), "--out", tmp_path / "out")
    assert shown.exit_code == 2 and "merge recordings of one venue" in shown.stderr


def test_moments_are_exact(made: Callable[..., Path], tmp_path: Path) -> None:
    whole = made()
    for number, when in enumerate(
        ("+10.000005s", str(BEGUN + 10 * S + 5_000), "2026-05-28T20:26:50.000005", "2026-05-28T22:26:50.000005+02:00")
    ):
        told: dict[str, Any] = json.loads(run("cut", whole, "--from", when, "--out", tmp_path / str(number), "--json").stdout)
        assert (told["lines"], told["first_ns"]) == (15, BEGUN + 10 * S + 5_000)
