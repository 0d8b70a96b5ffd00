"""What ``polybot up`` was asked for, as a configuration, a Procfile and a title; refused before anything is started."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pipeline.base.clock import monotonic_ns
from pipeline.base.config import Config
from pipeline.base.errors import BadInput, DatabaseBusy, PortInUse
from pipeline.base.private import check_state_folder
from pipeline.base.settings import VENUE_NAMES, Settings
from pipeline.base.units import NS_PER_S
from pipeline.bus.topology import GATEWAY, SUPERVISOR, WRITER
from processes.dependencies import FUSED, PLAYS
from processes.fake_settings import FAKE_DB, fake_addresses, is_default
from processes.options import check_role_free
from processes.procfile import PROCFILE, PROCFILE_DEMO, RoleCommand, find_procfile, read_procfile
from processes.runs import run_folder

ORIGIN = "polybot up"
_WRITER_PATIENCE_NS = NS_PER_S
_TURN_S = 0.05
RECORDING = "recording:"


@dataclass(frozen=True)
class Asked:
    """The options of the command; None and () mean not given."""

    venue: str = "fake"
    markets: tuple[str, ...] = ()
    speed: Decimal | None = None
    db_url: str | None = None
    state_dir: Path | None = None
    port: int | None = None
    procfile: Path | None = None
    fused: bool = False


@dataclass(frozen=True)
class UpPlan:
    """All that a session needs. ``note`` tells the user what was decided for him, or is empty."""

    config: Config
    commands: tuple[RoleCommand, ...]
    session_id: str
    title: str
    note: str = ""


def plan_up(asked: Asked, config: Config, session_id: str) -> UpPlan:
    """The plan of a session; creates nothing.

    Raises BadInput (PortInUse for a port that was asked for), RoleTaken if a session runs in the state directory, DatabaseBusy if another
    process writes to the database.
    """
    venue, path = _venue(asked.venue)
    note = ""
    values: dict[str, dict[str, Any]] = {"venue": {"name": venue}}
    if asked.state_dir is not None:
        values["bus"] = {"state_dir": str(asked.state_dir)}
    if asked.markets:
        values["universe"] = {"markets": asked.markets, "events": (), "tags": ()}
    if asked.port is not None and venue != "fake":
        raise BadInput(f"--port {asked.port}: is the fake venue's; it goes with --venue fake")
    if asked.speed is not None and venue != "recording":
        raise BadInput(f"--speed {asked.speed}: is the pace of a recording; it goes with --venue recording:PATH")
    db_url = asked.db_url
    state_dir = Path(config.settings.bus.state_dir) if asked.state_dir is None else asked.state_dir
    check_state_folder(state_dir)
    check_role_free(state_dir, SUPERVISOR)
    if venue == "fake":
        port, note = _fake_port(asked.port, config)
        host = config.settings.fake_venue.host
        values["fake_venue"] = {"port": port}
        values["polymarket"] = fake_addresses(host, port)
        if not asked.markets:
            values["universe"] = {"markets": (), "events": (), "tags": (), "min_volume_24h": Decimal(0)}
        db_url = db_url or FAKE_DB
        title = f"fake venue on port {port}"
    elif venue == "recording":
        values["venue"] |= {"recording": str(path), "speed": asked.speed or Decimal(1)}
        db_url = db_url or f"sqlite:///{run_folder(state_dir, session_id) / 'recording.db'}"
        title = f"recording {path.name} at speed {asked.speed or 1}"
    else:
        title = "polymarket, on paper"
    if db_url is not None:
        values["db"] = {"url": db_url}
    planned = config.with_values(values, ORIGIN)
    if planned.settings.execution.relayer == "clob":
        _check_account(planned.settings)
    _check_database(planned.settings.db.url, state_dir, venue)
    commands = read_procfile(asked.procfile or find_procfile(PROCFILE_DEMO if venue == "fake" else PROCFILE))
    if asked.fused:
        commands = fuse(commands)
        title += ", fused"
    return UpPlan(planned, commands, session_id, f"Polybot: {title}", note)


def fuse(commands: Sequence[RoleCommand]) -> tuple[RoleCommand, ...]:
    """The commands with one process in place of the four between a frame and its order, started as they are.

    Raises BadInput for a Procfile that lacks one of them.
    """
    module = "processes.fused"
    found = {command.role: command for command in commands}
    missing = [role for role in PLAYS[FUSED] if role not in found]
    if missing:
        raise BadInput(f"--fused: the Procfile has no {', '.join(missing)}; it fuses {', '.join(PLAYS[FUSED])}")
    gateway = found[GATEWAY].argv
    if f"processes.{GATEWAY}" not in gateway:
        raise BadInput(
            f"--fused: {GATEWAY} is not started with -m processes.{GATEWAY}; write a line `{FUSED}:` into the Procfile"
        )
    words = tuple(module if word == f"processes.{GATEWAY}" else word for word in gateway)
    kept = [command for command in commands if command.role not in PLAYS[FUSED]]
    place = next(index for index, command in enumerate(commands) if command.role in PLAYS[FUSED])
    return (*kept[:place], RoleCommand(FUSED, words), *kept[place:])


def _venue(text: str) -> tuple[str, Path]:
    """The venue's name, and the path of a recording."""
    if text.startswith(RECORDING):
        return "recording", _recording(Path(text.removeprefix(RECORDING)))
    if text in ("fake", "polymarket"):
        return text, Path()
    more = "; add its path: recording:PATH" if text in VENUE_NAMES else ""
    raise BadInput(f"--venue {text}: expected fake, polymarket or recording:PATH{more}")


def _recording(path: Path) -> Path:
    """Check that a recording is complete in itself."""
    from pipeline.recording.source import open_frames

    if str(path) in ("", "."):
        raise BadInput("--venue recording: has no path; give recording:PATH, a folder that `polybot record` or `up` wrote")
    source = open_frames(path)
    if not source.markets:
        raise BadInput(
            f"--venue recording:{path}: has no markets.json beside its frames, so nobody knows what they are about; "
            "use `polybot replay` for it"
        )
    return path.resolve()


def _fake_port(asked: int | None, config: Config) -> tuple[int, str]:
    """A port that is free now: the one asked for or configured, or any if nobody asked for the one that is taken."""
    section = config.settings.fake_venue
    port = section.port if asked is None else asked
    if _is_free(section.host, port):
        return port, ""
    if asked is not None or not is_default(config, "fake_venue", "port"):
        place = "--port" if asked is not None else f"{config.origin('fake_venue', 'port')}: [fake_venue] port ="
        raise PortInUse(f"{place} {port}: taken on {section.host}; stop what uses it, or choose another")
    with socket.socket() as probe:
        probe.bind((section.host, 0))
        free = int(probe.getsockname()[1])
    return free, f"port {port} is taken, so the fake venue uses {free}"


def _is_free(host: str, port: int) -> bool:
    with socket.socket() as probe:
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def _check_account(settings: Settings) -> None:
    """Refuse to sign orders for a venue beyond this machine, without what signing needs, or with keys that do not fit."""
    from pipeline.venue.relayers import clob_relayer

    clob_relayer(settings)


def _check_database(url: str, state_dir: Path, venue: str) -> None:
    """Refuse what six processes cannot share, a folder that is not there, strangers' files, and a database that somebody writes to.

    A writer that outlived its killed supervisor here is none: it is ended before another is started. Any other has a moment to end.
    """
    from pipeline.store.lock import lock_holder
    from pipeline.store.open import check_store
    from pipeline.store.url import existing_folder, path_of_url
    from polybot.doctor.session import pid_of

    path = path_of_url(url)
    if path is None:
        raise BadInput(f"--db-url {url}: a database in memory cannot be shared by processes; give sqlite:///FILE")
    if not path.resolve().is_relative_to(state_dir.resolve()):
        existing_folder(path, url)
    check_store(path, venue)
    last = monotonic_ns() + _WRITER_PATIENCE_NS
    while (holder := lock_holder(path)) is not None and holder != f"process {pid_of(state_dir, WRITER)}":
        if monotonic_ns() > last:
            raise DatabaseBusy(f"{path}: {holder} is writing to this database; stop it, or give another --db-url")
        time.sleep(_TURN_S)
