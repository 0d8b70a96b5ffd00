"""Which databases the sessions of a state directory wrote, by what they left there: for commands that are not told a database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from pipeline.base.errors import BadInput
from processes.health_file import read_health


class _Db(msgspec.Struct, frozen=True):
    url: str = ""


class _RunConfig(msgspec.Struct, frozen=True):
    """What is read of a session's effective configuration."""

    db: _Db = _Db()


def session_databases(state_dir: Path) -> Iterator[str]:
    """The database URLs of all sessions that are still known, the last one's first; some may come twice."""
    try:
        health = read_health(state_dir)
    except BadInput:
        health = None
    if health is not None and health.db_url:
        yield health.db_url
    for config in sorted((state_dir / "runs").glob("*/config.json"), reverse=True):
        try:
            url = msgspec.json.decode(config.read_bytes(), type=_RunConfig).db.url
        except (OSError, msgspec.DecodeError):
            continue
        if url:
            yield url


def last_database(state_dir: Path) -> str | None:
    """The database of the last session, if its file is there."""
    from pipeline.store.url import path_of_url

    for url in session_databases(state_dir):
        try:
            path = path_of_url(url)
        except BadInput:
            return None
        return url if path is not None and path.is_file() else None
    return None
