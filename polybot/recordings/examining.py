"""One recording examined: its tokens and their books, its span, frames and rates, what it tells of itself, and whether it is unchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadInput
from pipeline.base.nesting import nests_too_deeply
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_S
from pipeline.recording.checking import Checked, check_segments
from pipeline.recording.index import Made, read_index
from pipeline.recording.lines import Line, line_of
from pipeline.recording.notes import RecordingNote, survey
from pipeline.recording.reader import Recording, open_bytes
from pipeline.recording.source import open_frames
from polybot.coverage.from_recording import cover_recording
from polybot.coverage.model import Coverage
from polybot.coverage.shares import NOT_OBSERVED

HEARTBEATS = {b"PONG": "PONG", b"PING": "PING"}
PROVED = ("VERIFIED", "QUIET")
Shown = Callable[[int, int | None], None]


class _Event(msgspec.Struct, gc=False):
    event_type: str = ""
    type: str = ""


_event = msgspec.json.Decoder(_Event)


@dataclass(frozen=True)
class Rates:
    """Frames a second. ``p99`` and ``most`` are of whole seconds, those without any frame included."""

    mean: float = 0.0
    p99: int = 0
    most: int = 0


@dataclass
class Examined:
    """What there is to say. ``frames`` counts frames by what they hold, ``kinds`` lines by kind; ``bytes`` on the disk and unpacked.

    ``coverage`` is None where ``without`` says why. ``told`` are notes about links, restarts, refusals and what was made.
    """

    path: Path
    kind: str
    venue: str
    first_ns: int = 0
    last_ns: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    rates: Rates = field(default_factory=Rates)
    bytes: int = 0
    unpacked_bytes: int = 0
    segments: list[Checked] = field(default_factory=list)
    made: tuple[Made, ...] = ()
    told: list[RecordingNote] = field(default_factory=list)
    told_left_out: int = 0
    coverage: Coverage | None = None
    without: str = ""
    questions: dict[str, str] = field(default_factory=dict)

    @property
    def is_damaged(self) -> bool:
        """Whether a finished segment is not as it was finished."""
        return any(checked.state in ("changed", "missing") for checked in self.segments)


def examine(path: Path, settings: Settings, *, market: str = "", shown: Shown = lambda done, total: None) -> Examined:
    """Read a recording, or any other file of frames, and play it. Raises BadInput for what cannot be read."""
    source = open_frames(path, market=market or path.name.split(".")[0])
    found = Examined(path, source.kind, source.venue)
    if source.kind == "recording":
        _tell(found, Recording(path), shown)
    else:
        found.bytes = path.stat().st_size
        with open_bytes(path) as stream:
            while chunk := stream.read(1024 * 1024):
                found.unpacked_bytes += len(chunk)
    _count(found, _lines(path, source.kind, market), shown)
    for known in source.markets:
        found.questions |= dict.fromkeys(known.token_ids, known.question or known.slug or known.market_id)
    try:
        found.coverage = cover_recording(path, settings, market_id=market, shown=shown)
    except BadInput as error:
        found.without = str(error)
    return found


def _tell(found: Examined, recording: Recording, shown: Shown) -> None:
    """What a recording knows of itself."""
    told = survey(recording, lambda done: shown(done, None))
    found.told, found.told_left_out = told.notes, told.dropped
    folder = recording.path if recording.path.is_dir() else recording.path.parent
    wanted = None if recording.path.is_dir() else recording.path.name.partition(".")[0]
    checked = check_segments(folder, recording.segments)
    found.segments = [each for each in checked if wanted is None or each.path.name.partition(".")[0] == wanted]
    found.bytes = sum(file.stat().st_size for file in recording.segments if file.exists())
    found.made = read_index(folder).made


def _lines(path: Path, kind: str, market: str) -> Iterator[Line]:
    """Every line; a row of level-2 data counts as a frame."""
    if kind == "recording":
        for line, _ in Recording(path).lines():
            yield line
        return
    for msg in open_frames(path, market=market or path.name.split(".")[0]).messages():
        yield line_of(msg) or Line(kind="ws_in", ts_ns=msg.ts_ns, text=f'{{"type":"{type(msg).__name__}"}}')


def _count(found: Examined, lines: Iterator[Line], shown: Shown) -> None:
    seconds: Counter[int] = Counter()
    for number, line in enumerate(lines):
        if not number & 0xFFF:
            shown(number, None)
        found.kinds[line.kind] += 1
        found.first_ns = found.first_ns or line.ts_ns
        found.last_ns = max(found.last_ns, line.ts_ns)
        if line.kind == "ws_in":
            seconds[line.ts_ns // NS_PER_S] += 1
            found.frames[_kind_of(line.data)] += 1
    if found.kind == "recording":
        known = [checked.known.lines_bytes for checked in found.segments if checked.known and checked.state == "verified"]
        if len(known) == len(found.segments):
            found.unpacked_bytes = sum(known)
        else:
            found.unpacked_bytes = sum(len(text) for text, _ in Recording(found.path).texts())
    found.rates = _rates(seconds, found.last_ns - found.first_ns)


def _kind_of(data: bytes) -> str:
    """What a frame holds, by its first event."""
    text = data.strip()
    if text in HEARTBEATS:
        return HEARTBEATS[text]
    if nests_too_deeply(text):
        return "not understood"
    try:
        if text.startswith(b"["):
            events = msgspec.json.decode(text, type=list[_Event])
            return f"list of {events[0].event_type or events[0].type or '?'}" if events else "empty list"
        event = _event.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return "not understood"
    return event.event_type or event.type or "not understood"


def _rates(seconds: Counter[int], span_ns: int) -> Rates:
    if not seconds:
        return Rates()
    whole = max(seconds) - min(seconds) + 1
    counts = sorted(seconds.values())
    place = -(-whole * 99 // 100) - 1 - (whole - len(counts))
    mean = sum(counts) * NS_PER_S / span_ns if span_ns else float(sum(counts))
    return Rates(round(mean, 3), counts[place] if place >= 0 else 0, counts[-1])


def as_object(found: Examined) -> dict[str, Any]:
    """Everything, for programs; times in nanoseconds."""
    coverage = found.coverage
    return {
        "path": str(found.path),
        "kind": found.kind,
        "venue": found.venue,
        "first_ns": found.first_ns,
        "last_ns": found.last_ns,
        "lines": dict(found.kinds),
        "frames": dict(found.frames),
        "rates": vars(found.rates),
        "bytes": found.bytes,
        "unpacked_bytes": found.unpacked_bytes,
        "integrity": {
            "damaged": found.is_damaged,
            "segments": [
                {
                    "file": checked.path.name,
                    "state": checked.state,
                    "torn": checked.torn,
                    "sha256": checked.known.sha256 if checked.known else None,
                }
                for checked in found.segments
            ],
        },
        "made": found.made,
        "notes": [{"ts_ns": note.ts_ns, "kind": note.kind, "text": note.text} for note in found.told],
        "notes_left_out": found.told_left_out,
        "tokens": tokens_of(found),
        "gaps": [
            {"token_id": token.token_id, "start_ns": gap.start_ns, "end_ns": gap.end_ns, "cause": gap.cause, "healed_by": gap.healed_by}
            for token, gap in (coverage.gaps if coverage else ())
        ],
        "coverage": None if coverage is None else {"times_ns": coverage.totals, "hash_checks": vars(coverage.checks)},
        "not_covered": found.without,
    }  # fmt: skip


def tokens_of(found: Examined) -> list[dict[str, Any]]:
    """Each token with its market's question and how long its book was proved, of the time in which it was observed."""
    coverage = found.coverage
    rows = []
    for token in coverage.tokens if coverage else ():
        times = token.times(coverage.whole_ns if coverage else 0)
        observed = sum(ns for state, ns in times.items() if state != NOT_OBSERVED)
        rows.append(
            {
                "token_id": token.token_id,
                "market_id": token.market_id,
                "name": token.name,
                "question": found.questions.get(token.token_id, ""),
                "observed_ns": observed,
                "proved_ns": sum(times.get(state, 0) for state in PROVED),
                "gaps": len(token.gaps),
            }
        )
    return rows
