"""Where each stream's socket lives: ipc between processes where the platform has it, else tcp on loopback; inproc in one process."""

from __future__ import annotations

import hashlib
import ipaddress
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import zmq

from pipeline.base.errors import BadInput
from pipeline.base.settings import BusSection
from pipeline.bus.curve import CurveKeys, read_keys
from pipeline.bus.topology import STREAM

TransportName = Literal["ipc", "tcp", "inproc"]
_LONGEST_IPC_PATH = 107


@dataclass(frozen=True)
class Transport:
    """How the sockets of one pipeline find each other. ``keys`` guard its tcp sockets; without them tcp stays on loopback."""

    name: TransportName
    socket_dir: Path | None = None
    base_port: int = 0
    host: str = "127.0.0.1"
    keys: CurveKeys | None = None

    def address(self, stream: str) -> str:
        """The endpoint of a stream."""
        match self.name:
            case "ipc":
                assert self.socket_dir is not None
                return f"ipc://{self.socket_dir / stream}"
            case "tcp":
                return f"tcp://{self.host}:{self.base_port + STREAM[stream].port}"
            case "inproc":
                return f"inproc://{stream}"


def choose_transport(bus: BusSection) -> Transport:
    """The transport of the pipeline that ``[bus]`` describes; makes the socket folder (0700) where one is needed.

    The folder is short and named after the state directory, as an ipc path holds at most 107 bytes. Raises BadInput, also for a tcp
    address beyond this machine without keys: whoever reached it could place orders.
    """
    state_dir = Path(bus.state_dir)
    host = checked_host(bus.tcp_host, bool(bus.curve_keys))
    if bus.transport == "tcp" or (bus.transport == "auto" and not zmq.has("ipc")):
        keys = read_keys(Path(bus.curve_keys)) if bus.curve_keys else None
        return Transport("tcp", base_port=bus.base_port, host=host, keys=keys)
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


def checked_host(host: str, guarded: bool) -> str:
    """The IPv4 address that tcp sockets use. Raises BadInput for anything else, and for one beyond this machine unless ``guarded``."""
    try:
        address = ipaddress.IPv4Address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise BadInput(f"[bus] tcp_host = {host!r}: is no IPv4 address, such as 127.0.0.1") from None
    if address.is_unspecified:
        raise BadInput(f"[bus] tcp_host = {host}: is no address to connect to; give that of one interface")
    if not address.is_loopback and not guarded:
        raise BadInput(
            f"[bus] tcp_host = {host}: others could reach it and place orders; make keys with `polybot keys create FOLDER` "
            "and set [bus] curve_keys to that folder, or stay on 127.0.0.1"
        )
    return str(address)
