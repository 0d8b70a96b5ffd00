"""What looks like an arbitrage while a batch is half told is none: real and invented batches, read whole, give no signal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from pipeline.base.settings import DutchBookSection, RiskSection, Settings, ThresholdsSection
from pipeline.base.units import ONE_E6, parse_e6
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.inject import frames_of
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Market, MarketUniverse, Outcome, VenueBook, VenuePriceChange
from pipeline.messages.orders import ExecSnapshot, Mode, PlaceOrder
from pipeline.messages.records import BookStateChanged, Opportunity
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.venue.decode import FrameDecoder
from processes.book_builder import BookBuilder
from processes.strategy import StrategyEngine, strategies_of

MS = 1_000_000
S = 1_000 * MS
START_NS = 1_780_000_000 * S
RULES = DutchRules.from_settings(DutchBookSection(), ThresholdsSection(), RiskSection())
ALARMS = {"PENDING", "SUSPECT", "RESYNCING", "STALE", "DEAD"}


class Chain:
    """Book builder and strategies, and a reader that believes every single entry at once."""

    def __init__(self, markets: tuple[Market, ...], mode: Mode = "paper", resync: bool = True) -> None:
        self.builder = BookBuilder(resync=resync)
        self.engine = StrategyEngine(strategies_of(Settings()), "s1", 2 * S, dutch_book=RULES)
        self.decoder = FrameDecoder()
        self.states: Counter[str] = Counter()
        self.books: Counter[str] = Counter()
        self.crossed = 0
        self.opportunities: list[Opportunity] = []
        self.orders: list[PlaceOrder] = []
        self.naive: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
        self.believed_crossed = 0
        universe = MarketUniverse(ts_ns=START_NS, markets=markets)
        list(self.builder.handle(universe, START_NS))
        snapshot = ExecSnapshot(ts_ns=START_NS, accepts=True, halted=False, mode=mode, orders=(), positions=())
        self.decide(self.engine.handle(snapshot, START_NS))
        self.decide(self.engine.handle(universe, START_NS))

    def hear(self, text: str, now_ns: int) -> None:
        self.wait(now_ns)
        for msg in self.decoder.decode(text.encode(), now_ns):
            self.believe(msg)
            self.take(self.builder.handle(msg, now_ns), now_ns)

    def wait(self, now_ns: int) -> None:
        while (due_ns := self.builder.next_timer_ns()) is not None and due_ns <= now_ns:
            self.take(self.builder.on_timer(due_ns), due_ns)
        while (due_ns := self.engine.next_timer_ns()) is not None and due_ns <= now_ns:
            self.decide(self.engine.on_timer(due_ns))

    def take(self, out: Iterable[Message], now_ns: int) -> None:
        for msg in out:
            if isinstance(msg, BookStateChanged):
                self.states[msg.new] += 1
            elif isinstance(msg, BookSnapshot):
                self.books[msg.token_id] += 1
                self.crossed += bool(msg.bids and msg.asks and msg.bids[0].price_e6 >= msg.asks[0].price_e6)
                self.decide(self.engine.handle(msg, now_ns))

    def decide(self, out: Iterable[Message]) -> None:
        for msg in out:
            if isinstance(msg, Opportunity) and msg.strategy == RULES.name:
                self.opportunities.append(msg)
            elif isinstance(msg, PlaceOrder):
                self.orders.append(msg)

    def believe(self, msg: Message) -> None:
        """Apply entry by entry, and look at the top after each."""
        if isinstance(msg, VenueBook):
            self.naive[msg.token_id] = (dict(msg.bids), dict(msg.asks))
        elif isinstance(msg, VenuePriceChange) and msg.token_id in self.naive:
            bids, asks = self.naive[msg.token_id]
            for price, size, side in msg.changes:
                levels = bids if side == "BUY" else asks
                levels[price] = size
                if not parse_e6(size):
                    del levels[price]
                # YES ask + NO ask below a dollar is the same as a YES ask below the best YES bid.
                self.believed_crossed += bool(bids and asks and max(map(parse_e6, bids)) > min(map(parse_e6, asks)))


@pytest.mark.parametrize("mode", ["paper", "live"])
def test_the_real_mass_cancel_is_one_batch_a_token_and_no_signal(shared: Path, mode: Mode) -> None:
    file = shared / "data/real/ws/tail5m_bba_cancel_batch.jsonl"
    texts = [json.loads(line)["data"] for line in file.read_text().splitlines()]
    changes = [msg for text in texts for msg in FrameDecoder().decode(text.encode(), 1) if isinstance(msg, VenuePriceChange)]
    tokens = tuple(dict.fromkeys(msg.token_id for msg in changes))
    assert len(tokens) == 2 and len({(msg.venue_ts, msg.token_id, msg.hash) for msg in changes}) == 2 < len(changes)
    captured = Market(
        market_id=changes[0].market,
        outcomes=(Outcome(tokens[0], "Up"), Outcome(tokens[1], "Down")),
        event_id="e",
        min_order_size="5",
        neg_risk=False,
    )
    chain = Chain((captured,), mode, resync=False)
    for text in texts:
        chain.hear(text, START_NS + S)
    chain.wait(START_NS + 60 * S)
    assert chain.builder.counts()["batches"] == len(tokens) and max(chain.books.values(), default=0) <= 1
    assert (chain.crossed, chain.opportunities, chain.orders) == (0, [], [])
    assert not ALARMS & set(chain.states)


def test_crossing_bursts_and_mass_cancels_are_read_as_whole_batches_and_give_no_signal() -> None:
    exchange = FakeExchange(ExchangePlan(seed=1, rate_per_s=60), START_NS)
    markets = tuple(listing.market for listing in exchange.listings())
    chain = Chain(markets)
    chain.hear(exchange.list_frame([token_id for market in markets for token_id in market.token_ids]), START_NS)
    assert sum(bool(market.neg_risk) for market in markets) == 4
    for turn in range(32):
        now_ns = START_NS + (turn + 1) * S // 2
        for frame in exchange.advance(now_ns):
            chain.hear(frame.text, frame.ts_ns)
        name = "mass-cancel-batch" if turn % 4 == 3 else "crossing-burst"
        struck, _ = frames_of(name, exchange, markets[turn // 4].token_ids[0])
        for frame in struck:
            chain.hear(frame.text, frame.ts_ns)
    chain.wait(START_NS + 17 * S)
    assert chain.believed_crossed > 20, "who believes every entry sees YES and NO together below a dollar"
    assert chain.crossed == 0
    assert not ALARMS & set(chain.states)
    assert not [each for each in chain.opportunities if each.taken]
    assert chain.engine.dutch is not None and chain.engine.dutch.decisions == 0
    assert not [order for order in chain.orders if order.decision.strategy == RULES.name]
    assert all(order.post_only and 0 < order.price_e6 < ONE_E6 for order in chain.orders)
