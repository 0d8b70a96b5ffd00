"""Text from outside, made harmless for a terminal: what would move the cursor, colour, hide or reverse is shown, not obeyed."""

from __future__ import annotations

import json
import unicodedata

_UNSAFE = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
"""Control, format (such as right-to-left overrides), private use, lone halves of pairs, line and paragraph separators."""
_JOINER = "\u200d"
"""Zero width joiner: letters of some scripts need it, and it deceives nobody."""


def printable(text: str) -> str:
    """The text with every unsafe character as its escape, such as ``\\x1b`` or ``\\n``; other text is returned as it is."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def printable_json(text: str) -> str:
    """JSON with every unsafe character as its ``\\u`` escape: the same value, and nothing for a terminal to obey."""
    if text.isascii():
        return text
    return "".join(_escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if letter in ("\n", _JOINER) or unicodedata.category(letter) not in _UNSAFE:
        return letter
    return json.dumps(letter)[1:-1]


def _shown(letter: str) -> str:
    if letter == _JOINER or unicodedata.category(letter) not in _UNSAFE:
        return letter
    return letter.encode("unicode_escape").decode("ascii")
