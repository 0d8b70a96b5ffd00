"""What a recording tells of itself: its links, its restarts, what was torn, and which frames were refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pipeline.recording.reader import Recording

NoteKind = Literal["up", "down", "closed", "resumed", "torn", "bad_line", "refused", "made"]
KEPT = 10_000


@dataclass(frozen=True)
class RecordingNote:
    """One annotation; of a torn or bad line ``ts_ns`` is the time of the line before it."""

    ts_ns: int
    kind: NoteKind
    text: str


@dataclass
class Survey:
    """A recording read once from end to end. ``stopped``: stretches (start, end) in which no recorder ran.

    ``answers`` counts recorded answers about fresh books: a recording with some can be replayed asking for them. ``dropped`` counts
    notes beyond the first ``KEPT``.
    """

    lines: int = 0
    first_ns: int = 0
    last_ns: int = 0
    answers: int = 0
    stopped: list[tuple[int, int]] = field(default_factory=list)
    notes: list[RecordingNote] = field(default_factory=list)
    dropped: int = 0

    def note(self, ts_ns: int, kind: NoteKind, text: str) -> None:
        """Keep a note."""
        if len(self.notes) < KEPT:
            self.notes.append(RecordingNote(ts_ns, kind, text))
        else:
            self.dropped += 1


def survey(recording: Recording, shown: Callable[[int], None] = lambda done: None) -> Survey:
    """Read the whole recording for what it says of itself. Times never step back. ``shown`` hears how many lines were read."""
    found = Survey()
    left_out = 0
    for line, where in recording.lines():
        left_out = _note_left_out(recording, found, left_out)
        found.lines += 1
        if not found.lines & 0xFFF:
            shown(found.lines)
        if line.kind == "resumed":
            if found.last_ns and line.ts_ns > found.last_ns:
                found.stopped.append((found.last_ns, line.ts_ns))
            found.note(max(line.ts_ns, found.last_ns), "resumed", line.reason or "the recorder was started again")
        elif line.kind == "link" and line.state in ("up", "down", "closed"):
            told = f"link {line.link} {line.state}, {len(line.token_ids)} tokens" + (f": {line.reason}" if line.reason else "")
            told += f" ({line.made})" if line.made else ""
            found.note(max(line.ts_ns, found.last_ns), line.state, told)
        elif line.kind == "refused":
            of = f" of token {line.token_ids[0]}" if line.token_ids else ""
            found.note(max(line.ts_ns, found.last_ns), "refused", f"a frame{of} was refused: {line.reason} ({where})")
        elif line.kind == "rest" and line.token_ids:
            found.answers += 1
        elif line.made:
            found.note(max(line.ts_ns, found.last_ns), "made", f"made, not received: {line.made}")
        found.first_ns = found.first_ns or line.ts_ns
        found.last_ns = max(found.last_ns, line.ts_ns)
    _note_left_out(recording, found, left_out)
    return found


def _note_left_out(recording: Recording, found: Survey, seen: int) -> int:
    for where, torn in recording.left_out[seen:]:
        if torn:
            found.note(found.last_ns, "torn", f"{where}: ends in the middle of a line")
        else:
            found.note(found.last_ns, "bad_line", f"{where}: is no line of a recording")
    return len(recording.left_out)
