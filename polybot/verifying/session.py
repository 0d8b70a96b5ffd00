"""A session of `up` as it lies on disk: its configuration, its input logs, and what its journals hold."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.config import Config, load_config
from pipeline.base.errors import BadInput
from pipeline.bus.codec import decode
from pipeline.bus.input_reading import LifeLog, lives
from pipeline.bus.journal_reading import files_of, journals
from pipeline.bus.journal_segments import DURABLE, read_segment
from pipeline.messages.records import OrderIntent
from polybot.verifying.stages import VERIFIED

LAST = "last"
_SHOWN = 5
_encode = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True)
class Session:
    """One session. ``lives`` are in the order of the data's flow, those of a role in the order of their starts."""

    state_dir: Path
    folder: Path
    config: Config
    lives: tuple[LifeLog, ...]
    tried_from: Config | None = None
    """The settings that were in force, where ``config`` has others."""

    @property
    def tried(self) -> bool:
        """Its settings are not quite those that were in force."""
        return self.tried_from is not None

    @property
    def id(self) -> str:
        return self.folder.name


def open_session(state_dir: Path, run: str, params: Sequence[str] = ()) -> Session:
    """The session that ``run`` names (``last``: the newest), its settings changed by ``params``.

    Raises BadInput if there is none, or none that logged its inputs.
    """
    folders = sorted(path for path in (state_dir / "runs").glob("*") if (path / "config.json").is_file())
    if not folders:
        raise BadInput(f"{state_dir}: holds no session; `polybot up` makes one, and --state-dir names another place")
    if run == LAST:
        folder = folders[-1]
    else:
        found = [path for path in folders if path.name == run] or [path for path in folders if path.name.startswith(run)]
        if len(found) != 1:
            newest = ", ".join(path.name for path in folders[-_SHOWN:])
            what = "names no session" if not found else f"names {len(found)} sessions"
            raise BadInput(f"{run}: {what} of {state_dir}; the newest are {newest}")
        folder = found[0]
    known = tuple(life for life in lives(folder / "inputs") if _role(life.run_id) in VERIFIED)
    if not known:
        raise BadInput(
            f"{folder}: has no input logs, so nothing can be replayed; set log_inputs = true in [bus] of config/local.toml for the next run"
        )
    then = load_config(folder / "config.json")
    config = then.with_values(parsed(params), "--param")
    in_order = tuple(sorted(known, key=lambda life: VERIFIED.index(_role(life.run_id))))
    return Session(state_dir, folder, config, in_order, then if params else None)


def parsed(params: Sequence[str]) -> dict[str, dict[str, Any]]:
    """``section.key=value`` as tables of settings, the value written as in TOML; a bare word is a text. Raises BadInput."""
    tables: dict[str, dict[str, Any]] = {}
    for param in params:
        name, equals, text = param.partition("=")
        section, dot, key = name.strip().partition(".")
        if not (equals and dot and section and key):
            raise BadInput(f"--param {param}: expected section.key=value, e.g. spread_capture.size=10")
        try:
            value = tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
        except tomllib.TOMLDecodeError:
            value = text.strip()
        tables.setdefault(section, {})[key] = value
    return tables


@dataclass(frozen=True)
class Recorded:
    """What the journals hold of a session: the records and the checkpoints of each run, in order, and the signed orders by their id."""

    records: dict[str, list[bytes]]
    intents: dict[str, OrderIntent]
    checkpoints: dict[str, list[bytes]]


def recorded(session: Session) -> Recorded:
    """Read it, archived segments included. A run of which nothing is left has no entry."""
    records: dict[str, dict[int, bytes]] = {}
    intents: dict[str, OrderIntent] = {}
    checkpoints: dict[str, list[bytes]] = {}
    for base in journals(session.state_dir):
        for path in files_of(session.state_dir, base):
            segment = read_segment(path)
            if segment.checkpoint is not None and segment.head is not None:
                checkpoints.setdefault(segment.head.run_id, []).append(_encode(segment.checkpoint))
            for entry in segment.entries:
                message = decode(DURABLE, entry.frame).message
                if isinstance(message, OrderIntent):
                    intents[message.client_order_id] = message
                if entry.run_id.partition(".")[0] == session.id:
                    records.setdefault(entry.run_id, {})[entry.seq] = _encode(message)
    return Recorded({run_id: [found[seq] for seq in sorted(found)] for run_id, found in records.items()}, intents, checkpoints)


def _role(run_id: str) -> str:
    """The role in ``<session>.<role>.<start>``."""
    return run_id.split(".")[1] if "." in run_id else ""
