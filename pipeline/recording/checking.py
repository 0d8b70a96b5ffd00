"""Whether a recording is as its recorder left it: each finished segment held against its checksum in the index."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.base.errors import BadInput
from pipeline.recording.index import BROKEN, Counted, Segment, count_lines, file_sha256, lines_sha256, read_index

SegmentState = Literal["verified", "changed", "missing", "unfinished", "unlisted"]
"""``unfinished``: a recorder writes to it, or was killed; ``unlisted``: finished by a recorder that kept no checksums."""
WORDS: dict[SegmentState, str] = {
    "verified": "verified",
    "changed": "changed since it was finished",
    "missing": "missing",
    "unfinished": "not finished",
    "unlisted": "without a checksum",
}


@dataclass(frozen=True)
class Checked:
    """One segment and what its checksum says. ``torn``: its last line is not whole."""

    path: Path
    state: SegmentState
    torn: bool = False
    known: Segment | None = None

    @property
    def told(self) -> str:
        """The state in words."""
        return WORDS[self.state] + (", its last line is torn" if self.torn else "")


def check_segments(folder: Path, segments: Iterable[Path], shown: Callable[[int], None] = lambda done: None) -> list[Checked]:
    """Every segment that is there or should be, in order. ``shown`` hears how many are done. Raises BadInput for a bad index."""
    index = read_index(folder)
    found = []
    paths = {path.name.split(".")[0]: path for path in segments}
    for done, number in enumerate(sorted(paths.keys() | {known.number for known in index.segments}), 1):
        known = index.of(number)
        path = paths.get(number)
        if path is None:
            assert known is not None
            found.append(Checked(folder / known.file, "missing", known=known))
        elif known is None:
            found.append(_without_checksum(path))
        else:
            if not path.exists():
                path = folder / known.file  # the recorder has finished it since it was listed
            found.append(Checked(path, _compared(path, known), known.torn, known))
        shown(done)
    return found


def require_unchanged(folder: Path, segments: Iterable[Path], shown: Callable[[int], None] = lambda done: None) -> None:
    """Raises BadInput naming the first segment that is not as it was finished; one without a checksum passes."""
    for checked in check_segments(folder, segments, shown):
        if checked.state in ("changed", "missing"):
            raise BadInput(f"{checked.path}: {checked.told}; take it from a copy, or give --no-verify to use what is there")


def counted_of(path: Path) -> Counted:
    """The lines of a segment, counted by reading it. Raises OSError."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as stream:
        return count_lines(stream)


def _compared(path: Path, known: Segment) -> SegmentState:
    try:
        if path.name == known.file and file_sha256(path) == known.sha256:
            return "verified"
        return "verified" if lines_sha256(path) == known.lines_sha256 else "changed"
    except OSError:
        return "changed"


def _without_checksum(path: Path) -> Checked:
    if path.suffix != ".gz":
        return Checked(path, "unfinished", _ends_torn(path))
    return Checked(path, "unlisted", counted_of(path).torn)


def _ends_torn(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(max(0, size - 1))
            return size > 0 and stream.read(1) != b"\n"
    except BROKEN:
        return False
