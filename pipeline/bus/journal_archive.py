"""Segments that the database has whole leave the journal's folder: compressed, to the run that wrote them, and pruned with it.

A death between two steps loses nothing: the archived file appears whole under its name before the segment goes, and a segment that has
both is archived again.
"""

from __future__ import annotations

import gzip
import os
import queue
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from pipeline.base import events
from pipeline.base.log import get_logger
from pipeline.bus.journal import sync_folder
from pipeline.bus.journal_segments import Entry, Segment, base_name, open_private, read_segment

Step = Callable[[str], None]
"""Called with the name of each step before it is done: tests die there."""

_QUICK = 3
_PATIENCE_S = 2.0


def no_step(name: str) -> None:
    """Steps that nobody watches."""


def archive_folder(runs: Path | None, segment: Segment) -> Path:
    """Where a segment is archived: in the folder of its run; beside the journal where runs have none."""
    if runs is None or not segment.session_id:
        return segment.path.parent / "archive"
    return runs / segment.session_id / "journal"


def archived_files(state_dir: Path, runs: Path | None = None) -> list[Path]:
    """All archived segments of a state directory, of whatever journal; ``runs`` if its runs are not where they usually are."""
    beside = (state_dir / "journal" / "archive").glob("*.gz")
    return [*(runs or state_dir / "runs").glob("*/journal/*.gz"), *beside]


def archived_entries(base: Path, runs: Path | None, journal_id: str, after: int, to: int) -> list[Entry]:
    """The records of a journal with numbers behind ``after`` up to ``to`` that archived segments hold, by number."""
    found: dict[int, Entry] = {}
    for path in archived_files(base.parent.parent, runs):
        if base_name(path) == base.name:
            segment = read_segment(path)
            if segment.journal_id == journal_id:
                found |= {entry.seq: entry for entry in segment.entries if after < entry.seq <= to}
    return [found[seq] for seq in sorted(found)]


def archive_segment(path: Path, folder: Path, step: Step = no_step) -> Path:
    """Move a segment to its archive, compressed. Returns the archived file."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    target = folder / f"{path.name}.gz"
    new = folder / f"{target.name}.new"
    step("compress")
    with os.fdopen(open_private(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "wb") as raw, path.open("rb") as source:
        with gzip.GzipFile(path.name, "wb", _QUICK, raw) as packed:
            shutil.copyfileobj(source, packed, 1 << 18)
        raw.flush()
        os.fsync(raw.fileno())
    step("name the archive")
    new.replace(target)
    step("sync the archive")
    sync_folder(folder)
    step("remove the segment")
    path.unlink()
    step("sync the journal")
    sync_folder(path.parent)
    return target


class Archiver:
    """Archives segments one after another in a thread of its own, so that the loop does not wait. It shares nothing but the queue."""

    def __init__(self, runs: Path | None) -> None:
        self._runs = runs
        self._jobs: queue.Queue[tuple[Path, Path] | None] = queue.Queue()
        self._thread: threading.Thread | None = None

    def put(self, segment: Segment) -> None:
        """Archive a segment; one without records is only removed: the checkpoint behind it says the same."""
        if not segment.entries:
            segment.path.unlink(missing_ok=True)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="archiver", daemon=True)
            self._thread.start()
        self._jobs.put((segment.path, archive_folder(self._runs, segment)))

    def close(self) -> None:
        """Wait a moment for what is under way; what is not done is done in the next life."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(_PATIENCE_S)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            path, folder = job
            try:
                archived = archive_segment(path, folder)
            except OSError as error:
                get_logger().warning(events.JOURNAL_ARCHIVE_FAILED, segment=str(path), folder=str(folder), error=str(error))
            else:
                get_logger().info(events.JOURNAL_ARCHIVED, segment=path.name, archive=str(archived))
