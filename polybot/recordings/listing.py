"""The recordings that are at hand: what each holds, by its index where it has one and else by reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.base.errors import BadInput
from pipeline.messages.edges import RawFrame
from pipeline.recording.checking import counted_of
from pipeline.recording.index import Counted, Segment, read_index
from pipeline.recording.reader import Recording
from pipeline.recording.source import open_frames
from pipeline.recording.writer import segments_of

FILES = frozenset({".jsonl", ".csv", ".gz", ".ndjson"})
Shown = Callable[[int], None]


@dataclass(frozen=True)
class Listed:
    """One recording, or one other file of frames. ``state`` is recorded, open (its last segment is not finished), cut, merge or convert;
    of another file it is what is in it.

    ``frames`` counts frames that came; ``bytes`` is what it takes on the disk. ``problem`` is why it cannot be read, "" if it can.
    """

    name: str
    path: Path
    state: str
    venue: str = ""
    markets: int = 0
    first_ns: int = 0
    last_ns: int = 0
    frames: int = 0
    bytes: int = 0
    problem: str = ""

    def as_object(self) -> dict[str, Any]:
        """For programs."""
        return {name: str(value) if isinstance(value, Path) else value for name, value in vars(self).items()}


def places(state_dir: Path, others: Iterable[Path] = ()) -> Iterator[tuple[str, Path]]:
    """(name, path) of what there is under ``recordings``, the runs of a state directory, and other folders."""
    runs = state_dir / "runs"
    for run in sorted(runs.iterdir()) if runs.is_dir() else ():
        if segments_of(run / "recording"):
            yield run.name, run / "recording"
    for root in (Path("recordings"), *others):
        if root.is_dir():
            if segments_of(root):
                yield root.name, root
                continue
            for path in sorted(root.iterdir()):
                if (path.is_dir() and segments_of(path)) or (path.is_file() and path.suffix in FILES):
                    yield path.name, path
        elif root.is_file():
            yield root.name, root


def list_recordings(state_dir: Path, others: Iterable[Path] = (), shown: Shown = lambda done: None) -> list[Listed]:
    """What there is, the newest first: that which heard something last. ``shown`` hears how many were looked at."""
    found: dict[Path, Listed] = {}
    for done, (name, path) in enumerate(places(state_dir, others), 1):
        found.setdefault(path.resolve(), _listed(name, path))
        shown(done)
    return sorted(found.values(), key=lambda listed: (-listed.last_ns, listed.name))


def _listed(name: str, path: Path) -> Listed:
    try:
        return _recording(name, path) if path.is_dir() else _file(name, path)
    except (BadInput, OSError) as error:
        size = sum(file.stat().st_size for file in segments_of(path)) if path.is_dir() else path.stat().st_size
        return Listed(name, path, "unreadable", bytes=size, problem=str(error))


def _recording(name: str, path: Path) -> Listed:
    recording, index = Recording(path), read_index(path)
    parts: list[Segment | Counted] = []
    for file in recording.segments:
        known = index.of(file.name.partition(".")[0])
        parts.append(counted_of(file) if known is None else known)
    if index.made:
        state: str = index.made[-1].by
    else:
        state = "open" if recording.segments[-1].suffix != ".gz" else "recorded"
    return Listed(
        name=name,
        path=path,
        state=state,
        venue=recording.venue,
        markets=len(recording.markets),
        first_ns=min((part.first_ns for part in parts if part.first_ns), default=0),
        last_ns=max(part.last_ns for part in parts),
        frames=sum(part.kinds.get("ws_in", 0) for part in parts),
        bytes=sum(file.stat().st_size for file in recording.segments if file.exists()),
    )


def _file(name: str, path: Path) -> Listed:
    source = open_frames(path)
    first_ns = last_ns = frames = 0
    for msg in source.messages():
        first_ns = first_ns or msg.ts_ns
        last_ns = max(last_ns, msg.ts_ns)
        frames += type(msg) is RawFrame or source.kind == "level2"
    return Listed(name, path, source.kind, source.venue, len(source.markets), first_ns, last_ns, frames, path.stat().st_size)
