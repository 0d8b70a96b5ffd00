"""The database: whose it is, its schema, whether it is whole, who writes to it, and what the last hour brought."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.base.errors import BadInput, WrongDatabase
from pipeline.base.units import NS_PER_MS
from pipeline.store.last_hour import UNREADABLE, last_hour, quick_check
from pipeline.store.leftovers import wal_of
from pipeline.store.lock import WriterLock
from pipeline.store.migrate import HEAD
from pipeline.store.open import Store, open_store
from pipeline.store.status import latest_book_states
from pipeline.store.url import path_of_url
from polybot.doctor.finding import Finding, Patient, show_bytes, show_seconds
from processes.orphans import is_held, is_running

HOUR_NS = 3_600_000_000_000
_GOOD = ("VERIFIED", "QUIET")


def database_findings(patient: Patient) -> Iterator[Finding]:
    """All of it; one finding if there is no database yet."""
    path = path_of_url(patient.db_url)
    if path is None:
        yield Finding("database", "unknown", f"{patient.db_url}: lives in the memory of one process")
        return
    if not path.is_file():
        if path.parent.is_dir():
            yield Finding("database", "ok", f"{path}: is not there yet; the first writer makes it")
        else:
            yield Finding("database", "problem", f"{path}: its folder is not there", f"create {path.parent}")
        return
    yield from _writer_findings(path)
    try:
        with open_store(patient.db_url, read_only=True) as store:
            yield Finding("schema", "ok", f"{path}: revision {HEAD}, data of venue {store.venue or 'none yet'}")
            yield _integrity(store, path)
            yield _coverage(store, patient)
    except WrongDatabase as error:
        older = "migrates an older one" in str(error)
        todo = "start `polybot up`, which migrates it" if older else "give another --db-url, or restore a backup"
        yield Finding("schema", "warning" if older else "problem", str(error), todo)
    except BadInput as error:
        yield Finding("database", "problem", str(error), "see that the file and its folder can be read")
    except UNREADABLE as error:
        yield Finding("integrity", "problem", f"{path}: cannot be read: {getattr(error, 'orig', error)}", "restore a backup")


def _integrity(store: Store, path: Path) -> Finding:
    """SQLite's quick check: every page, without comparing indexes to tables."""
    told = quick_check(store)
    size = show_bytes(path.stat().st_size)
    if not told:
        return Finding("integrity", "ok", f"{path}: {size}, quick check ok")
    return Finding("integrity", "problem", f"{path}: {'; '.join(told)[:300]}", "stop the pipeline and restore a backup")


def _writer_findings(path: Path) -> Iterator[Finding]:
    """Who holds the writer's lock, and what a killed one left."""
    lock = WriterLock(path)
    pid = _pid_in(lock.pid_path)
    if pid is not None and is_running(pid) and is_held(lock.path):
        yield Finding("writer lock", "ok", f"{path}: process {pid} writes to it")
        return
    if pid is not None:
        text = f"{path}: {lock.pid_path.name} names process {pid}, which is gone: its writer was killed"
        yield Finding("writer lock", "warning", text, "nothing: the next writer takes it over")
    else:
        yield Finding("writer lock", "ok", f"{path}: nobody writes to it")
    log = wal_of(path)
    if log.is_file() and log.stat().st_size:
        text = f"{log}: {show_bytes(log.stat().st_size)} are not yet in the main file, as its writer was killed"
        yield Finding("writer lock", "warning", text, "nothing: the next writer takes them in; never delete it")


def _coverage(store: Store, patient: Patient) -> Finding:
    """The feed in the last hour: proved books, hash checks, gaps."""
    since_ns = patient.now_ns - HOUR_NS
    hour = last_hour(store, since_ns)
    if hour.last_ms < since_ns // NS_PER_MS:
        return _no_feed(patient, hour.last_ms)
    with store.connect() as conn:
        states = [state for state in latest_book_states(conn) if state.is_watched or not patient.runs]
    good = sum(state.state in _GOOD for state in states)
    done, matched, missed, gaps, lost_ns = hour.checks, hour.matched, hour.missed, hour.gaps, hour.lost_ns
    text = f"last hour: {good} of {len(states)} books proved, {matched:,} of {done:,} hash checks matched, {gaps:,} gaps"
    text += f" of {show_seconds(lost_ns)} in all" if gaps else ""
    bad = (missed and missed * 100 > done) or (patient.runs and states and good * 2 < len(states))
    if bad:
        return Finding("feed", "problem", text, "`polybot coverage --db-url …` shows where and why")
    if gaps or missed or (patient.runs and good < len(states)):
        return Finding("feed", "warning", text, "`polybot coverage --db-url …` shows where and why")
    return Finding("feed", "ok", text)


def _no_feed(patient: Patient, last_ms: int) -> Finding:
    """Nothing came within the hour: as it should be where nothing runs, and where a recording of other times is played."""
    age = show_seconds(patient.now_ns - last_ms * NS_PER_MS)
    told = f"the last word of the feed is {age} old" if last_ms else "no feed yet"
    if not patient.runs or patient.settings.venue.name == "recording":
        return Finding("feed", "ok", told if patient.runs else f"{told}, and no session runs")
    todo = "see the gateway's log in the session's folder"
    return (
        Finding("feed", "problem", f"{told}, though a session runs", todo) if last_ms else Finding("feed", "warning", told, todo)
    )


def _pid_in(file: Path) -> int | None:
    try:
        return int(file.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
