"""Where each stream's socket lives: ipc between processes where the platform has it, else tcp on loopback; inproc in one process."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import zmq

from pipeline.base.errors import BadInput
from pipeline.bus.topology import STREAM

TransportName = Literal["ipc", "tcp", "inproc"]
_LONGEST_IPC_PATH = 107


@dataclass(frozen=True)
class Transport:
    """How the sockets of one pipeline find each other."""

    name: TransportName
    socket_dir: Path | None = None
    base_port: int = 0

    def address(self, stream: str) -> str:
        """The endpoint of a stream."""
        match self.name:
            case "ipc":
                assert self.socket_dir is not None
                return f"ipc://{self.socket_dir / stream}"
            case "tcp":
                return f"tcp://127.0.0.1:{self.base_port + STREAM[stream].port}"
            case "inproc":
                return f"inproc://{stream}"


def choose_transport(wanted: Literal["auto", "ipc", "tcp"], state_dir: Path, base_port: int) -> Transport:
    """The transport of a pipeline with this state directory; makes the socket folder (0700) where one is needed.

    The folder is short and named after the state directory, as an ipc path holds at most 107 bytes.
    """
    if wanted == "tcp" or (wanted == "auto" and not zmq.has("ipc")):
        return Transport("tcp", base_port=base_port)
    folder = socket_folder(state_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    if hasattr(os, "getuid"):
        status = folder.lstat()
        if status.st_uid != os.getuid():
            raise BadInput(f"{folder} belongs to user {status.st_uid}: remove it, or choose another [bus] state_dir")
        folder.chmod(0o700)
    longest = max(len(str(folder / name).encode()) for name in STREAM)
    if longest > _LONGEST_IPC_PATH:
        raise BadInput(
            f"{folder} is too long for ipc sockets ({longest} of {_LONGEST_IPC_PATH} bytes): set TMPDIR to a short path"
        )
    return Transport("ipc", socket_dir=folder)


def socket_folder(state_dir: Path) -> Path:
    """The folder of the ipc sockets that belong to a state directory."""
    digest = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"polybot-{digest}"
