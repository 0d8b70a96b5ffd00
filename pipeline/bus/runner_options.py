"""What a runner needs besides its stage, and the journal that it opens for it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pipeline.bus.journal_files import SEGMENT_BYTES, JournalFiles
from pipeline.bus.outbox import DURABLE
from pipeline.bus.stage import Identity
from pipeline.bus.topology import sends


class RunnerOptions(msgspec.Struct, frozen=True):
    """What a runner needs besides its stage; times in milliseconds."""

    journal_path: Path | None = None
    input_log_path: Path | None = None
    runs_path: Path | None = None
    segment_bytes: int = SEGMENT_BYTES
    heartbeat_ms: int = 1_000
    resend_ms: int = 500
    source: str = ""
    max_backlog_records: int = 100_000
    min_free_bytes: int = 64_000_000
    sync_beside: bool = False
    """The journal is synced beside the loop, which goes on; what waits for that leaves when it is done."""


def open_journal(role: str, identity: Identity, options: RunnerOptions) -> JournalFiles | None:
    """The journal of a role that sends durable records; None for the others."""
    if all(stream.name != DURABLE for stream in sends(role)):
        return None
    if options.journal_path is None:
        raise ValueError(f"{role} sends durable records and needs a journal")
    return JournalFiles(
        options.journal_path, session_id=identity.session_id, runs=options.runs_path, segment_bytes=options.segment_bytes
    )
