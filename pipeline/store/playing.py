"""The books and trades of a database, as messages of the feed: what the writer stored, in the order of its time.

Levels come as they were stored, whole books first where times are equal; the database holds no hash of a batch, so that books are
unverified and traded on only where ``[confidence]`` lets an unverified book be.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import msgspec
from sqlalchemy import Connection

from pipeline.base.units import NS_PER_MS, format_e6
from pipeline.messages import Message
from pipeline.messages.market import Market, Outcome, VenueBook, VenuePriceChange, VenueTrade
from pipeline.store.catalogue import outcome_key
from pipeline.store.markets import stored_markets
from pipeline.store.open import Store, open_store

_LEVELS = msgspec.json.Decoder(list[tuple[int, int]])
_SIDE = {"bid": "BUY", "ask": "SELL"}
_QUERIES = (
    "SELECT ts_ns, 0, id, market_id, outcome_id, bids, asks FROM orderbook_snapshots",
    "SELECT ts_ns, 1, id, market_id, outcome_id, side, price_e6, size_e6 FROM orderbook_events",
    "SELECT ts_ns, 2, id, market_id, outcome_id, side, price_e6, size_e6 FROM trades",
)


def stored_catalogue(db_url: str) -> tuple[tuple[Market, ...], int, int, int]:
    """(markets, first and last time in nanoseconds, rows) of what can be played from a database. Raises BadInput."""
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        markets = _catalogue(conn)
        spans = [
            conn.exec_driver_sql(f"SELECT min(ts_ns), max(ts_ns), count(*) FROM {query.rpartition(' ')[2]}").one()
            for query in _QUERIES
        ]
        known = [span for span in spans if span[2]]
        first, last = min((span[0] for span in known), default=0), max((span[1] for span in known), default=0)
        return markets, int(first), int(last), int(sum(span[2] for span in known))


def _catalogue(conn: Connection) -> tuple[Market, ...]:
    """The markets that were described, and those that are only known by the names of their outcomes."""
    described = {market.market_id: market for market in stored_markets(conn)}
    named: dict[str, list[Outcome]] = {}
    for market_id, token_id, name in conn.exec_driver_sql(
        "SELECT market_id, token_id, name FROM outcomes ORDER BY market_id, position, outcome_id"
    ):
        if market_id not in described:
            named.setdefault(market_id, []).append(Outcome(token_id, name))
    return (*described.values(), *(Market(market_id=name, outcomes=tuple(outcomes)) for name, outcomes in named.items()))


def stored_messages(db_url: str, markets: Sequence[Market]) -> Iterator[Message]:
    """Every stored book, change and trade of these markets, in the order of time."""
    tokens: dict[tuple[str, str], str] = {
        outcome_key(market.market_id, token): token for market in markets for token in market.token_ids
    }
    with open_store(db_url, read_only=True) as store:
        streams = [_rows(store, query, tokens) for query in _QUERIES]
        try:
            for row in heapq.merge(*streams, key=_order):
                yield _MESSAGES[row[1]](row, tokens[row[3], row[4]])
        finally:
            for stream in streams:
                stream.close()


def _order(row: Sequence[Any]) -> tuple[int, int, int]:
    return row[0], row[1], row[2]


def _rows(store: Store, query: str, tokens: dict[tuple[str, str], str]) -> Any:
    def read() -> Iterator[Sequence[Any]]:
        with closing(store.connect()) as conn:
            for row in conn.execution_options(stream_results=True).exec_driver_sql(f"{query} ORDER BY ts_ns, id"):
                if (row[3], row[4]) in tokens:
                    yield tuple(row)

    return read()


def _book(row: Sequence[Any], token_id: str) -> Message:
    bids, asks = (tuple((format_e6(price), format_e6(size)) for price, size in _LEVELS.decode(text)) for text in row[5:7])
    return VenueBook(
        ts_ns=row[0], token_id=token_id, market=row[3], bids=bids, asks=asks, source="ws", venue_ts=str(row[0] // NS_PER_MS)
    )


def _change(row: Sequence[Any], token_id: str) -> Message:
    return VenuePriceChange(
        ts_ns=row[0],
        token_id=token_id,
        market=row[3],
        venue_ts=str(row[0] // NS_PER_MS),
        hash="",
        changes=((format_e6(row[6]), format_e6(row[7]), _SIDE[row[5]]),),
    )


def _trade(row: Sequence[Any], token_id: str) -> Message:
    return VenueTrade(
        ts_ns=row[0],
        token_id=token_id,
        market=row[3],
        venue_ts=str(row[0] // NS_PER_MS),
        price=format_e6(row[6]),
        size=format_e6(row[7]),
        side=row[5],
    )


_MESSAGES: tuple[Callable[[Sequence[Any], str], Message], ...] = (_book, _change, _trade)
