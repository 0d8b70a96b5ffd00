from itertools import pairwise
from pathlib import Path

from benchmarks.tape import write_paced_recording, write_tape
from pipeline.base.units import NS_PER_MS
from pipeline.messages.edges import RawFrame
from pipeline.recording.reader import Recording
from polybot.replaying import replay_file


def test_a_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_tape(tmp_path / name, 500, seed)
    first, again, other = ((tmp_path / name).read_bytes() for name in "abc")
    assert first == again != other


def test_a_tape_replays_to_as_many_rows_as_it_has_lines(tmp_path: Path) -> None:
    tape = tmp_path / "tape.jsonl"
    write_tape(tape, 300)
    done = replay_file(tape, "mkt-1", f"sqlite:///{tmp_path / 'replay.db'}")
    assert (done.frames, done.snapshots, done.deltas) == (300, 1, 299)
    assert not done.doubts and not done.bad_frames


def test_a_paced_recording_has_a_frame_each_millisecond(tmp_path: Path) -> None:
    write_paced_recording(tmp_path / "paced", 200)
    recording = Recording(tmp_path / "paced")
    frames = [msg for msg in recording.messages() if isinstance(msg, RawFrame)]
    assert len(frames) == 200 and recording.markets
    assert {later.ts_ns - earlier.ts_ns for earlier, later in pairwise(frames)} == {NS_PER_MS}
