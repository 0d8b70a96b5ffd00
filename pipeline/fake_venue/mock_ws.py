"""Any JSON lines file as a websocket stream: each line a message to everyone who connects, then a normal close.

For the generic stream of the phase-1 guide; nothing is read from the client and no subscription is needed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from pipeline.base.errors import BadInput
from pipeline.fake_venue.server import bind

CLOSE_TIMEOUT_S = 0.5
"""A client that has left does not answer a close; nobody waits long for it."""


class MockStream:
    """Serves lines on ``port`` (0: any free one). Raises PortInUse. Every connection gets all lines from the first."""

    def __init__(self, lines: Sequence[str], host: str = "127.0.0.1", port: int = 0, interval_ms: int = 0) -> None:
        """``interval_ms`` is the wait before each line but the first."""
        self.lines = tuple(lines)
        self.connections = 0
        self._interval_s = interval_ms / 1000
        self._stopping = threading.Event()
        sock = bind(host, port)
        self.url = f"ws://{host}:{sock.getsockname()[1]}"
        self._server: Server = serve(self._send_all, sock=sock, compression=None, close_timeout=CLOSE_TIMEOUT_S)

    def run(self) -> None:
        """Serve until ``stop``."""
        self._server.serve_forever()

    def stop(self) -> None:
        """End ``run`` and every connection."""
        self._stopping.set()
        self._server.shutdown()

    @contextlib.contextmanager
    def running(self) -> Iterator[MockStream]:
        """Serve from a thread of its own for the length of a ``with``."""
        thread = threading.Thread(target=self.run, name="mock-stream", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.stop()
            thread.join(10)

    def _send_all(self, connection: ServerConnection) -> None:
        self.connections += 1
        try:
            for number, line in enumerate(self.lines):
                if number and self._interval_s and self._stopping.wait(self._interval_s):
                    break
                connection.send(line)
            connection.close(1000)
        except ConnectionClosed:
            return


def read_lines(file: Path) -> list[str]:
    """The lines of a file that hold something. Raises BadInput if it cannot be read or holds none."""
    try:
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}; give a file of JSON lines") from None
    if not lines:
        raise BadInput(f"{file}: holds no line; give a file of JSON lines")
    return lines
