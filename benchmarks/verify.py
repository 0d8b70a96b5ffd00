"""Proving books: what one batch costs with its hash over a book of two hundred levels, and what the venue's peak is of a core.

Its peer is the least that any proof takes: SHA-1 over as many bytes as the book's text has.
"""

from __future__ import annotations

import hashlib
import time
from random import Random

from benchmarks.machine import Options, interleave
from benchmarks.table import Figure
from pipeline.market.hashed import HashedBook
from pipeline.market.market_feed import MarketFeed
from pipeline.market.token_book import BookRules
from pipeline.market.verify import book_hash
from pipeline.messages.market import Market, Outcome, TextLevel, VenueBook, VenuePriceChange

TOKEN, MARKET = "71321045679252212594626385532706912750332728571942532289631379312455583992563", "0x5f65177b394277fd294cd7565"
LEVELS = 100
CHANGES = 5_000
PEAK_PER_S = 2_028
"""Price changes in the busiest second of the captures of the venue's live market channel."""
TARGET_US = 25.0
START_MS = 1_780_000_000_000


def figures(options: Options) -> list[Figure]:
    """Microseconds a batch: taken in, applied, hashed, proved, and its top and rows made."""
    book, changes = _made(LEVELS)
    text = bytes(sum(len(f'{{"price":"{price}","size":"{size}"}},') for price, size in (*book.bids, *book.asks)) + 250)
    ours, bare = interleave(options.runs, lambda: _ours_us(book, changes), lambda: _bare_us(text))
    shares = tuple(100 * us * PEAK_PER_S / 1e6 for us in ours)
    return [
        Figure(
            f"book, batch applied, hashed and proved, {LEVELS} levels a side",
            "us",
            ours,
            TARGET_US,
            None,
            f"hashlib, SHA-1 of {len(text):,} B",
            bare,
        ),
        Figure(f"the recorded peak of {PEAK_PER_S:,} changes/s", "% of a core", shares),
    ]


def _ours_us(book: VenueBook, changes: list[VenuePriceChange]) -> float:
    kept = _kept(book)
    began = time.perf_counter()
    for change in changes:
        kept.take_change(change, change.ts_ns)
    took_us = (time.perf_counter() - began) / CHANGES * 1e6
    assert kept.feed.counts["hash_matches"] == CHANGES + 1, kept.feed.counts
    return took_us


def _bare_us(text: bytes) -> float:
    began = time.perf_counter()
    for _ in range(CHANGES):
        hashlib.sha1(text).hexdigest()
    return (time.perf_counter() - began) / CHANGES * 1e6


def _kept(book: VenueBook) -> HashedBook:
    feed = MarketFeed(MARKET)
    feed.set_market(Market(MARKET, (Outcome(TOKEN, "Yes"), Outcome("2", "No")), min_order_size="5", neg_risk=False))
    kept = HashedBook(TOKEN, feed, BookRules())
    kept.take_book(book, book.ts_ns)
    return kept


def _made(levels: int) -> tuple[VenueBook, list[VenuePriceChange]]:
    """A book with its hash, and changes of one level each, the best one among them, each with the hash after it."""
    draw = Random(1)
    bids = {f"0.{500 - offset:03d}": f"{draw.randrange(5, 5_000)}" for offset in range(1, levels + 1)}
    asks = {f"0.{500 + offset:03d}": f"{draw.randrange(5, 5_000)}.{draw.randrange(10, 99)}" for offset in range(1, levels + 1)}

    def hash_at(venue_ts: str) -> str:
        rising: list[TextLevel] = sorted(bids.items())
        falling: list[TextLevel] = sorted(asks.items(), reverse=True)
        return book_hash(MARKET, TOKEN, venue_ts, rising, falling, "5", "0.001", False, "0.500")

    opening = VenueBook(
        ts_ns=START_MS * 1_000_000,
        token_id=TOKEN,
        market=MARKET,
        bids=tuple(bids.items()),
        asks=tuple(asks.items()),
        source="ws",
        venue_ts=str(START_MS),
        hash=hash_at(str(START_MS)),
        tick_size="0.001",
        last_trade_price="0.500",
        min_order_size="5",
        neg_risk=False,
    )
    changes = []
    for number in range(1, CHANGES + 1):
        side = draw.choice(("BUY", "SELL"))
        levels_of = bids if side == "BUY" else asks
        price = draw.choice(sorted(levels_of))
        levels_of[price] = f"{draw.randrange(5, 5_000)}.{draw.randrange(10, 99)}"
        venue_ts = str(START_MS + number)
        changes.append(
            VenuePriceChange(
                ts_ns=(START_MS + number) * 1_000_000,
                token_id=TOKEN,
                market=MARKET,
                venue_ts=venue_ts,
                hash=hash_at(venue_ts),
                changes=((price, levels_of[price], side),),
                best_bid=max(bids),
                best_ask=min(asks),
            )
        )
    return opening, changes
