"""`polybot coverage`: a table, JSON or a page, of a recording or a database, and it writes nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.base.errors import BadInput
from polybot.cli import coverage
from polybot.replaying import replay_file

LINES = (
    '{"type":"snapshot","seq":1,"ts_ms":1780000000000,"bids":[[0.40,5]],"asks":[[0.60,5]]}',
    '{"type":"delta","seq":2,"ts_ms":1780000060000,"bids":[[0.40,1]]}',
    '{"type":"delta","seq":4,"ts_ms":1780000061000,"bids":[[0.40,1]]}',
    '{"type":"snapshot","seq":5,"ts_ms":1780000062000,"bids":[[0.40,5]],"asks":[[0.60,5]]}',
    '{"type":"delta","seq":6,"ts_ms":1780000080000,"bids":[[0.40,1]]}',
)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "mkt-1.jsonl"
    file.write_text("\n".join(LINES), encoding="utf-8")
    return file


def run(*args: object) -> Result:
    return CliRunner().invoke(coverage.command, [str(arg) for arg in args])


def test_the_table_has_a_row_for_each_token_and_hour_and_the_gaps(recording: Path) -> None:
    shown = run(recording).stdout.splitlines()
    assert shown[1].split() == ["token", "hour", "VERIFIED", "SUSPECT", "STALE", "gaps", "checks", "matched", "undecided"]
    assert shown[2].split()[:4] == ["mkt-1/yes", "2026-05-28", "20:00", "67.5"]
    assert shown[3].split()[:2] == ["all", "all"]
    (gap,) = [line for line in shown if "seq 4 after 2" in line]
    assert "2.000 s" in gap


def test_json_adds_up(recording: Path) -> None:
    told = json.loads(run(recording, "--json").stdout)
    (token,) = told["tokens"]
    (hour,) = token["hours"]
    assert (hour["hour"], hour["whole_ns"], sum(hour["times_ns"].values())) == ("2026-05-28T20:00:00Z", 80 * 10**9, 80 * 10**9)
    assert told["total"]["times_ns"] == token["times_ns"] == hour["times_ns"]
    assert (told["total"]["gaps"], told["total"]["open_gaps"]) == (2, 0)
    assert [gap["healed_by"] for gap in token["gaps"]] == ["contiguous seq", "snapshot"]


def test_a_recording_and_the_database_that_it_was_replayed_into_agree_but_for_the_checks_of_age(
    recording: Path, tmp_path: Path
) -> None:
    db_url = f"sqlite:///{tmp_path / 'polybot.db'}"
    replay_file(recording, "mkt-1", db_url)
    told = json.loads(run("--db-url", db_url, "--json").stdout)
    assert told["kind"] == "database"
    assert told["total"]["times_ns"] == {"VERIFIED": 79 * 10**9, "SUSPECT": 10**9}
    assert [gap["cause"] for gap in told["tokens"][0]["gaps"]] == ["seq 4 after 2"]


def test_the_page_is_written_and_said(recording: Path, tmp_path: Path) -> None:
    shown = run(recording, "--html", tmp_path / "out.html", "--json")
    assert shown.stderr == f"heat map of 1 tokens written to {tmp_path / 'out.html'}\n"
    assert json.loads(shown.stdout)["source"] == str(recording)
    assert (tmp_path / "out.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_bad_input_is_one_line(recording: Path, tmp_path: Path) -> None:
    for args in (
        (),
        (recording, "--db-url", "sqlite:///x.db"),
        (recording, "--html", tmp_path / "no" / "out.html"),
        (tmp_path / "x",),
    ):
        refused = run(*args).exception
        assert isinstance(refused, BadInput)
        assert "\n" not in str(refused)
