"""A journal as its producer keeps it: a row of segments, of which the last is appended to.

A segment opens with a checkpoint, so that a start reads the newest one and what follows, however long the journal is. Opening one is
atomic: it is written and synced under another name, then named, then the folder is synced; a death in between leaves the segments
before it, which hold everything. Archived are the segments that the database has whole, but for the newest closed one: it stays, to
fall back on should the newest checkpoint be damaged.
"""

from __future__ import annotations

import glob
import io
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from pipeline.base import events
from pipeline.base.errors import DamagedJournal, JournalUnwritable
from pipeline.base.log import get_logger
from pipeline.bus import codec
from pipeline.bus.journal import data_sync, framed, sync_folder
from pipeline.bus.journal_archive import Archiver, Step, archived_entries, no_step
from pipeline.bus.journal_segments import (
    DURABLE,
    Entry,
    Head,
    Segment,
    new_segment,
    open_private,
    read_segment,
    segment_files,
    segment_number,
    segment_path,
)
from pipeline.messages import Message

SEGMENT_BYTES = 16 << 20


class JournalFiles:
    """The journal of one role and database. Only one process may have it open.

    ``id`` is drawn with the first segment and stays; ``seq`` is the last number in use. Raises DamagedJournal if records that are
    needed cannot be read.
    """

    def __init__(
        self,
        path: Path,
        *,
        session_id: str = "",
        runs: Path | None = None,
        segment_bytes: int = SEGMENT_BYTES,
        sync: bool = True,
        step: Step = no_step,
    ) -> None:
        self.path = path
        self._session_id, self._segment_bytes, self._sync, self._step = session_id, segment_bytes, sync, step
        self._archiver, self._runs = Archiver(runs), runs
        self._unsettled = False
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            sync_folder(path.parent.parent)
        for left in path.parent.glob(f"{glob.escape(path.name)}.??????.new"):
            left.unlink()
        self._segments = [read_segment(file) for file in segment_files(path)]
        ids = {segment.journal_id for segment in self._segments if segment.journal_id}
        if len(ids) > 1:
            raise DamagedJournal(
                f"{path}: its segments belong to {len(ids)} journals; leave those of one there and move the others away"
            )
        self.id = ids.pop() if ids else os.urandom(8).hex()
        self.holes = list(_holes(self._segments))
        """Numbers that no segment here has any more: first, last, and where they should be."""
        for segment in self._segments:
            if segment.damage:
                get_logger().error(events.JOURNAL_DAMAGED, told=segment.told_damage())
        if self._segments and self._segments[-1].torn_bytes:
            last = self._segments[-1]
            get_logger().warning(events.JOURNAL_TORN, segment=str(last.path), offset=last.end, bytes=last.torn_bytes)
        self.seq = max((segment.last_seq for segment in self._segments), default=0)
        self.base_seq = next((segment.base_seq for segment in self._segments if segment.end), 0)
        """The last number before the oldest segment that is here."""
        self._file: io.FileIO | None = None
        self._written = 0

    # --- what earlier lives left -----------------------------------------------------------------------------------

    def recovered(self) -> list[Message]:
        """What a stage recovers from: the newest valid checkpoint, if there is one, and the records behind it, oldest first."""
        start = max((i for i, segment in enumerate(self._segments) if segment.checkpoint is not None), default=0)
        needed = self._segments[start:]
        if not needed:
            return []
        first = needed[0]
        messages: list[Message] = [] if first.checkpoint is None else [first.checkpoint]
        if first.checkpoint is None and first.base_seq:
            raise DamagedJournal(
                f"{first.path}: neither it nor a later one has a valid checkpoint, and records up to {first.base_seq} are not here; "
                f"bring the archived segments of {self.path.name} back beside it (`polybot journal list` names them)"
            )
        for begin, end, where in self.holes:
            if end > first.base_seq:
                raise DamagedJournal(
                    f"{where}; records {begin} to {end} are needed to know what is held; bring the file back from a backup, "
                    f"or, if nothing is at stake, move the journal {self.path} with all its segments away"
                )
        for segment in needed:
            messages += [_decoded(segment, entry) for entry in segment.entries]
        return messages

    def entries(self) -> list[Entry]:
        """Every record that is still here, by its number."""
        found = {entry.seq: entry for segment in self._segments for entry in segment.entries}
        return [found[seq] for seq in sorted(found)]

    def archived(self, after: int) -> list[Entry]:
        """The records behind ``after`` that are here no more, from the archived segments that still exist."""
        return archived_entries(self.path, self._runs, self.id, after, self.base_seq)

    def forget(self) -> None:
        """Let go of what was read: it is with the stage and the outbox now."""
        for segment in self._segments:
            segment.checkpoint = None
            segment.entries = [Entry(entry.seq, entry.run_id, 0, b"") for entry in segment.entries[-1:]]

    # --- writing ---------------------------------------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """It is time for a new segment."""
        return self._written >= self._segment_bytes

    def append(self, seq: int, frame: bytes) -> None:
        """Add one record; when this returns it survives kill -9, and the loss of power once ``settle`` has returned.

        Raises JournalUnwritable if the disk does not take it whole; nothing of it is left then.
        """
        file = self._file or self._reopened()
        data = framed(frame)
        _write_whole(file, data, self.path)
        self.seq = seq
        self._unsettled = True
        self._written += len(data)

    def settle(self) -> None:
        """Have everything that was appended survive the loss of power too; nothing is done without ``sync``.

        Another thread may append meanwhile, and nothing else.
        """
        if not self._unsettled:
            return
        self._unsettled = False  # before the sync: what another thread appends meanwhile is for the next one
        if self._sync and self._file is not None:
            try:
                data_sync(self._file.fileno())
            except OSError as error:
                raise _unwritable(self.path, error) from error

    def open_segment(
        self,
        checkpoint: Message | None,
        producer: str,
        run_id: str,
        now_ns: int,
        *,
        base_seq: int | None = None,
        frames: Sequence[tuple[int, bytes]] = (),
    ) -> None:
        """Begin a new segment with what all records so far amount to. ``frames`` are records that it holds from its beginning on;
        numbers up to ``base_seq`` that this journal has not used are skipped.
        """
        self.settle()
        number = max((segment_number(file) for file in segment_files(self.path)), default=0) + 1
        base_seq = self.seq if base_seq is None else base_seq
        head = Head(self.id, number, base_seq, self._session_id, run_id, now_ns, base_seq > self.seq)
        target = segment_path(self.path, number)
        if target.exists():
            raise DamagedJournal(f"{target} exists already; move it away if it does not belong to {self.path.name}")
        new = target.with_name(f"{target.name}.new")
        self._step("write the segment")
        data = new_segment(head, producer, checkpoint, [frame for _, frame in frames])
        try:
            with os.fdopen(open_private(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC), "wb") as file:
                file.write(data)
                file.flush()
                self._step("sync the segment")
                if self._sync:
                    os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._step("name the segment")
        new.replace(target)
        self._step("sync the folder")
        if self._sync:
            sync_folder(target.parent)
        self._step("append to the segment")
        self._close_last()
        opened = Segment(target, number, len(data), self.id, head, None, base_seq, end=len(data))
        opened.entries = [Entry(seq, run_id, 0, b"") for seq, _ in frames]
        self._segments.append(opened)
        self.seq = opened.last_seq
        self._open(target, len(data))

    def archive_committed(self, seq: int) -> None:
        """Archive what the database has whole, up to ``seq``. The open segment and the newest closed one stay."""
        while len(self._segments) > 2 and self._segments[0].last_seq <= seq:
            self._archiver.put(self._segments.pop(0))

    def close(self) -> None:
        self.settle()
        self._archiver.close()
        if self._file is not None:
            self._file.close()
            self._file = None

    # --- inside ----------------------------------------------------------------------------------------------------

    def _close_last(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            last = self._segments[-1]
            if last.last_seq < self.seq:
                last.entries.append(Entry(self.seq, "", 0, b""))

    def _reopened(self) -> io.FileIO:
        """The last segment, cut off behind its last whole record; a journal that has none begins here."""
        if not self._segments or not self._segments[-1].end:
            self.open_segment(None, f"@{self.id}", "", 0)
        else:
            self._open(self._segments[-1].path, self._segments[-1].end)
        if self._file is None:
            raise ValueError(f"{self.path} is closed")
        return self._file

    def _open(self, path: Path, end: int) -> None:
        self._file = io.FileIO(open_private(path, os.O_RDWR), "r+")
        self._file.truncate(end)
        self._file.seek(end)
        self._written = 0


def _write_whole(file: io.FileIO, data: bytes, path: Path) -> None:
    """All bytes or none: a disk that fills up takes a part, and only the next write fails."""
    begin = file.tell()
    left = memoryview(data)
    try:
        while left:
            left = left[file.write(left) :]
    except OSError as error:
        file.truncate(begin)
        file.seek(begin)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> JournalUnwritable:
    return JournalUnwritable(f"{path}: the journal cannot be written: {error.strerror}; make room on its disk")


def _holes(segments: Sequence[Segment]) -> list[tuple[int, int, str]]:
    """Numbers that should be between the first and the last record of these segments and are not."""
    holes = []
    have: int | None = None
    before: Segment | None = None
    for segment in segments:
        if have is None:
            have = segment.base_seq
        elif segment.base_seq > have and before is not None and not (segment.head is not None and segment.head.skips):
            told = before.told_damage() or f"{before.path} ends at offset {before.end} with record {have}"
            holes.append((have + 1, segment.base_seq, told))
        have = max(have, segment.base_seq)
        for entry in segment.entries:
            if entry.seq > have + 1:
                holes.append((have + 1, entry.seq - 1, segment.told_damage() or f"{segment.path} lacks records"))
            have = max(have, entry.seq)
        before = segment
    return holes


def _decoded(segment: Segment, entry: Entry) -> Message:
    try:
        return codec.decode(DURABLE, entry.frame).message
    except msgspec.DecodeError as error:
        raise DamagedJournal(
            f"{segment.path}: record {entry.seq} at offset {entry.offset} cannot be understood: {error}; use the version that wrote it"
        ) from None
