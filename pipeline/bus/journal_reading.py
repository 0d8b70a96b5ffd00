"""Journals as a reader sees them, also while they are written: their segments, archived ones included, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import BadInput, DamagedJournal
from pipeline.bus import codec
from pipeline.bus.journal_archive import archived_files
from pipeline.bus.journal_segments import DURABLE, Segment, base_name, read_segment, segment_files, segment_number
from pipeline.messages import Message


@dataclass(frozen=True, slots=True)
class Line:
    """One thing in a journal: a record with its number, or the checkpoint that a segment opens with, behind the number that it includes."""

    segment: Segment
    seq: int
    message: Message
    is_record: bool


def journals(state_dir: Path, role: str = "") -> list[Path]:
    """The journals of a state directory (of one role), by the path of their single file or of what their segments are named after."""
    folder = state_dir / "journal"
    found = {
        base_name(path) for path in (*folder.glob("*.journal*"), *archived_files(state_dir)) if not path.name.endswith(".new")
    }
    return [folder / name for name in sorted(found) if not role or name.startswith(f"{role}-")]


def files_of(state_dir: Path, base: Path) -> list[Path]:
    """All segments of a journal, oldest first; one that is archived and still here is taken from here."""
    by_number = {segment_number(path): path for path in archived_files(state_dir) if base_name(path) == base.name}
    by_number |= {segment_number(path): path for path in segment_files(base)}
    return [by_number[number] for number in sorted(by_number)]


def read_moving(state_dir: Path, base: Path, path: Path) -> Segment:
    """A segment of a journal, wherever it is by now: one that is being archived moves."""
    if not path.is_file():
        number = segment_number(path)
        path = next((other for other in files_of(state_dir, base) if segment_number(other) == number), path)
    return read_file(path)


def is_archived(segment: Segment) -> bool:
    """The segment has left the journal's folder, so that the database has all of it."""
    return segment.path.suffix == ".gz"


def read_file(path: Path) -> Segment:
    """A segment for a person to look at. Raises BadInput where there is none."""
    if not path.is_file():
        raise BadInput(f"{path}: there is no such file; `polybot journal list` names the segments")
    try:
        return read_segment(path)
    except DamagedJournal as error:
        raise BadInput(str(error)) from None


def lines(segment: Segment, after: int = 0) -> Iterator[Line]:
    """What stands in a segment, in order: its checkpoint, and the records with numbers above ``after``."""
    if segment.checkpoint is not None and segment.base_seq >= after:
        yield Line(segment, segment.base_seq, segment.checkpoint, False)
    for entry in segment.entries:
        if entry.seq > after:
            yield Line(segment, entry.seq, codec.decode(DURABLE, entry.frame).message, True)


class Follower:
    """What is added to a journal, again and again: call ``news`` as often as you like. Make one before reading what is there already."""

    def __init__(self, base: Path, after: int = 0) -> None:
        self._base, self._after = base, after
        self._seen: dict[Path, int] = {}
        self._opened = max((segment_number(path) for path in segment_files(base)), default=0)

    def skip_to(self, seq: int) -> None:
        """Records up to this number are known."""
        self._after = max(self._after, seq)

    def news(self) -> Iterator[Line]:
        """What came since the last call, checkpoints of new segments included."""
        for path in segment_files(self._base):
            try:
                size = path.stat().st_size
            except FileNotFoundError:  # archived meanwhile: it was whole when it was last read
                continue
            if self._seen.get(path) == size:
                continue
            self._seen[path] = size
            try:
                segment = read_segment(path)
            except FileNotFoundError:
                continue
            is_new = segment.number > self._opened
            self._opened = max(self._opened, segment.number)
            for line in lines(segment, self._after):
                if line.is_record:
                    self._after = line.seq
                elif not is_new:
                    continue
                yield line
