"""How a session stands, on disk in the state directory: for those who look while it runs, and after it was killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from pipeline.base.errors import BadInput

NAME = "health.json"
SessionState = Literal["running", "stopping", "stopped"]


class RoleHealth(msgspec.Struct, frozen=True):
    """One role. ``beat_ns``: its last heartbeat (UTC); None: none yet, or it sends none. ``counts`` are of the running process.

    ``part_of`` names the process that plays this role among others, which has a row of its own.
    """

    role: str
    state: str
    pid: int | None = None
    restarts: int = 0
    hangs: int = 0
    beat_ns: int | None = None
    waits_for: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    last_death: str = ""
    part_of: str = ""


class Health(msgspec.Struct, frozen=True):
    """One session, as its supervisor saw it at ``ts_ns`` (UTC). ``db_url`` is the database that it writes."""

    session_id: str
    pid: int
    ts_ns: int
    state: SessionState
    roles: tuple[RoleHealth, ...] = ()
    db_url: str = ""


def write_health(state_dir: Path, health: Health) -> None:
    """Replace the file, whole or not at all. A disk that is full or gone must not end the supervisor: the file stays as it was."""
    part = state_dir / f"{NAME}.part"
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(msgspec.json.encode(health) + b"\n")
        part.replace(state_dir / NAME)
    except OSError:
        return


def read_health(state_dir: Path) -> Health | None:
    """What the last supervisor wrote; None if none ever ran here. Raises BadInput for a file that is no such word."""
    file = state_dir / NAME
    try:
        return msgspec.json.decode(file.read_bytes(), type=Health)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}; delete it, the next session writes it anew") from None
