"""A guard before every JSON parser that is given bytes from outside: how deep a text nests, without parsing it.

Parsers recurse on the C stack. Python's recursion limit saves them, but any library may raise that limit, and then a frame of a hundred
thousand opening brackets would end the process.
"""

from __future__ import annotations

import re

DEEPEST = 64
"""No frame, answer or recording of this field nests a tenth as deep."""

_FEW = 1_000
SHORT = _FEW
"""Bytes of a text that is too short to nest too deeply: where every microsecond counts, it need not be asked about."""
_TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")


def nests_too_deeply(data: bytes) -> bool:
    """Whether brackets nest so deep that no parser should see them. Cheap for what has few."""
    if len(data) < _FEW or data.count(b"[") + data.count(b"{") < _FEW:
        return False
    brackets = _TEXT.sub(b"", data).translate(None, _NOT_BRACKETS)
    for _ in range(DEEPEST):
        fewer = brackets.replace(b"{}", b"").replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return len(brackets) >= _FEW
