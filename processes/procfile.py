"""The Procfile: which roles there are and how each is started. One ``name: command`` a line, without a shell."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import BadInput

PROCFILE, PROCFILE_DEMO = "Procfile", "Procfile.demo"
_LINE = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)\s*:\s*(.*)")
_SHELL = re.compile(r"[|&;<>`]|\$[\w{(]")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_PYTHONS = frozenset({"python", "python3", "python.exe"})


@dataclass(frozen=True)
class RoleCommand:
    """One role and the words of its command, the first of them a program that can be started."""

    role: str
    argv: tuple[str, ...]


def parse_procfile(text: str, where: str, interpreter: str = sys.executable) -> tuple[RoleCommand, ...]:
    """The roles in the order of the file; ``python`` becomes ``interpreter``. Blank lines and ``#`` comments are skipped.

    Backslashes are ordinary characters (paths of Windows), quotes group words. Raises BadInput with file and line.
    """
    found: dict[str, RoleCommand] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        place = f"{where}:{number}"
        match = _LINE.fullmatch(stripped)
        if match is None:
            raise BadInput(f"{place}: {stripped!r} is not `name: command`")
        role, command = match.groups()
        if role in found:
            raise BadInput(f"{place}: role {role} is named twice; give each role one line")
        found[role] = RoleCommand(role, _words(command, place, interpreter))
    if not found:
        raise BadInput(f"{where}: names no role; write one `name: command` a line")
    return tuple(found.values())


def read_procfile(file: Path, interpreter: str = sys.executable) -> tuple[RoleCommand, ...]:
    """The roles of a file. Raises BadInput."""
    try:
        return parse_procfile(file.read_text(encoding="utf-8"), str(file), interpreter)
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from None


def find_procfile(name: str) -> Path:
    """``Procfile`` or ``Procfile.demo`` as it came with the program: beside the packages, or in ``polybot/_defaults``."""
    beside = Path(__file__).resolve().parents[1]
    for folder in (beside, beside / "polybot" / "_defaults"):
        if (folder / name).is_file():
            return folder / name
    raise BadInput(f"{name} was not found beside the program in {beside}; install Polybot again or give --procfile FILE")


def _words(command: str, place: str, interpreter: str) -> tuple[str, ...]:
    lexer = shlex.shlex(command, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.escape = ""
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError as error:
        raise BadInput(f"{place}: {command!r}: {str(error).lower()}") from None
    if not words:
        raise BadInput(f"{place}: the command is empty; write what is to be started")
    bare = _QUOTED.sub("", command)
    if words[0] == "exec" or "=" in words[0] or _SHELL.search(bare):
        raise BadInput(f"{place}: {command!r} uses shell syntax; a Procfile command is started without a shell")
    if words[0] in _PYTHONS:
        words[0] = interpreter
    return tuple(words)
