"""One process of a role: started with a pipe as its standard input, asked to stop by closing it, killed with all it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from pathlib import Path

from processes.child_output import Output, last_line, tail
from processes.procfile import RoleCommand

_WINDOWS = sys.platform == "win32"


class Child:
    """A running process. It is the head of its own group, so that a Ctrl-C in the terminal reaches the supervisor alone.

    Its standard input stays open as long as the supervisor lives, and ends with it: a child that reads the end of it stops,
    however the supervisor died. Raises OSError when the command cannot be started.
    """

    def __init__(self, command: RoleCommand, environment: Mapping[str, str], output: Output) -> None:
        self.role = command.role
        self._output = output
        self._lines: deque[str] = deque(maxlen=50)
        self._file = output.file_of(command.role)
        self._reader: threading.Thread | None = None
        self._start = 0
        if self._file is None:
            self._process = self._open(command, environment, subprocess.PIPE)
            self._reader = threading.Thread(target=self._read, name=f"read-{command.role}", daemon=True)
            self._reader.start()
        else:
            self._start = _size(self._file)
            with self._file.open("ab") as log:
                self._process = self._open(command, environment, log.fileno())

    def _open(self, command: RoleCommand, environment: Mapping[str, str], out: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command.argv,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            start_new_session=not _WINDOWS,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def exit_code(self) -> int | None:
        """How it ended: below zero, the signal that killed it. None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """Close its standard input and, where the platform has it, send SIGTERM."""
        self._close_input()
        if not _WINDOWS and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once, with every process of its group."""
        if self._process.poll() is not None:
            return
        if _WINDOWS:
            self._process.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Take leave of a process that has ended."""
        self._process.wait()
        self._close_input()
        if self._reader is not None:
            self._reader.join(timeout=1)

    def last_line(self) -> str:
        """The last thing it said, for a complaint; complete once ``close`` was called."""
        return last_line(self._lines if self._file is None else tail(self._file, self._start))

    def _close_input(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for raw in lines:
                text = raw.decode("utf-8", errors="replace").rstrip("\r\n")
                self._lines.append(text)
                self._output.line(self.role, text)


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
