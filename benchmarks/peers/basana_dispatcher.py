"""basana's backtesting dispatcher with a handler in Python, on a generic tape. Run by the interpreter of its environment.

Its exchange simulates bars, not books, so this is the dispatcher alone: the handler keeps the book of the tape (a dict a side with the best
price beside it) and says by the rule of the other sides when it would quote anew. No order is matched and no account kept: a bound for
engines whose loop and strategy are Python.
"""

from __future__ import annotations

import asyncio
import datetime
import json
import resource
import sys
import time

import basana
import msgspec

EDGE, MAX_INVENTORY = 1, 200
REQUOTE_MS, LIFETIME_MS = 500, 1_000


class Line(msgspec.Struct, gc=False):
    """A line of the tape."""

    seq: int
    ts_ms: int
    bids: list[tuple[float, float]] = []
    asks: list[tuple[float, float]] = []


class BookEvent(basana.Event):
    """What one line changes: ``changes`` are side (0 bids, 1 asks), price in ticks and signed change in hundredths of a share."""

    def __init__(self, when: datetime.datetime, ts_ms: int, changes: list[tuple[int, int, int]]) -> None:
        super().__init__(when)
        self.ts_ms, self.changes = ts_ms, changes


def load(path: str) -> list[BookEvent]:
    """The tape as events, one a line."""
    decode = msgspec.json.Decoder(Line).decode
    utc, at = datetime.UTC, datetime.datetime.fromtimestamp
    found = []
    with open(path, "rb") as stream:  # noqa: PTH123
        for text in stream:
            line = decode(text)
            changes = [(0, round(price * 100), round(change * 100)) for price, change in line.bids]
            changes += [(1, round(price * 100), round(change * 100)) for price, change in line.asks]
            found.append(BookEvent(at(line.ts_ms / 1_000, utc), line.ts_ms, changes))
    return found


class Quoter:
    """Keeps the book and counts the orders that it would send."""

    def __init__(self) -> None:
        self.sizes: tuple[dict[int, int], dict[int, int]] = ({}, {})
        self.best = [0, 100]
        self.prices = [0, 0]
        self.placed_ms = [0, 0]
        self.next_ms = self.callbacks = self.orders = 0

    async def on_event(self, event: BookEvent) -> None:
        """Apply the changes; quote where it is time to."""
        self.callbacks += 1
        best = self.best
        for side, price, change in event.changes:
            sizes = self.sizes[side]
            size = sizes.get(price, 0) + change
            if size > 0:
                sizes[price] = size
                if price > best[0] if side == 0 else price < best[1]:
                    best[side] = price
            else:
                sizes.pop(price, None)
                if price == best[side]:
                    best[side] = max(sizes, default=0) if side == 0 else min(sizes, default=100)
        if event.ts_ms < self.next_ms:
            return
        inside = min(EDGE, (best[1] - best[0]) // 4)
        moved = False
        for side, wanted in ((0, best[0] + inside), (1, best[1] - inside)):
            if wanted != self.prices[side] and event.ts_ms >= self.placed_ms[side] + LIFETIME_MS:
                self.prices[side], self.placed_ms[side] = wanted, event.ts_ms
                self.orders += 1
                moved = True
        if moved:
            self.next_ms = event.ts_ms + REQUOTE_MS


async def play(events: list[BookEvent], quoter: Quoter) -> None:
    """Dispatch all events."""
    dispatcher = basana.backtesting_dispatcher()
    dispatcher.subscribe(basana.FifoQueueEventSource(events=events), quoter.on_event)
    await dispatcher.run(stop_signals=[])


def main(tape: str, mode: str) -> None:
    """``memory``: the events are built before the clock starts. ``raw``: from opening the file to the last event."""
    quoter = Quoter()
    events = load(tape) if mode == "memory" else []
    began, cpu = time.perf_counter(), time.process_time()
    if mode == "raw":
        events = load(tape)
    asyncio.run(play(events, quoter))
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {"events": len(events), "seconds": seconds, "cpu_s": cpu_s, "rss_mb": peak / 1_000}
    print(json.dumps(told | {"callbacks": quoter.callbacks, "orders": quoter.orders, "fills": 0}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
