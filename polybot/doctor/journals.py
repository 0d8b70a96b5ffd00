"""The journals: whole or damaged, and how many of their records the database does not have yet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.base.errors import BadInput, PolybotError
from pipeline.bus.compose import journal_path
from pipeline.bus.journal_segments import Segment, base_name, read_segment, segment_files
from pipeline.bus.topology import EXECUTOR
from pipeline.store.journal import last_seq
from pipeline.store.last_hour import UNREADABLE
from pipeline.store.open import open_store
from pipeline.store.url import path_of_url
from polybot.doctor.finding import Finding, Patient
from processes.options import database_name


def journal_findings(patient: Patient) -> Iterator[Finding]:
    """The executor's journal of this database; others are only counted."""
    base = journal_path(patient.state_dir, EXECUTOR, database_name(patient.db_url))
    others = {base_name(path) for path in base.parent.glob("*.journal*")} - {base.name}
    if others:
        yield Finding("journal", "ok", f"{len(others)} journals of other databases lie in {base.parent}")
    files = segment_files(base)
    if not files:
        yield Finding("journal", "ok", f"{base.name}: is not there yet")
        return
    segments = []
    for file in files:
        try:
            segments.append(read_segment(file))
        except FileNotFoundError:
            continue  # archived in this moment
        except (OSError, PolybotError) as error:
            yield Finding("journal", "problem", str(error), "`polybot journal show` tells what is in it; keep the file")
    for segment in segments:
        if segment.damage:
            yield Finding(
                "journal", "problem", segment.told_damage(), "keep the file; `polybot journal show` tells what is in it"
            )
        elif segment.torn_bytes and not patient.runs:
            text = f"{segment.path.name}: {segment.torn_bytes} bytes of a record that was never whole are at its end"
            yield Finding("journal", "ok", text, "nothing: the next start cuts them off")
    if segments:
        yield _backlog(patient, base, segments)


def _backlog(patient: Patient, base: Path, segments: list[Segment]) -> Finding:
    """Records that the database lacks."""
    newest = segments[-1]
    stored = _stored(patient, f"{EXECUTOR}@{newest.journal_id}")
    if stored is None:
        return Finding("journal", "unknown", f"{base.name}: {newest.last_seq:,} records; the database cannot be read")
    missing = max(0, newest.last_seq - stored)
    text = f"{base.name}: {newest.last_seq:,} records, of which {missing:,} are not in the database"
    limit = patient.settings.bus.max_backlog_records
    if missing > limit:
        return Finding("journal", "problem", f"{text}; no order is placed above {limit:,}", "see why the writer does not commit")
    if missing and not patient.runs:
        return Finding("journal", "warning", text, "nothing: the next session with this database and state directory sends them")
    if missing * 10 > limit:
        return Finding("journal", "warning", text, "see why the writer is behind")
    return Finding("journal", "ok", text)


def _stored(patient: Patient, producer: str) -> int | None:
    """The last number of a producer in the database; None if it cannot be read."""
    path = path_of_url(patient.db_url)
    if path is None or not path.is_file():
        return 0
    try:
        with open_store(patient.db_url, read_only=True) as store, store.connect() as conn:
            return last_seq(conn, producer)
    except BadInput:
        return None
    except UNREADABLE:
        return None
