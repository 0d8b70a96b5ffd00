"""A resolution that the feed did not tell is settled by the catalogue's next word, once, and a 50/50 one at half a dollar a share."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.settings import IngestionSection, PaperSection, RiskSection
from pipeline.base.units import NS_PER_S, ONE_E6
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, StagePlan
from pipeline.fake_venue import gamma
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.scenarios import Faults
from pipeline.fake_venue.simulated_link import SimulatedVenue
from pipeline.messages import Message
from pipeline.messages.edges import CatalogueFetched, FetchCatalogue
from pipeline.messages.market import MarketResolved
from pipeline.messages.records import FillRecord
from pipeline.trading.limits import Limits
from pipeline.trading.policy import allowed_states
from pipeline.venue.gamma_decode import decode_markets, decode_page
from pipeline.venue.paper_relayer import PaperRelayer
from pipeline.venue.resolutions import decode_resolutions
from processes.book_builder import BookBuilder
from processes.executor import Executor
from processes.gateway import Gateway
from processes.scheduler import Scheduler

START_NS = 1_780_000_000 * NS_PER_S
REFRESH_S = 20


class Catalogue:
    """The fake venue's Gamma, asked without sockets: its bodies, and what is read from them."""

    accepts: tuple[type[Message], ...] = (FetchCatalogue,)

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange

    def take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        assert isinstance(msg, FetchCatalogue)
        markets, _ = decode_markets(self.page({"closed": ["false"], "limit": ["100"]}))
        asked = {"closed": ["true"], "limit": ["100"], "condition_ids": list(msg.ended)}
        ended = decode_resolutions(self.page(asked), now_ns) if msg.ended else []
        return [
            CatalogueFetched(
                ts_ns=now_ns, request_id=msg.request_id, markets=tuple(markets), source="http://127.0.0.1", ended=tuple(ended)
            )
        ]

    def page(self, query: dict[str, list[str]]) -> tuple[bytes, ...]:
        items = gamma.page_of_markets(self.exchange.listings(), query).items
        return tuple(bytes(each) for each in decode_page(gamma.encode(items)).objects)

    def next_ns(self) -> int | None:
        return None

    def due(self, now_ns: int) -> Iterable[Message]:
        return ()


class Trial:
    """The fake venue, its catalogue, and an executor that bought 10 shares of the first token at 0.40 in an earlier life."""

    def __init__(self, before: str = "") -> None:
        self.exchange = FakeExchange(ExchangePlan(rate_per_s=30, binary_markets=3, event_markets=3), START_NS)
        self.faults = Faults(self.exchange)
        self.market = self.exchange.markets[0]
        self.token = self.market.tokens[0].token_id
        self.said: list[Message] = []
        relayer = PaperRelayer.from_settings(PaperSection(), allowed_states("paper"))
        self.executor = Executor(relayer, Limits.from_settings(RiskSection()), "paper")
        self.executor.recover([self.bought()])
        if before:
            self.faults.start(before, START_NS, {"token": self.token})
        venue = SimulatedVenue(self.exchange, self.faults, Random(1))
        scheduler = Scheduler(IngestionSection(gamma_refresh_ms=REFRESH_S * 1_000))
        self.run = Lockstep(
            [StagePlan(Gateway(), [venue]), BookBuilder(), self.executor, StagePlan(scheduler, [Catalogue(self.exchange)])],
            EventClock(START_NS),
            tap=self.heard,
        )
        self.run.start()

    def bought(self) -> FillRecord:
        return FillRecord(
            ts_ns=START_NS - 1,
            trade_id="t",
            client_order_id="o",
            strategy="s",
            mode="paper",
            token_id=self.token,
            market=self.market.spec.condition_id,
            side="BUY",
            price_e6=400_000,
            size_e6=10 * ONE_E6,
            notional_e6=4 * ONE_E6,
            fee_e6=0,
            liquidity="taker",
            status="confirmed",
        )

    def heard(self, arrival: Arrival) -> None:
        self.said.append(arrival.message)

    def until(self, second: int) -> list[FillRecord]:
        """Let the time pass up to this second; the settlements so far."""
        self.run.run(to_ns=START_NS + second * NS_PER_S)
        return [msg for msg in self.said if isinstance(msg, FillRecord) and msg.liquidity == "settlement"]

    def fault(self, name: str) -> None:
        self.faults.start(name, self.run.clock.now_ns(), {"token": self.token})

    @property
    def result_e6(self) -> int:
        (holding,) = self.executor.ledger.portfolio
        assert holding.inventory_e6 == 0
        return holding.realised_e6


def test_a_resolution_that_was_lost_on_the_way_settles_after_the_next_refresh_once() -> None:
    trial = Trial()
    trial.until(3)
    trial.fault("market-resolved-unheard")
    assert trial.until(REFRESH_S - 1) == []
    assert not any(isinstance(msg, MarketResolved) for msg in trial.said)
    (settled,) = trial.until(REFRESH_S + 1)
    assert (settled.side, settled.price_e6, settled.size_e6) == ("SELL", ONE_E6, 10 * ONE_E6)
    assert trial.result_e6 == 6 * ONE_E6
    assert len(trial.until(3 * REFRESH_S + 1)) == 1


def test_a_resolution_that_was_heard_is_not_settled_again_by_the_catalogue() -> None:
    trial = Trial()
    trial.until(3)
    trial.fault("market-resolved")
    assert len(trial.until(5)) == 1
    assert len(trial.until(2 * REFRESH_S + 1)) == 1


def test_a_5050_resolution_is_settled_at_half_a_dollar_when_the_catalogue_tells_it() -> None:
    trial = Trial()
    trial.until(3)
    trial.fault("market-split")
    assert trial.until(REFRESH_S - 1) == []
    (settled,) = trial.until(REFRESH_S + 1)
    assert (settled.price_e6, settled.notional_e6) == (ONE_E6 // 2, 5 * ONE_E6)
    assert trial.result_e6 == ONE_E6


@pytest.mark.parametrize(("fault", "result"), [("market-resolved-unheard", 6 * ONE_E6), ("market-split", ONE_E6)])
def test_what_ended_while_nothing_ran_is_asked_after_as_soon_as_it_is_known_to_be_held(fault: str, result: int) -> None:
    trial = Trial(before=fault)
    assert len(trial.until(1)) == 1
    assert trial.result_e6 == result
