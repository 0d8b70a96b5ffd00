"""Book events on their way to ``orderbook_events``: most of what is ever stored, so messages wait as they are and become rows at the end.

Events of one run about one outcome, as a replay of one market has them, name the run and the outcome once a statement: binding those
again for every row is a fifth of what a row costs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from pipeline.base.units import NS_PER_MS
from pipeline.messages.records import BookEvents
from pipeline.store.market import add_to_rows
from pipeline.store.schema import orderbook_events
from pipeline.store.statements import insert_values

Names = tuple[int, str, str]
"""Run, market and outcome."""
_OWN = 7
"""Values that each event has besides."""


class EventRows:
    """Events that wait for one transaction, in the order in which they came."""

    def __init__(self) -> None:
        self._groups: list[tuple[Names, list[BookEvents]]] = []

    def group(self, names: Names) -> Callable[[BookEvents], None]:
        """Begin a group of messages; what is returned takes each of them, until ``clear`` or the next group."""
        messages: list[BookEvents] = []
        self._groups.append((names, messages))
        return messages.append

    def write(self, conn: Connection) -> None:
        """Add the rows, and count them per market in ``market_status.event_rows``. What was written stays here until ``clear``."""
        groups = self._groups
        if not groups:
            return
        counted: Counter[str] = Counter()
        if len(groups) == 1:
            names, messages = groups[0]
            values = _own_values(messages)
            insert_values(conn, orderbook_events, values, names)
            counted[names[1]] = len(values) // _OWN
        else:
            insert_values(conn, orderbook_events, _all_values(groups))
            for names, messages in groups:
                counted[names[1]] += sum([len(msg.events) for msg in messages])
        add_to_rows(conn, "event_rows", counted)

    def clear(self) -> None:
        """Forget everything."""
        self._groups.clear()


def _own_values(messages: list[BookEvents]) -> list[Any]:
    """What each event has of its own, one row after another."""
    values: list[Any] = []
    for msg in messages:
        ts_ns, seq = msg.ts_ns, msg.seq
        ts_ms = (msg.venue_ns or ts_ns) // NS_PER_MS
        for event in msg.events:
            values += (seq, ts_ms, ts_ns, event.side, event.price_e6, event.size_e6, event.change_e6)
    return values


def _all_values(groups: list[tuple[Names, list[BookEvents]]]) -> list[Any]:
    """The same with the run, market and outcome before each."""
    values: list[Any] = []
    for (run_id, market_id, outcome_id), messages in groups:
        for msg in messages:
            ts_ns, seq = msg.ts_ns, msg.seq
            ts_ms = (msg.venue_ns or ts_ns) // NS_PER_MS
            for event in msg.events:
                level = event.side, event.price_e6, event.size_e6, event.change_e6
                values += (run_id, market_id, outcome_id, seq, ts_ms, ts_ns, *level)
    return values
