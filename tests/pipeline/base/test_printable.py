"""Text from outside cannot command a terminal, and text that is only text stays as it is."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Will it rain?", "Will it rain?"),
        ("Größer als 5 €? 日本 🗳️ नमस्ते", "Größer als 5 €? 日本 🗳️ नमस्ते"),
        ("[red]not red[/red]", "[red]not red[/red]"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("two\nlines\r\n", "two\\nlines\\r\\n"),
        ("tab\tbell\a", "tab\\tbell\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("abc\u202edef", "abc\\u202edef"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("lone \ud800", "lone \\ud800"),
    ],
)
def test_what_would_be_obeyed_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_unsafe_is_left_and_it_is_done_once_and_for_all(text: str) -> None:
    safe = printable(text)
    assert not [letter for letter in safe if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp", "Co")]
    assert printable(safe) == safe
