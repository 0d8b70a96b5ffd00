"""The operator's last word on trading, on disk in the state directory: for an executor that is not there to hear it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from pipeline.base.errors import BadInput

NAME = "halt.json"


class HaltWord(msgspec.Struct, frozen=True):
    """Trading is to stand still or to go on, why, and when that was said (UTC nanoseconds). The latest word counts.

    ``cancel``: what is open is to be cancelled too.
    """

    halted: bool
    reason: str
    ts_ns: int
    cancel: bool = False


def write_halt(state_dir: Path, word: HaltWord) -> Path:
    """Leave a word; whole or not at all, also at the loss of power. Makes the state directory."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    file, part = state_dir / NAME, state_dir / f"{NAME}.{os.getpid()}.part"
    with part.open("wb") as out:
        out.write(msgspec.json.encode(word) + b"\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(file)
    return file


def read_halt(state_dir: Path) -> HaltWord | None:
    """The last word that was left; None if there is none. Raises BadInput for a file that is no such word."""
    file = state_dir / NAME
    try:
        return msgspec.json.decode(file.read_bytes(), type=HaltWord)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}; say `polybot halt` or `polybot resume` to write it anew") from None
