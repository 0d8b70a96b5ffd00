import sys
from pathlib import Path

import pytest

from benchmarks.backtest import COMPILED, MEMORY, RAW, Played, rows
from benchmarks.environments import BASANA, HFTBACKTEST, NAUTILUS, Peer, PeerMissing, interpreter, play
from benchmarks.table import cells


def told(seconds: float, orders: int = 5) -> dict[str, object]:
    return {
        "events": 100,
        "seconds": seconds,
        "cpu_s": seconds,
        "look_s": 1.0,
        "rss_mb": 90,
        "orders": orders,
        "fills": 1,
    }


def test_a_row_for_each_mode_and_peer_and_those_that_are_missing_say_why() -> None:
    ours = {mode: Played("polybot", [told(1), told(2)]) for mode in (MEMORY, RAW)}
    theirs = {
        (NAUTILUS.name, MEMORY): Played(NAUTILUS.title, [told(4, 7), told(6)]),
        (NAUTILUS.name, RAW): Played(NAUTILUS.title, [told(4), told(8)]),
        (BASANA.name, MEMORY): Played(BASANA.title, [told(1)], missing="no network"),
        (HFTBACKTEST.name, MEMORY): Played(HFTBACKTEST.title, missing="no network"),
    }
    found = rows(ours, theirs)
    by_peer = {(each.name, each.peer_name): each for each in found}
    memory = by_peer["backtest, events in memory", "nautilus_trader 1.221.0"]
    assert memory.ratio == pytest.approx(3.5) and memory.aim_verdict == "reached"
    assert "polybot: 5 orders, 1 fills" in memory.note and "nautilus_trader 1.221.0: 5 orders" in memory.note
    assert by_peer["backtest, from raw bytes on disk", "nautilus_trader 1.221.0"].runs == (100, 50)
    for peer in (BASANA, HFTBACKTEST):
        assert f"{peer.title} not there: no network" in cells(by_peer["backtest, events in memory", peer.title])
    looked = by_peer["backtest, from raw bytes, first look included", "nautilus_trader 1.221.0"]
    assert looked.runs == (50, pytest.approx(100 / 3))


def test_a_compiled_polybot_stands_beside_the_other_and_the_same_peer() -> None:
    ours = {mode + build: Played("polybot", [told(2 if build else 4)]) for mode in (MEMORY, RAW) for build in ("", COMPILED)}
    theirs = {(NAUTILUS.name, mode): Played(NAUTILUS.title, [told(8)]) for mode in (MEMORY, RAW)}
    ratios = {each.name: each.ratio for each in rows(ours, theirs) if each.name.startswith("backtest, events in memory")}
    assert ratios == {"backtest, events in memory": 2.0, "backtest, events in memory, compiled": 4.0}


def test_an_environment_that_is_not_there_is_a_reason_not_a_failure(tmp_path: Path) -> None:
    with pytest.raises(PeerMissing, match="no environment in"):
        interpreter(NAUTILUS, tmp_path)


def test_a_peer_that_cannot_be_imported_tells_its_last_words() -> None:
    absent = Peer("absent", "nautilus.py", ("absent==1",))
    with pytest.raises(PeerMissing, match=r"No module named 'nautilus_trader'"):
        play(absent, Path(sys.executable), "tape.jsonl", MEMORY)


def test_other_engines_import_nothing_of_polybot() -> None:
    for script in (Path(__file__).parents[2] / "benchmarks" / "peers").glob("*.py"):
        words = {
            line.split()[1].split(".")[0] for line in script.read_text().splitlines() if line.startswith(("import ", "from "))
        }
        assert not words & {"pipeline", "processes", "polybot", "benchmarks"}, script.name
