"""Which books have been silent for too long: quiet ones, which is well, and stale ones, which nothing vouches for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.base.units import NS_PER_MS
from pipeline.market.token_book import TokenBook
from pipeline.messages import Message


@dataclass(frozen=True)
class AgeLimits:
    """``staleness_ns``: a token silent for longer is quiet, or stale if the whole feed is silent for as long.

    ``unvouched_ns``: one for which so long neither a change nor a spot check has vouched is stale; 0 is never, where nobody makes them.
    """

    staleness_ns: int
    unvouched_ns: int = 0


def check_ages(books: Iterable[TokenBook], feed_heard_ns: int, limits: AgeLimits, now_ns: int) -> list[Message]:
    """What follows for every book. ``feed_heard_ns`` is when anything at all was heard of the feed, its links' signs of life included."""
    out: list[Message] = []
    feed_silent_ns = now_ns - feed_heard_ns
    for book in books:
        silent_ns = now_ns - book.heard_ns
        if silent_ns <= limits.staleness_ns:
            continue
        unvouched_ns = min(silent_ns, now_ns - book.vouched_ns)
        if feed_silent_ns > limits.staleness_ns:
            out += book.silent(now_ns, f"nothing heard for {feed_silent_ns // NS_PER_MS} ms")
        elif limits.unvouched_ns and unvouched_ns > limits.unvouched_ns:
            out += book.silent(now_ns, f"neither a change nor a spot check for {unvouched_ns // NS_PER_MS} ms")
        else:
            out += book.quiet(now_ns)
    return out
