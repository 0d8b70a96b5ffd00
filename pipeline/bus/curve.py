"""CURVE on tcp sockets: both ends prove that they hold the pipeline's own key pair, and what passes is encrypted.

https://rfc.zeromq.org/spec/26 and /27 (seen 2026-11-22). CURVE alone lets in whoever knows the public key; a gatekeeper lets in only
peers that hold the secret one.
"""

from __future__ import annotations

import os
import stat
import threading
from dataclasses import dataclass
from pathlib import Path

import zmq
from zmq.utils import z85

from pipeline.base.errors import BadInput

PUBLIC, SECRET = "public.key", "secret.key"
_KEY_LENGTH = 40
_ZAP = "inproc://zeromq.zap.01"
_TURN_MS = 100


@dataclass(frozen=True, slots=True)
class CurveKeys:
    """The key pair that all roles of one pipeline share, each key as 40 characters."""

    public: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"CurveKeys({self.public.decode()})"


def create_keys(folder: Path) -> CurveKeys:
    """Write a new key pair into a folder, readable by its owner only. Raises BadInput where there is one, and then changes nothing."""
    _check_library()
    for name in (PUBLIC, SECRET):
        if (folder / name).exists():
            raise BadInput(f"{folder / name}: is there already; remove it first if no pipeline uses it, or give another folder")
    public, secret = zmq.curve_keypair()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, key in ((PUBLIC, public), (SECRET, secret)):
            handle = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(key + b"\n")
    except OSError as error:
        raise BadInput(f"{folder}: keys cannot be written there: {error.strerror}") from None
    return CurveKeys(public, secret)


def read_keys(folder: Path) -> CurveKeys:
    """The key pair in a folder. Raises BadInput if it is not there, is no key, or is readable by others."""
    _check_library()
    keys = []
    for name in (PUBLIC, SECRET):
        file = folder / name
        try:
            key, mode = file.read_bytes().strip(), file.stat().st_mode
        except OSError as error:
            raise BadInput(f"[bus] curve_keys: {file}: {error.strerror}; make keys with `polybot keys create {folder}`") from None
        if len(key) != _KEY_LENGTH:
            raise BadInput(f"[bus] curve_keys: {file}: is no key of {_KEY_LENGTH} characters; see `polybot keys create`")
        if os.name == "posix" and name == SECRET and stat.S_IMODE(mode) & 0o077:
            raise BadInput(f"[bus] curve_keys: {file}: can be read by others; run `chmod 600 {file}`")
        keys.append(key)
    found = CurveKeys(*keys)
    try:
        matches = zmq.curve_public(found.secret) == found.public
    except zmq.ZMQError:
        matches = False
    if not matches:
        raise BadInput(f"[bus] curve_keys: the keys in {folder} do not belong together; make new ones with `polybot keys create`")
    return found


def guard_binding(socket: zmq.Socket[bytes], keys: CurveKeys) -> None:
    """Make a socket that will be bound demand CURVE."""
    socket.setsockopt(zmq.CURVE_SERVER, 1)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
    socket.setsockopt(zmq.ZAP_DOMAIN, b"polybot")


def guard_connecting(socket: zmq.Socket[bytes], keys: CurveKeys) -> None:
    """Make a socket that will be connected use CURVE."""
    socket.setsockopt(zmq.CURVE_SERVERKEY, keys.public)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
    socket.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)


class Gatekeeper:
    """Answers libzmq's question, for every peer of a context, whether it may come in: if it holds the pipeline's own key.

    Start it before the first socket is bound. A context has one: a second one in it leaves the work to the first.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: CurveKeys) -> None:
        self._public = z85.decode(keys.public)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        socket = context.socket(zmq.REP)
        try:
            socket.bind(_ZAP)
        except zmq.ZMQError as error:
            socket.close(linger=0)
            if error.errno != zmq.EADDRINUSE:
                raise
            return
        self._thread = threading.Thread(target=self._serve, args=(socket,), name="gatekeeper", daemon=True)
        self._thread.start()

    def _serve(self, socket: zmq.Socket[bytes]) -> None:
        try:
            while not self._stopped.is_set():
                if socket.poll(_TURN_MS):
                    socket.send_multipart(self._answer(socket.recv_multipart()))
        except zmq.ZMQError:
            pass  # the context was ended with the socket open: there is nobody left to let in
        socket.close(linger=0)

    def _answer(self, asked: list[bytes]) -> list[bytes]:
        """The reply to one request: version, id, status, text, user, metadata (RFC 27)."""
        allowed = len(asked) == 7 and asked[5] == b"CURVE" and asked[6] == self._public
        status = (b"200", b"OK", b"polybot") if allowed else (b"400", b"unknown key", b"")
        return [b"1.0", asked[1] if len(asked) > 1 else b"", *status, b""]

    def close(self) -> None:
        """End it; call it once the sockets are closed."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()


def _check_library() -> None:
    if not zmq.has("curve"):
        raise BadInput("[bus] curve_keys: this build of libzmq has no CURVE; install pyzmq from its wheels")
