"""``polybot markets`` and ``polybot refresh-markets``: what they print, and what they refuse in one line."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.messages.market import FeeSchedule, Market, Outcome, Rewards
from pipeline.messages.records import MarketVersion
from pipeline.store.catalogue import append_version, mention_outcomes
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run
from polybot.cli import main

RAIN = Market(
    "0xrain",
    (Outcome("111", "Yes"), Outcome("222", "No")),
    question="Will it rain?",
    slug="rain",
    event_title="Weather [north]",
    tick_size="0.01",
    min_order_size="5",
    neg_risk=True,
    neg_risk_augmented=True,
    end_ns=1_893_456_000_000_000_000,
    fees=FeeSchedule(rate_e6=30_000),
    rewards=Rewards(200_000_000, 45_000, 1_276_000_000),
    volume_24h_e6=9_000_000_000,
)


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    """A database with two open markets, a closed one, and one that was only mentioned."""
    url = f"sqlite:///{tmp_path / 'markets.db'}"
    snow = Market("0xsnow", (Outcome("333", "Yes"), Outcome("444", "No")), question="Will it snow?", slug="snow")
    past = Market("0xpast", (Outcome("555", "Yes"), Outcome("666", "No")), question="Did it rain?", slug="past", closed=True)
    finer = Market(**{**{name: getattr(RAIN, name) for name in RAIN.__struct_fields__}, "tick_size": "0.001"})
    with open_store(url) as store, store.begin() as conn:
        save_run(conn, Run(id=1, producer="test", run="test-1", started_ns=0))
        for number, market in enumerate((RAIN, snow, past, finer), start=1):
            append_version(conn, 1, MarketVersion(ts_ns=number, market=market, valid_from_ns=number, venue="fake"))
        mention_outcomes(conn, 1, [("mkt-1", "mkt-1/yes")])
    return url


def test_list_shows_open_markets_the_busiest_first(db_url):
    lines = run("markets", "list", "--db-url", db_url).output.splitlines()
    assert lines[0].split() == ["market", "question", "outcomes", "tick", "volume", "24h", "ends", "state"]
    assert [line.split()[0] for line in lines[1:]] == ["rain", "snow", "mkt-1"]
    assert "0.001       9,000  2030-01-01  open" in lines[1]
    assert len(run("markets", "list", "--limit", "1", "--db-url", db_url).output.splitlines()) == 2


def test_closed_markets_are_listed_on_request(db_url):
    assert "past" in run("markets", "list", "--all", "--db-url", db_url).output


def test_search_finds_all_words_and_says_when_nothing_has_them(db_url):
    assert [each["slug"] for each in json.loads(run("markets", "search", "rain", "it", "--json", "--db-url", db_url).output)] == [
        "rain",
        "past",
    ]
    assert run("markets", "search", "sun", "--db-url", db_url).output == "No market has all of: sun.\n"


@pytest.mark.parametrize("name", ["rain", "0xrain", "111", "222"])
def test_show_takes_a_slug_an_id_or_a_token(db_url, name):
    shown = run("markets", "show", name, "--db-url", db_url).output
    for fact in (
        "tick size     0.001",
        "least order   5 shares",
        "neg-risk      yes, augmented",
        "fees          shares x 0.03 x (p x (1 - p))^1, takers only",
        "rewards       0.045 dollars from the mid, at least 200 shares, 1276 dollars a day",
        "event         Weather [north]",
        "ends          2030-01-01 00:00:00 UTC",
    ):
        assert fact in shown.splitlines()
    assert "first seen" in shown
    assert "tick_size" in shown


def test_show_as_json_has_the_whole_market_and_its_versions(db_url):
    shown = json.loads(run("markets", "show", "rain", "--json", "--db-url", db_url).output)
    assert shown["market"]["outcomes"] == [{"token_id": "111", "name": "Yes"}, {"token_id": "222", "name": "No"}]
    assert [version["market"]["tick_size"] for version in shown["versions"]] == ["0.01", "0.001"]


def test_a_market_that_was_only_mentioned_is_shown_as_such(db_url):
    assert "only mentioned by a feed" in run("markets", "show", "mkt-1", "--db-url", db_url).output


def test_an_unknown_market_is_one_line_and_exit_code_2(db_url):
    refused = run("markets", "show", "fog", "--db-url", db_url)
    assert (refused.exit_code, refused.stdout, refused.stderr.count("\n")) == (2, "", 1)
    assert refused.stderr.startswith(f"polybot: market fog: not in {db_url}; ")


def test_a_missing_database_is_one_line_and_exit_code_2(tmp_path):
    refused = run("markets", "list", "--db-url", f"sqlite:///{tmp_path / 'none.db'}")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert not (tmp_path / "none.db").exists()


def test_an_empty_database_says_how_to_fill_it(tmp_path):
    url = f"sqlite:///{tmp_path / 'empty.db'}"
    open_store(url).close()
    assert "`polybot refresh-markets BASE_URL` brings the catalogue" in run("markets", "list", "--db-url", url).output


def test_an_address_that_is_none_is_refused_and_creates_no_database(tmp_path):
    refused = run("refresh-markets", "gamma", "--db-url", f"sqlite:///{tmp_path / 'new.db'}")
    assert refused.exit_code == 2
    assert refused.stderr.startswith("polybot: catalogue address 'gamma': not an http address; ")
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_catalogue_is_one_line_and_creates_no_database(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    refused = run("refresh-markets", f"http://127.0.0.1:{port}", "--db-url", f"sqlite:///{tmp_path / 'new.db'}")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"polybot: http://127.0.0.1:{port}: no catalogue there: ")
    assert refused.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
