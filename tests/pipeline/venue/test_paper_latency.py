"""Times under way: constant, or drawn from a file of measured ones, the same for the same seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.venue.paper_latency import ConstantLatency, RecordedLatency, read_latencies


def test_a_constant_time_is_constant() -> None:
    latency = ConstantLatency(5)
    assert [latency.draw_ns(name) for name in "ab"] == [5, 5]


def test_a_draw_depends_on_the_seed_and_the_name_alone() -> None:
    samples = tuple(range(1_000))
    names = [f"order {number}" for number in range(50)]
    drawn = [RecordedLatency(samples, 7).draw_ns(name) for name in names]
    assert [RecordedLatency(samples, 7).draw_ns(name) for name in reversed(names)] == drawn[::-1]
    assert [RecordedLatency(samples, 8).draw_ns(name) for name in names] != drawn
    assert len(set(drawn)) > 40


def test_a_file_holds_one_time_a_line(tmp_path: Path) -> None:
    file = tmp_path / "latency.txt"
    file.write_text("# measured\n85.5\n\n120\n")
    assert read_latencies(file) == (85_500_000, 120_000_000)


@pytest.mark.parametrize(
    ("text", "words"),
    [("85\nfast\n", ":2: 'fast' is not a decimal number"), ("-1\n", ":1: -1 ms is outside"), ("\n", "holds no times")],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "latency.txt"
    file.write_text(text)
    with pytest.raises(BadInput) as refused:
        read_latencies(file)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_latencies(tmp_path / "none.txt")
