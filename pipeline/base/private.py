"""What a pipeline writes is its owner's alone: files 0600 and folders 0700, where the platform has such modes."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.base.errors import BadInput

_OTHERS = 0o077


def keep_private() -> None:
    """From here on nobody else may read or write the files, folders and sockets that this process makes. For programs, not libraries."""
    os.umask(_OTHERS)


def private_folder(folder: Path) -> Path:
    """Make a folder that its owner alone may enter, and shut one of ours that is open to others."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if hasattr(os, "getuid"):
        status = folder.stat()
        if status.st_uid == os.getuid() and status.st_mode & _OTHERS:
            folder.chmod(0o700)
    return folder


def state_folder(folder: Path) -> Path:
    """``private_folder`` for a state directory that a user named. Raises BadInput where it cannot be one."""
    try:
        return private_folder(folder)
    except OSError as error:
        raise _unusable(folder, error.strerror or str(error)) from None


def check_state_folder(folder: Path) -> None:
    """Raises BadInput where ``state_folder`` would, as far as that can be seen; nothing is made."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.exists())
    if not there.is_dir():
        raise _unusable(folder, f"{there} is a file")
    if not os.access(there, os.W_OK | os.X_OK):
        raise _unusable(folder, f"{there} may not be written")


def _unusable(folder: Path, why: str) -> BadInput:
    return BadInput(f"{folder}: cannot be used as a state directory: {why}; give another --state-dir")
