"""Where the lines of the processes go: to a terminal with the role in front, on as JSON lines with the role in them, or to files."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TextIO, cast

from pipeline.base.printable import printable

COLOURS = (36, 33, 35, 32, 34, 31, 96, 93)
"""Terminal colours of the roles, in the order in which they are started."""
_LEVEL_COLOURS = {"warning": 33, "error": 31, "critical": 31}
_TAIL_BYTES = 8_192


class Output(Protocol):
    """Takes the lines of all roles, each from the thread that reads it."""

    def line(self, role: str, text: str) -> None:
        """One line, without its end."""

    @property
    def closed(self) -> bool:
        """Whoever read the lines is gone; what follows is thrown away."""

    def file_of(self, role: str) -> Path | None:
        """The file that a process is to write to by itself; None: its lines are to be read and handed to ``line``."""


class _Pipe:
    """A text stream that many threads write to, whole lines at a time, until its reader goes away."""

    def __init__(self, out: TextIO) -> None:
        self.closed = False
        self._out = out
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        with self._lock:
            if self.closed:
                return
            try:
                self._out.write(line)
                self._out.flush()
            except BrokenPipeError:
                self.closed = True


class PrefixedOutput:
    """Lines for a person: the role in its colour, and log events written out instead of as JSON."""

    def __init__(self, out: TextIO, roles: Iterable[str], colour: bool) -> None:
        self._pipe = _Pipe(out)
        names = (*roles, "supervisor")
        self._width = max(map(len, names))
        self._colours = {role: COLOURS[n % len(COLOURS)] for n, role in enumerate(names)} if colour else {}

    def line(self, role: str, text: str) -> None:
        """Write one line."""
        prefix = f"{role:<{self._width}} |"
        shown = readable(text)
        if role in self._colours:
            prefix = f"\x1b[{self._colours[role]}m{prefix}\x1b[0m"
            level = _LEVEL_COLOURS.get(shown.split(" ", 2)[1] if shown.count(" ") > 1 else "")
            shown = f"\x1b[{level}m{shown}\x1b[0m" if level else shown
        self._pipe.write(f"{prefix} {shown}\n")

    @property
    def closed(self) -> bool:
        """Nobody reads any more."""
        return self._pipe.closed

    def file_of(self, role: str) -> Path | None:
        """None: all is shown."""
        return None


class JsonOutput:
    """Lines for a program: log events pass through with their ``role``; any other text becomes an event ``output``."""

    def __init__(self, out: TextIO) -> None:
        self._pipe = _Pipe(out)

    def line(self, role: str, text: str) -> None:
        """Write one JSON line."""
        event = _event(text)
        body = {"event": "output", "text": text} if event is None else event
        self._pipe.write(json.dumps({"role": role} | body) + "\n")

    @property
    def closed(self) -> bool:
        """Nobody reads any more."""
        return self._pipe.closed

    def file_of(self, role: str) -> Path | None:
        """None: all is passed on."""
        return None


class FileOutput:
    """One log file a role in one folder; the processes write them by themselves, so that nothing is lost with the supervisor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def line(self, role: str, text: str) -> None:
        """Append one line to the role's file: for the supervisor's own."""
        with self._lock, (self.folder / f"{role}.log").open("a", encoding="utf-8") as out:
            out.write(text + "\n")

    @property
    def closed(self) -> bool:
        """Files stay open to all."""
        return False

    def file_of(self, role: str) -> Path | None:
        """The role's file."""
        return self.folder / f"{role}.log"


def role_stream(output: Output, role: str) -> TextIO:
    """A text stream whose lines go to an Output as those of one role: what the supervisor's own log is written to."""
    return cast(TextIO, _RoleStream(output, role))


class _RoleStream(io.TextIOBase):
    def __init__(self, output: Output, role: str) -> None:
        self._output = output
        self._role = role
        self._rest = ""

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, text: str) -> int:
        """Take text; whole lines are handed on."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._output.line(self._role, line)
        return len(text)


def readable(line: str) -> str:
    """A log event as ``time level event key=value …``; any other line as it is. Nothing in it can command a terminal."""
    event = _event(line)
    if event is None:
        return printable(line)
    at = str(event.pop("timestamp", ""))[11:23]
    level = str(event.pop("level", "info"))
    name = str(event.pop("event", ""))
    for bound in ("role", "run_id", "session_id"):
        event.pop(bound, None)
    trace = str(event.pop("exception", "")).strip()
    words = [word for word in (at, level, name) if word] + [f"{key}={_value(value)}" for key, value in event.items()]
    return "\n".join(printable(part) for part in (" ".join(words), *trace.splitlines()))


def last_line(lines: Iterable[str]) -> str:
    """The last line that says something, written out for a person on one line; ``no output`` when there is none."""
    for line in reversed(list(lines)):
        text = readable(line).strip().splitlines()
        if text:
            return text[-1].strip() if len(text) > 1 else text[0]
    return "no output"


def tail(file: Path, start: int = 0) -> list[str]:
    """The last lines of a file, none of them from before byte ``start``."""
    try:
        with file.open("rb") as content:
            size = content.seek(0, io.SEEK_END)
            content.seek(max(start, size - _TAIL_BYTES))
            return content.read().decode("utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _event(line: str) -> dict[str, object] | None:
    if not line.startswith("{"):
        return None
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) else None


def _value(value: object) -> str:
    return value if isinstance(value, str) and value and " " not in value else json.dumps(value, ensure_ascii=False, default=str)
