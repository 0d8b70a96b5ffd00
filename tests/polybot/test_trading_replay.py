"""Trading over recordings: of what looks like a Dutch Book only the real ones are taken, and what is refused says why."""

from __future__ import annotations

import csv
import gzip
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.base.settings import FakeVenueSection, Settings
from pipeline.base.units import ONE_E6
from pipeline.fake_venue.catalogue import build_events
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome
from pipeline.messages.orders import ExecSnapshot
from pipeline.store.open import open_store
from pipeline.strategy.dutch_desk import DutchDesk
from polybot.cli import main
from polybot.trading_replay import Traded, chosen_set, trade_file
from processes.fake_venue import write_recording
from processes.strategy import dutch_book_of

DECOYS = {event.slug: event for event in build_events(4, 4, decoys=True) if event.decoy}


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Traded:
    """Three minutes of the fake venue with its decoys, traded over by the Dutch Book desk."""
    folder = tmp_path_factory.mktemp("decoys")
    write_recording(FakeVenueSection(seed=3, rate_per_s=60), folder / "recording", 180)
    settings = Settings()
    return trade_file(
        folder / "recording",
        lambda source: chosen_set(source, "all"),
        f"sqlite:///{folder / 'traded.db'}",
        settings,
        dutch_book=dutch_book_of(settings),
    )


def event_of(traded: Traded, market_id: str) -> str:
    return next(market.event_slug for market in traded.markets if market.market_id == market_id)


def test_only_real_opportunities_are_taken_and_none_of_them_loses(traded: Traded) -> None:
    taken = [each for each in traded.seen.opportunities if each.taken]
    assert taken
    assert {event_of(traded, each.market) for each in taken} == {"who-wins-the-mayoral-race"}
    assert len({each.plan_id for each in taken}) == len(taken) == len(traded.seen.ends)
    assert {end.outcome for end in traded.seen.ends.values()} <= {"complete", "unwound", "rejected"}
    complete = [end for end in traded.seen.ends.values() if end.outcome == "complete"]
    assert complete and all(end.result_e6 > 0 for end in complete)


def test_each_false_opportunity_is_refused_for_what_makes_it_false(traded: Traded) -> None:
    reasons = defaultdict(set)
    for each in traded.seen.opportunities:
        if not each.taken and event_of(traded, each.market) in DECOYS:
            reasons[event_of(traded, each.market)].add(each.reason)
    assert reasons["who-hosts-the-games"] == {"the event is augmented: an outcome may be added that resolves Yes"}
    assert reasons["bridge-opens-by"] == {"the outcomes of the event are cumulative: several may resolve Yes"}
    assert reasons["which-ship-is-first"] == {"too small for the minimum size of a leg"}
    assert all(reason.endswith("takes no orders") for reason in reasons["who-wins-the-prize"])
    (stuck, _) = DECOYS["who-reaches-the-pole"].markets
    assert reasons["who-reaches-the-pole"] == {f"book of {stuck.token_ids[0]} is stale: nothing has vouched for it in 40000 ms"}


def test_a_stale_price_is_seen_refused_and_shown_by_the_command(traded: Traded) -> None:
    """The prices of the set add up as long as the stuck book is fresh; no trade ever happened in it."""
    first, second = (market.condition_id for market in DECOYS["who-reaches-the-pole"].markets)
    db_url = f"sqlite:///{traded.path.parent / 'traded.db'}"
    told = [each for each in traded.seen.opportunities if each.market == first and each.kind.endswith("set")]
    assert len(told) >= 2 and not any(each.taken for each in told)
    assert all(each.expected_profit_e6 > 0 and each.size_e6 for each in told)
    shown = CliRunner().invoke(main, ["opportunities", "--market", first, "--json", "--db-url", db_url])
    rows = [row for row in json.loads(shown.stdout) if row["strategy"] == "dutch_book"]
    assert len(rows) == len(told) and all("is stale" in row["reason"] and not row["taken"] for row in rows)
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        ordered = conn.exec_driver_sql("SELECT count(*) FROM orders WHERE market_id IN (?, ?)", (first, second)).scalar()
    assert ordered == 0


def test_what_is_refused_is_told_now_and_then_and_not_with_every_book(traded: Traded) -> None:
    told = [each.ts_ns for each in traded.seen.opportunities if event_of(traded, each.market) == "which-ship-is-first"]
    assert 3 <= len(told) <= 19
    assert all(after - before >= 10_000_000_000 for before, after in pairwise(told))


def test_both_outcomes_of_a_real_market_are_never_taken_for_a_set(shared: Path) -> None:
    """The two tokens were not sampled at one instant, so that some pairs of asks sum to less than a dollar: an artefact."""
    with (shared / "data/real/l2/resolvedkit_markets.csv").open() as file:
        ids = [row["market_id"] for row in csv.DictReader(file)]
    markets = tuple(
        Market(market_id=each, outcomes=(Outcome(f"{each}UP", "Up"), Outcome(f"{each}DOWN", "Down")), event_id=f"event of {each}")
        for each in ids
    )
    rules = dutch_book_of(Settings())
    assert rules is not None
    desk = DutchDesk(rules, "s1", 1)
    list(desk.on_snapshot(ExecSnapshot(ts_ns=1, accepts=True, halted=False, mode="paper", orders=(), positions=()), 1))
    list(desk.on_universe(MarketUniverse(ts_ns=1, markets=markets), 1))
    asks: dict[str, tuple[float, int]] = {}
    cheap = 0
    with gzip.open(shared / "data/real/l2/resolvedkit_books.jsonl.gz", "rt") as file:
        for line in file:
            row = json.loads(line)
            token_id = row["market_id"] + row["side"]
            asks[token_id] = (row["ask_px"][0] if row["ask_px"] else 1.0, row["ts"])
            other = asks.get(row["market_id"] + ("DOWN" if row["side"] == "UP" else "UP"))
            cheap += other is not None and other[1] == row["ts"] and asks[token_id][0] + other[0] < 0.9999
            assert not list(desk.on_book(real_book(row, token_id), row["ts"] * 1_000_000))
    assert cheap == 6


def real_book(row: dict[str, Any], token_id: str) -> BookSnapshot:
    bids, asks = (
        tuple(Level(round(price * ONE_E6), round(size * ONE_E6)) for price, size in zip(row[px][:3], row[sz][:3], strict=True))
        for px, sz in (("bid_px", "bid_sz"), ("ask_px", "ask_sz"))
    )
    return BookSnapshot(
        ts_ns=row["ts"] * 1_000_000,
        token_id=token_id,
        market=row["market_id"],
        tick_size_e6=10_000,
        bids=bids,
        asks=asks,
        seq=row["ts"],
        venue_ns=row["ts"] * 1_000_000,
        state="VERIFIED",
        basis="hash",
    )
