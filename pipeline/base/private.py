"""What a pipeline writes is its owner's alone: files 0600 and folders 0700, where the platform has such modes."""

from __future__ import annotations

import os
from pathlib import Path

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
