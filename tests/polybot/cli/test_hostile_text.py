"""Text from the venue is data: whatever a market is called, tables, lines, pages and logs show it and nothing obeys it."""

from __future__ import annotations

import contextlib
import io
import json
import unicodedata
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from rich.console import Console

from pipeline.messages.market import Market, MarketUniverse, Outcome
from pipeline.messages.orders import TradingHalted
from pipeline.messages.records import BookStateChanged, FeedGap, MarketStatus, MarketVersion, Opportunity
from pipeline.store.buffer import RowBuffer
from pipeline.store.catalogue import append_version
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run
from polybot.cli import main
from polybot.cli.live_model import PipelineModel
from polybot.cli.live_view import plain_line, screen
from polybot.cli.output import Styled, print_table
from processes.child_output import PrefixedOutput, readable

HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07[red]loud[/red] [link=file:///etc]x[/link]\r\nsecond line\x9b31m \u202eesrever\u202c "
    "'; DROP TABLE markets; --<script>alert(1)</script><img src=x onerror=alert(2)>\"&amp;"
)
S = 1_000_000_000
MARKET = Market(
    "0xevil",
    (Outcome("111", HOSTILE), Outcome("222", "No\x1b[31m")),
    question=HOSTILE,
    slug="slug\x1b[1A",
    event_title=HOSTILE,
    group_item_title=HOSTILE,
    tick_size="0.01",
)


def unsafe(text: str) -> list[str]:
    """The characters that a terminal would obey."""
    return [letter for letter in text if letter != "\n" and unicodedata.category(letter) in ("Cc", "Cf", "Zl", "Zp")]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with one market that has a hostile text wherever the venue may put one."""
    place = f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'hostile.db'}"
    about: dict[str, Any] = {"token_id": "111", "market": "0xevil"}
    with open_store(place) as store, store.begin() as conn:
        run = Run(1, "book_builder", "r1", S, role="book_builder", ended_ns=100 * S, reason=HOSTILE)
        save_run(conn, run)
        append_version(conn, 1, MarketVersion(ts_ns=S, market=MARKET, valid_from_ns=S, venue="fake"))
        rows = RowBuffer()
        for msg in (
            BookStateChanged(ts_ns=2 * S, old=None, new="STALE", basis="hash", reason=HOSTILE, **about),
            FeedGap(ts_ns=9 * S, start_ns=3 * S, end_ns=9 * S, cause=HOSTILE, healed_by=HOSTILE, **about),
            MarketStatus(ts_ns=3 * S, market="0xevil", last_seq=1, last_update_ts_ms=5, snapshots=1, deltas=1, trades=0),
            Opportunity(
                ts_ns=4 * S, plan_id="p1", strategy="dutch_book", market="0xevil", kind="buy_all", taken=False, reason=HOSTILE,
                expected_profit_e6=1, size_e6=1,
            ),
        ):  # fmt: skip
            assert rows.take(1, msg)
        rows.write(conn)
    return place


COMMANDS = (
    ("markets", "list"),
    ("markets", "search", "DROP"),
    ("markets", "show", "0xevil"),
    ("status",),
    ("status", "--tokens"),
    ("opportunities",),
    ("coverage",),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("form", ["table", "json"])
def test_a_command_prints_it_and_the_terminal_has_nothing_to_obey(url: str, words: tuple[str, ...], form: str) -> None:
    options = ["--json"] if form == "json" else []
    done = CliRunner().invoke(main, [*words, "--db-url", url, *options])
    assert done.exit_code == 0, done.output
    assert unsafe(done.output) == [] and done.stdout
    if form == "json":
        json.loads(done.stdout)


def test_a_market_is_still_told_by_its_name(url: str) -> None:
    assert (
        "\\x1b[2J\\x1b]0;owned\\x07[red]loud[/red]"
        in CliRunner().invoke(main, ["markets", "show", "0xevil", "--db-url", url]).stdout
    )
    (market,) = json.loads(CliRunner().invoke(main, ["markets", "list", "--db-url", url, "--json"]).stdout)
    assert market["question"] == HOSTILE


def test_a_page_of_coverage_has_no_tag_of_a_strangers(url: str, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    done = CliRunner().invoke(main, ["coverage", "--db-url", url, "--html", str(file)])
    assert done.exit_code == 0, done.output
    page = file.read_text(encoding="utf-8")
    assert "<script>alert" not in page and "onerror=alert(2)>" not in page and "&lt;script&gt;" in page

    class Tags(HTMLParser):
        found: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.found.append(tag)
            assert not any(name.startswith("on") for name, _ in attrs)

    Tags().feed(page)
    assert "img" not in Tags.found and Tags.found.count("script") == 1


def test_a_database_keeps_its_tables(url: str) -> None:
    for words in COMMANDS:
        CliRunner().invoke(main, [*words, "--db-url", url])
    done = CliRunner().invoke(main, ["markets", "search", "'; DROP TABLE markets; --", "--db-url", url, "--json"])
    assert [market["market_id"] for market in json.loads(done.stdout)] == ["0xevil"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_tables_in_a_terminal_take_no_markup_and_no_escapes() -> None:
    out = Terminal()
    with contextlib.redirect_stdout(out):
        print_table(("name", "said"), [(HOSTILE, Styled(HOSTILE, "red"))], title=HOSTILE)
    told = out.getvalue()
    assert "[red]" in told and "[link=" in told
    assert not [evil for evil in ("\x1b[2J", "\x1b]", "\x07", "\x9b", "\r", "\u202e") if evil in told]


def test_the_live_view_shows_it_harmless() -> None:
    model = PipelineModel()
    model.on_message(MarketUniverse(ts_ns=1, markets=(MARKET,)))
    model.on_message(TradingHalted(ts_ns=1, reason=HOSTILE))
    out = io.StringIO()
    Console(file=out, width=400, force_terminal=False).print(screen(model, "Polybot", 1, S, 40))
    assert "[red]loud[/red]" in out.getvalue() and unsafe(out.getvalue()) == []
    assert unsafe(plain_line(model, 1)) == []


def test_the_logs_of_processes_are_shown_harmless() -> None:
    event = json.dumps({"event": "market_listed", "level": "info", "timestamp": "2026-01-01T00:00:00Z", "question": HOSTILE})
    assert unsafe(readable(event)) == [] and "\n" not in readable(event)
    out = io.StringIO()
    PrefixedOutput(out, ["gateway"], colour=False).line("gateway", f"Traceback {HOSTILE}")
    assert unsafe(out.getvalue()) == [] and out.getvalue().count("\n") == 1


def test_an_error_that_repeats_what_was_given_is_harmless(url: str) -> None:
    done = CliRunner().invoke(main, ["markets", "show", HOSTILE, "--db-url", url])
    assert done.exit_code == 2 and unsafe(done.stderr) == [] and done.stderr.count("\n") == 1
