"""What one book says of another: whether a venue's answer agrees with the kept book, lags behind it, is ahead of it, or is a ghost."""

from __future__ import annotations

from collections.abc import Container
from typing import Literal

from pipeline.market.book import OrderBook
from pipeline.market.venue_time import time_ms

Key = tuple[str, str]
"""(timestamp, hash): what names a state of a token's book."""
GHOST_BID_E6, GHOST_ASK_E6 = 10_000, 990_000

Verdict = Literal[
    "same",  # the levels are equal
    "older",  # the answer is a state that the feed has passed
    "newer",  # the answer has something that the feed has not delivered
    "other",  # the same state by its name, with other levels
    "ghost",  # nothing but 0.01 against 0.99, where the kept book is tighter
]


def compare(book: OrderBook, seen: Container[Key], answer: OrderBook) -> Verdict:
    """What an answer says of the kept book. ``seen`` are the states that the feed delivered lately."""
    if answer.bids.sizes == book.bids.sizes and answer.asks.sizes == book.asks.sizes:
        return "same"
    ours, theirs = key_of(book), key_of(answer)
    if theirs == ours and theirs[1]:
        return "other"
    if is_ghost(answer, book):
        return "ghost"
    if time_ms(theirs[0]) < time_ms(ours[0]) or theirs in seen:
        return "older"
    return "newer"


def is_ghost(answer: OrderBook, book: OrderBook) -> bool:
    """Whether an answer is the 0.01/0.99 book that the venue's REST interface sometimes gives (seen 2026), and ours is not."""
    bid, ask = answer.best_bid, answer.best_ask
    if (bid is not None and bid > GHOST_BID_E6) or (ask is not None and ask < GHOST_ASK_E6):
        return False
    our_bid, our_ask = book.best_bid, book.best_ask
    return (our_bid is not None and our_bid > GHOST_BID_E6) or (our_ask is not None and our_ask < GHOST_ASK_E6)


def key_of(book: OrderBook) -> Key:
    """The (timestamp, hash) that names a book's state; empty texts where they are unknown."""
    return book.venue_ts or "", book.hash or ""
