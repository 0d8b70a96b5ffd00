"""Printing: plain columns when piped, exact JSON, and progress only for those who can see it."""

from __future__ import annotations

import io
import json
from decimal import Decimal

from pipeline.messages.market import Level
from polybot.cli.output import Progress, Styled, print_json, print_table


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_piped_table_has_aligned_columns_and_no_colour(capsys):
    print_table(["token", "events"], [["a", 12], [Styled("longer", "red"), 3]], title="Books")
    assert capsys.readouterr().out == "Books\ntoken   events\na           12\nlonger       3\n"


def test_a_piped_table_is_never_cut(capsys):
    print_table(["question"], [["x" * 300]])
    assert "x" * 300 in capsys.readouterr().out


def test_columns_named_right_are_set_right_and_none_is_a_dash(capsys):
    print_table(["price"], [["0.5"], [None]], right=["price"])
    assert capsys.readouterr().out == "price\n  0.5\n    -\n"


def test_a_table_without_names_has_no_headings(capsys):
    print_table(["", ""], [["slug", "a"], ["question", "B?"]])
    assert capsys.readouterr().out == "slug      a\nquestion  B?\n"


def test_an_empty_table_says_what_would_fill_it(capsys):
    print_table(["a"], [], empty="No markets; try refresh-markets.")
    assert capsys.readouterr().out == "No markets; try refresh-markets.\n"


def test_json_keeps_decimals_exact(capsys):
    print_json({"price": Decimal("0.10"), "n": 1})
    assert json.loads(capsys.readouterr().out) == {"price": "0.10", "n": 1}


def test_json_shows_a_message_with_its_field_names(capsys):
    print_json([Level(410_000, 5_000_000)])
    assert json.loads(capsys.readouterr().out) == [{"price_e6": 410_000, "size_e6": 5_000_000}]


def test_progress_waits_two_seconds_and_cleans_up():
    times = iter([0.0, 1.0, 2.5, 2.5])
    out = Terminal()
    with Progress("loading", 100, out=out, now=lambda: next(times)) as progress:
        progress.show(10)
        assert out.getvalue() == ""
        progress.show(50)
        assert "loading [##########..........] 50 of 100" in out.getvalue()
    assert out.getvalue().endswith("\r")


def test_progress_is_silent_in_a_pipe():
    out = io.StringIO()
    with Progress("loading", out=out, after_s=0, now=lambda: 9.0) as progress:
        progress.show(10)
    assert out.getvalue() == ""
