"""``polybot markets accept-rules``: an operator accepts changed rules, and complete sets may hold the market again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pipeline.base.settings import IngestionSection
from pipeline.messages.edges import CatalogueFetched
from pipeline.messages.market import Market, MarketUniverse, Outcome
from pipeline.messages.records import MarketVersion
from pipeline.store.catalogue import append_version
from pipeline.store.first_rules import first_rules
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run
from pipeline.strategy.event_sets import sets_of
from polybot.cli import main
from processes.scheduler import Scheduler

S = 1_000_000_000
CHANGED_NS = 1_790_000_000 * S


def market(name: str, rules: str) -> Market:
    return Market(
        f"0x{name}",
        (Outcome(f"{name}1", "Yes"), Outcome(f"{name}2", "No")),
        slug=name,
        event_id="e",
        group_item_title=name,
        neg_risk=True,
        neg_risk_market_id="n",
        event_market_count=2,
        rules_hash=rules,
    )


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["markets", *words])


@pytest.fixture
def db_url(tmp_path: Path) -> str:
    """Two markets of an event; the rules of one have changed since it was first seen."""
    url = f"sqlite:///{tmp_path / 'markets.db'}"
    with open_store(url, venue="fake") as store, store.begin() as conn:
        save_run(conn, Run(id=1, producer="scheduler", run="scheduler-1", started_ns=0))
        for each, at_ns in ((market("rain", "r1"), 1), (market("rain", "r2"), CHANGED_NS), (market("snow", "r3"), 1)):
            append_version(conn, 1, MarketVersion(ts_ns=at_ns, market=each, valid_from_ns=at_ns, venue="fake"))
        append_version(conn, 1, MarketVersion(ts_ns=1, market=market("hail", ""), valid_from_ns=1, venue="fake"))
    return url


def refusals(url: str) -> set[str]:
    """Why a session that starts with this database takes no set of the event."""
    scheduler = Scheduler(IngestionSection(), venue="fake", first_rules=first_rules(url))
    list(scheduler.start(CHANGED_NS))
    fetched = CatalogueFetched(
        ts_ns=CHANGED_NS, request_id=1, source="test", markets=(market("rain", "r2"), market("snow", "r3"))
    )
    (universe,) = [msg for msg in scheduler.handle(fetched, CHANGED_NS) if isinstance(msg, MarketUniverse)]
    (event,) = sets_of(universe.markets, {each.market_id: each.first_rules_hash for each in universe.markets}, False)
    return set(event.refusals.values())


def test_accepted_rules_count_from_the_next_start(db_url: str) -> None:
    assert refusals(db_url) == {"the rules of market 0xrain have changed since it was first seen"}
    told = run("accept-rules", "rain", "--reason", "read on Monday", "--db-url", db_url)
    assert told.exit_code == 0
    assert told.output == "the rules of rain as of 2026-09-21 14:13:20 UTC are accepted; it counts from the next start\n"
    assert refusals(db_url) == {""}


def test_what_is_trusted_already_is_not_accepted_again(db_url: str) -> None:
    run("accept-rules", "rain", "--db-url", db_url)
    for name in ("rain", "snow"):
        told = run("accept-rules", name, "--db-url", db_url, "--json")
        assert json.loads(told.output)["accepted"] is False
    assert "are those that are trusted already" in run("accept-rules", "0xsnow", "--db-url", db_url).output


def test_a_market_says_whether_its_rules_are_those_it_was_first_seen_with(db_url: str) -> None:
    assert "part of no complete set until `polybot markets accept-rules rain`" in run("show", "rain", "--db-url", db_url).output
    assert "as first seen" in run("show", "snow", "--db-url", db_url).output
    run("accept-rules", "rain", "--reason", "read", "--db-url", db_url)
    assert "changed at 2026-09-21 14:13:20 UTC, accepted: read" in run("show", "rain", "--db-url", db_url).output
    rules = json.loads(run("show", "rain", "--db-url", db_url, "--json").output)["rules"]
    assert ([each["rules_hash"] for each in rules["seen"]], rules["accepted"], rules["have_changed"]) == (
        ["r1", "r2"],
        "r2",
        False,
    )


def test_while_a_pipeline_writes_it_is_refused_and_names_the_process(db_url: str) -> None:
    with open_store(db_url):
        told = run("accept-rules", "rain", "--db-url", db_url)
    assert told.exit_code == 2
    assert "is writing to this database" in told.output
    assert refusals(db_url) == {"the rules of market 0xrain have changed since it was first seen"}


@pytest.mark.parametrize(
    ("name", "said"), [("fog", "market fog: not in"), ("hail", "market hail: the catalogue tells no rules of it")]
)
def test_what_cannot_be_accepted_is_one_line_and_exit_code_2(db_url: str, name: str, said: str) -> None:
    told = run("accept-rules", name, "--db-url", db_url)
    assert (told.exit_code, said in told.output, len(told.output.splitlines())) == (2, True, 1)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    assert run("accept-rules", "rain", "--db-url", f"sqlite:///{tmp_path / 'none.db'}").exit_code == 2
    assert not (tmp_path / "none.db").exists()
