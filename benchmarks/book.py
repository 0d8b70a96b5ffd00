"""A book of a hundred levels a side: one level changed and the best prices read, beside a dict with a pointer to the best price."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random

from benchmarks.machine import Options, interleave
from benchmarks.samples import MARKET, TOKEN, TS_NS
from benchmarks.table import Figure
from pipeline.market.book import OrderBook
from pipeline.messages.market import BookDelta, VenueBook

LEVELS = 100
CHANGES = 20_000
TIMES_BARE = 3.0
"""What parsing, events and checks may make of the bare work."""
Sizes = dict[bool, dict[int, int]]
"""By side (True: bids) and tick of a thousandth of a dollar."""
Change = tuple[bool, int, int]
"""Side, tick, signed change."""


def figures(options: Options) -> list[Figure]:
    """Microseconds a change, from its message to the best bid and ask."""
    sizes, changes = made()
    opening, messages = told(sizes, changes)
    ours, bare = interleave(options.runs, lambda: _ours_us(opening, messages), lambda: _bare_us(sizes, changes))
    name = f"book, one level applied and best read, {LEVELS} levels a side"
    return [Figure(name, "us", ours, peer_name="dict + best pointer, of integers", peer=bare, aim=TIMES_BARE)]


def told(sizes: Sizes, changes: Sequence[Change]) -> tuple[VenueBook, list[BookDelta]]:
    """The book and its changes as messages."""
    bids, asks = (tuple((_price(tick), str(size)) for tick, size in sizes[side].items()) for side in (True, False))
    opening = VenueBook(ts_ns=TS_NS, token_id=TOKEN, market=MARKET, bids=bids, asks=asks, source="ws", seq=1)
    messages = [
        BookDelta(
            ts_ns=TS_NS,
            token_id=TOKEN,
            market=MARKET,
            seq=seq,
            bids=((_price(tick), str(by)),) if is_bid else (),
            asks=() if is_bid else ((_price(tick), str(by)),),
        )
        for seq, (is_bid, tick, by) in enumerate(changes, 2)
    ]
    return opening, messages


def _price(tick: int) -> str:
    return f"{tick / 1_000:g}"


def made() -> tuple[Sizes, list[Change]]:
    """A book, and changes near its top, among them removals and new best prices; never crossed."""
    draw = Random(1)
    sizes: Sizes = {True: {}, False: {}}
    for away in range(1, LEVELS + 1):
        sizes[True][500 - away], sizes[False][500 + away] = draw.randrange(10, 500), draw.randrange(10, 500)
    now = {side: dict(levels) for side, levels in sizes.items()}
    changes = []
    for _ in range(CHANGES):
        is_bid, away = draw.random() < 0.5, 1 + min(LEVELS - 1, int(draw.expovariate(0.15)))
        tick = 500 - away if is_bid else 500 + away
        old = now[is_bid].get(tick, 0)
        by = -old if old and draw.random() < 0.1 else draw.randrange(1, 200)
        now[is_bid][tick] = old + by
        changes.append((is_bid, tick, by))
    return sizes, changes


def _ours_us(opening: VenueBook, messages: list[BookDelta]) -> float:
    book = OrderBook.from_message(opening)
    apply = book.apply_delta
    began = time.perf_counter()
    for msg in messages:
        apply(msg)
        _ = book.best_bid, book.best_ask
    return (time.perf_counter() - began) / CHANGES * 1e6


def _bare_us(sizes: Sizes, changes: list[Change]) -> float:
    """The least: integers that are ready to use, no events, no check."""
    bids, asks = dict(sizes[True]), dict(sizes[False])
    best_bid, best_ask = max(bids), min(asks)
    began = time.perf_counter()
    for is_bid, tick, by in changes:
        if is_bid:
            size = bids.get(tick, 0) + by
            if size > 0:
                bids[tick] = size
                if tick > best_bid:
                    best_bid = tick
            else:
                del bids[tick]
                if tick == best_bid:
                    while best_bid not in bids:
                        best_bid -= 1
        else:
            size = asks.get(tick, 0) + by
            if size > 0:
                asks[tick] = size
                if tick < best_ask:
                    best_ask = tick
            else:
                del asks[tick]
                if tick == best_ask:
                    while best_ask not in asks:
                        best_ask += 1
        _ = best_bid, best_ask
    return (time.perf_counter() - began) / CHANGES * 1e6
