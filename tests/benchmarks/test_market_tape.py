from collections import defaultdict
from pathlib import Path

import msgspec

from benchmarks.market_tape import START_MS, write_market_tape
from polybot.replaying import replay_file


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_market_tape(tmp_path / name, 500, seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again != other


def test_the_book_is_never_crossed_and_its_top_moves_as_often_as_a_real_markets(tmp_path: Path) -> None:
    lines = write_market_tape(tmp_path / "tape.jsonl", 20_000)
    sizes: dict[str, dict[float, float]] = {"bids": defaultdict(float), "asks": defaultdict(float)}
    changes = moves = ts_ms = 0
    top: tuple[float, float] | None = None
    for line in (tmp_path / "tape.jsonl").read_bytes().splitlines():
        told = msgspec.json.decode(line)
        for side, levels in sizes.items():
            for price, change in told.get(side, ()):
                changes += told["type"] == "delta"
                levels[price] = round(levels[price] + change, 2)
                assert levels[price] >= 0
                if not levels[price]:
                    del levels[price]
        best = max(sizes["bids"]), min(sizes["asks"])
        assert best[0] < best[1]
        moves += best != top
        top, ts_ms = best, told["ts_ms"]
    assert told["seq"] == lines and 20_000 <= changes <= 20_001
    assert 0.013 <= moves / changes <= 0.032
    assert 30 <= changes / ((ts_ms - START_MS) / 1_000) <= 50


def test_a_market_tape_replays_without_a_doubt(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    lines = write_market_tape(tape, 500)
    done = replay_file(tape, "mkt-1", f"sqlite:///{tmp_path / 'replay.db'}")
    assert (done.frames, done.snapshots, done.deltas) == (lines, 1, lines - 1)
    assert not done.doubts and not done.bad_frames
