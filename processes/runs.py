"""What past sessions left below the state directory, and its end."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

_SESSION = re.compile(r"(\d{8}-\d{6})-[0-9a-f]+")


def run_folder(state_dir: Path, session_id: str) -> Path:
    """Where the effective configuration, the logs and the recording of one session are."""
    return state_dir / "runs" / session_id


def prune_runs(state_dir: Path, keep_days: int, now: datetime, running: str = "") -> list[str]:
    """Delete the folders of sessions that began more than ``keep_days`` days before ``now`` (UTC); 0 keeps all.

    Folders that are not named as a session are left alone, and so is that of the session that runs. Returns the names of the deleted.
    """
    if not keep_days:
        return []
    oldest = now - timedelta(days=keep_days)
    deleted = []
    for folder in sorted((state_dir / "runs").glob("*")):
        began = _began(folder.name)
        if began is not None and began < oldest and folder.name != running and folder.is_dir() and not folder.is_symlink():
            shutil.rmtree(folder, ignore_errors=True)
            deleted.append(folder.name)
    return deleted


def prune_archive(state_dir: Path, keep_days: int, now: datetime) -> list[str]:
    """Delete archived journal segments that belong to no run, ``keep_days`` days after they were archived; 0 keeps all.

    Those of a run lie in its folder and go with it. Returns the names of the deleted.
    """
    if not keep_days:
        return []
    oldest = (now - timedelta(days=keep_days)).timestamp()
    deleted = []
    for file in sorted((state_dir / "journal" / "archive").glob("*.gz")):
        if file.is_file() and file.stat().st_mtime < oldest:
            file.unlink()
            deleted.append(file.name)
    return deleted


def _began(name: str) -> datetime | None:
    match = _SESSION.fullmatch(name)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
