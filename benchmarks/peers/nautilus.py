"""nautilus_trader's whole backtest engine with a strategy in Python, on a generic tape. Run by the interpreter of its environment.

The engine does what the product's backtest does: a book, a strategy called with every change, risk checks, orders that are 100 ms
under way, matching against the book, an account. The strategy quotes by the same rule: both sides of one book, inside the best prices
by an edge of at most a quarter of the spread, leaning against the inventory, moved at most twice a second and after a second at the
earliest, capped. What it has besides the rule (pulling at jumps, widening, the reasons of every decision) the product's does alone.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from decimal import Decimal

import msgspec
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.backtest.models import FillModel, LatencyModel
from nautilus_trader.config import LoggingConfig, StrategyConfig
from nautilus_trader.model.currencies import USDC
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
from nautilus_trader.model.enums import AccountType, AssetClass, BookAction, BookType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

VENUE = Venue("POLYMARKET")
TAPE = InstrumentId(Symbol("TAPE"), VENUE)
MS = 1_000_000
EDGE, SIZE, MAX_INVENTORY, LEAN, TICK = 0.01, 20, 200, 0.01, 0.01
REQUOTE_NS, LIFETIME_NS, LATENCY_NS = 500 * MS, 1_000 * MS, 100 * MS


class Line(msgspec.Struct, gc=False):
    """A line of the tape."""

    seq: int
    ts_ms: int
    bids: list[tuple[float, float]] = []
    asks: list[tuple[float, float]] = []


def load(path: str) -> list[OrderBookDelta | OrderBookDeltas]:
    """The tape as the engine's own data, one a line: a level with its total size, or all the levels that the line changes."""
    decode = msgspec.json.Decoder(Line).decode
    prices = {cents: Price(cents / 100, 2) for cents in range(1, 100)}
    sizes: dict[tuple[OrderSide, int], int] = {}
    update, delete = BookAction.UPDATE, BookAction.DELETE
    found: list[OrderBookDelta | OrderBookDeltas] = []
    with open(path, "rb") as stream:  # noqa: PTH123
        for text in stream:
            line = decode(text)
            ts_ns, seq = line.ts_ms * MS, line.seq
            changes = []
            for side, levels in ((OrderSide.BUY, line.bids), (OrderSide.SELL, line.asks)):
                for price, change in levels:
                    cents = round(price * 100)
                    size = sizes[side, cents] = sizes.get((side, cents), 0) + round(change * 100)
                    order = BookOrder(side, prices[cents], Quantity(size / 100, 2), cents)
                    changes.append(OrderBookDelta(TAPE, update if size > 0 else delete, order, 0, seq, ts_ns, ts_ns))
            found.append(changes[0] if len(changes) == 1 else OrderBookDeltas(TAPE, changes))
    return found


class QuoterConfig(StrategyConfig, frozen=True):
    """Nothing to set."""


class Quoter(Strategy):
    """Rest a bid and an ask, cancel and place them anew when the wanted prices move."""

    def __init__(self) -> None:
        super().__init__(QuoterConfig())
        self.callbacks = self.placed = self.fills = 0
        self.inventory = 0.0
        self.orders = {OrderSide.BUY: None, OrderSide.SELL: None}
        self.prices = {OrderSide.BUY: 0.0, OrderSide.SELL: 0.0}
        self.placed_ns = {OrderSide.BUY: 0, OrderSide.SELL: 0}
        self.next_ns = 0

    def on_start(self) -> None:
        """Ask for every change of the book."""
        self.instrument = self.cache.instrument(TAPE)
        self.book = self.cache.order_book(TAPE)
        self.subscribe_order_book_deltas(TAPE, BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: OrderBookDeltas) -> None:
        """Look at the top of the book with every change, and quote where it is time to."""
        self.callbacks += 1
        book = self.book
        if book is None:
            book = self.book = self.cache.order_book(TAPE)
        now_ns = deltas.ts_event
        if now_ns < self.next_ns:
            return
        best_bid, best_ask = book.best_bid_price(), book.best_ask_price()
        if best_bid is None or best_ask is None:
            return
        bid, ask = float(best_bid), float(best_ask)
        inside = min(EDGE, (ask - bid) / 4)
        lean = LEAN * max(-1.0, min(1.0, self.inventory / MAX_INVENTORY))
        wanted_bid = min(int((bid + inside - lean) / TICK + 1e-6) * TICK, ask - TICK)
        wanted_ask = max(-int(-(ask - inside - lean) / TICK + 1e-6) * TICK, bid + TICK)
        moved = self.quote(OrderSide.BUY, wanted_bid, self.inventory < MAX_INVENTORY, now_ns)
        moved |= self.quote(OrderSide.SELL, wanted_ask, self.inventory > -MAX_INVENTORY, now_ns)
        if moved:
            self.next_ns = now_ns + REQUOTE_NS

    def quote(self, side: OrderSide, price: float, allowed: bool, now_ns: int) -> bool:
        """Have one order rest at a price; whether anything was sent."""
        order = self.orders[side]
        if order is not None and order.is_closed:
            order = self.orders[side] = None
        if order is not None:
            if (allowed and abs(self.prices[side] - price) < TICK / 2) or now_ns < self.placed_ns[side] + LIFETIME_NS:
                return False
            self.cancel_order(order)
        elif not allowed:
            return False
        self.orders[side] = None
        if allowed:
            instrument = self.instrument
            order = self.order_factory.limit(TAPE, side, instrument.make_qty(SIZE), instrument.make_price(price))
            self.orders[side], self.prices[side], self.placed_ns[side] = order, price, now_ns
            self.placed += 1
            self.submit_order(order)
        return True

    def on_order_filled(self, event: object) -> None:
        """Count what is held."""
        self.fills += 1
        quantity = float(event.last_qty)  # type: ignore[attr-defined]
        self.inventory += quantity if event.order_side == OrderSide.BUY else -quantity  # type: ignore[attr-defined]


def engine_with(quoter: Quoter) -> BacktestEngine:
    """A venue that matches against the book, one binary market, an account of 10,000 dollars."""
    engine = BacktestEngine(BacktestEngineConfig(trader_id=TraderId("BENCH-001"), logging=LoggingConfig(bypass_logging=True)))
    engine.add_venue(
        VENUE,
        OmsType.NETTING,
        AccountType.MARGIN,
        starting_balances=[Money(10_000, USDC)],
        base_currency=USDC,
        book_type=BookType.L2_MBP,
        fill_model=FillModel(prob_fill_on_limit=0.0),
        latency_model=LatencyModel(base_latency_nanos=LATENCY_NS),
    )
    engine.add_instrument(
        BinaryOption(
            instrument_id=TAPE,
            raw_symbol=Symbol("TAPE"),
            outcome="Yes",
            description="a tape from a seed",
            asset_class=AssetClass.ALTERNATIVE,
            currency=USDC,
            price_precision=2,
            price_increment=Price.from_str("0.01"),
            size_precision=2,
            size_increment=Quantity.from_str("0.01"),
            activation_ns=0,
            expiration_ns=2**62,
            max_quantity=None,
            min_quantity=Quantity.from_str("1.00"),
            maker_fee=Decimal(0),
            taker_fee=Decimal(0),
            ts_event=0,
            ts_init=0,
        )
    )
    engine.add_strategy(quoter)
    return engine


def main(tape: str, mode: str) -> None:
    """``memory``: the data are built and handed over before the clock starts. ``raw``: from opening the file to the result."""
    quoter = Quoter()
    data = load(tape) if mode == "memory" else []
    engine = engine_with(quoter)
    if mode == "memory":
        engine.add_data(data)
    began, cpu = time.perf_counter(), time.process_time()
    if mode == "raw":
        data = load(tape)
        engine.add_data(data)
    engine.run()
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {"events": len(data), "seconds": seconds, "cpu_s": cpu_s, "rss_mb": peak / 1_000}
    told |= {"callbacks": quoter.callbacks, "orders": quoter.placed, "fills": quoter.fills}
    print(json.dumps(told))
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
