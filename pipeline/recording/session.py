"""The recording of a running session: where it lies, and what writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.base.clock import Clock
from pipeline.base.settings import Settings
from pipeline.messages import Message


def open_recorder(
    settings: Settings, session_id: str, clock: Clock
) -> tuple[Callable[[Message], None] | None, Callable[[], None], Callable[[], None]]:
    """What records a session, what has it reach the kernel, and what ends it; nothing where ``[ingestion] record`` is false."""
    if not settings.ingestion.record:
        return None, lambda: None, lambda: None
    from pipeline.recording.writer import RecordingWriter

    folder = Path(settings.bus.state_dir) / "runs" / session_id / "recording"
    rotate_bytes = settings.ingestion.record_rotate_mb * 1024 * 1024
    writer = RecordingWriter(folder, rotate_bytes, venue=settings.venue.name, started_ns=clock.now_ns())
    return writer.gather, writer.flush, writer.close
