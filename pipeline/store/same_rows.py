"""Whether a database holds of some runs what another one holds, row by row.

A database lives on after a session: retention prunes it, and later sessions bring orders, fills and markets up to date. What that explains
is counted by its cause, and is no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import Connection, Table

from pipeline.base.units import NS_PER_MS
from pipeline.store import schema as tables
from pipeline.store.retention import PRUNED_TABLES
from pipeline.store.statements import columns

Row = tuple[Any, ...]
Excuse = Literal["pruned", "earlier", "later", ""]
"""Why a row is not there, or is another one: retention; an earlier session had written the same; a later one changed it; "": no reason."""

APPENDED: Final = (
    tables.orderbook_events,
    tables.orderbook_snapshots,
    tables.trades,
    tables.book_states,
    tables.hash_checks,
    tables.opportunities,
    tables.portfolio,
    tables.markouts,
    tables.reward_estimates,
    tables.journal,
    tables.order_events,
    tables.exec_audit,
    tables.halts,
    tables.market_versions,
)
"""Tables that only grow: their rows are compared in their order."""
KEYED: Final = (
    tables.runs,
    tables.markets,
    tables.outcomes,
    tables.market_status,
    tables.feed_gaps,
    tables.order_intents,
    tables.orders,
    tables.fills,
)
"""Tables with one row a key, which later words replace."""
_NOT_COMPARED: Final = {"markets": ("volume_24h_e6",), "market_status": ("event_rows", "snapshot_rows")}
"""Columns that tell of more than the session: they are brought up to date without a word of who did it."""
_FIRST_WORDS: Final = {"orders": ("ts_ms",), "fills": ("ts_ms", "ts_ns")}
"""Columns in which the first word on a key stays, whoever says more."""
_FROM: Final = {
    "runs": "runs WHERE id BETWEEN ? AND ?",
    "outcomes": "outcomes JOIN markets USING (market_id) WHERE markets.run_id BETWEEN ? AND ?",
}
_SHOWN_ROWS: Final = 10_000


class RowDifference(NamedTuple):
    """The first row that is another one: the ``number`` of the row in its table, by column what stands there and what was written again."""

    table: str
    number: int
    was: dict[str, Any] | None
    is_: dict[str, Any] | None


@dataclass(slots=True)
class SameRows:
    """``same`` rows were compared; ``excused`` counts those that are gone or changed for a reason. ``difference`` ends the comparison."""

    same: int = 0
    excused: Counter[str] = field(default_factory=Counter)
    difference: RowDifference | None = None


def compare_rows(
    original: Connection, again: Connection, first: int, last: int, shown: Callable[[int], None] = lambda rows: None
) -> SameRows:
    """Compare what two databases hold of the runs with the ids ``first`` to ``last``. ``again`` holds these runs alone, unpruned.

    ``shown`` is told now and then how many rows are done.
    """
    look = _Look(original, again, first, last, shown)
    for table in (*KEYED, *APPENDED):
        look.compare(table)
        if look.found.difference is not None:
            break
    return look.found


class _Look:
    """The two databases, side by side."""

    def __init__(self, original: Connection, again: Connection, first: int, last: int, shown: Callable[[int], None]) -> None:
        self._original, self._again, self._runs, self._shown = original, again, (first, last), shown
        self.found = SameRows()
        self._oldest_ms = _oldest_ms(original)
        self._began_ns = _value(again, "SELECT min(started_ns) FROM runs WHERE id BETWEEN ? AND ?", self._runs) or 0
        self._known: set[str] = set()

    def compare(self, table: Table) -> None:
        """One table, up to the first difference."""
        names = _compared(table)
        key = tuple(names.index(column.name) for column in table.primary_key) if table in KEYED else ()
        order = ", ".join(f"{table.name}.{names[at]}" for at in key) or "rowid"
        chosen = ", ".join(f"{table.name}.{name}" for name in names)
        source = _FROM.get(table.name, f"{table.name} WHERE run_id BETWEEN ? AND ?")
        query = f"SELECT {chosen} FROM {source} ORDER BY {order}"
        there, here = (self._rows(conn, query) for conn in (self._original, self._again))
        was, is_ = next(there, None), next(here, None)
        for number in count(1):
            if was is None and is_ is None:
                return
            if was is not None and is_ is not None and key and _at(was, key) != _at(is_, key):
                one, other = (was, None) if _at(was, key) < _at(is_, key) else (None, is_)
            else:
                one, other = was, is_
            if (
                one is not None
                and other is not None
                and (one == other or self._with_first_words(table, names, one, other) == one)
            ):
                self.found.same += 1
                if self.found.same % _SHOWN_ROWS == 0:
                    self._shown(self.found.same)
            else:
                excuse = self._excuse(table, dict(zip(names, is_, strict=True)) if is_ else None, one)
                if not excuse:
                    self.found.difference = RowDifference(table.name, number, _named(names, one), _named(names, other))
                    return
                self.found.excused[excuse] += 1
                if not key:
                    one = None  # the row is not there: what stands there is compared with the next
            was = next(there, None) if one is not None else was
            is_ = next(here, None) if other is not None else is_

    def _rows(self, conn: Connection, query: str) -> Iterator[Row]:
        for row in conn.exec_driver_sql(query, self._runs):
            yield tuple(row)

    def _with_first_words(self, table: Table, names: tuple[str, ...], was: Row, is_: Row) -> Row:
        """A row as it would be if what an earlier session said first of its key had been known."""
        changed = list(is_)
        for name in _FIRST_WORDS.get(table.name, ()):
            at = names.index(name)
            if was[at] * (NS_PER_MS if name == "ts_ms" else 1) < self._began_ns:
                changed[at] = was[at]
        return tuple(changed)

    def _excuse(self, table: Table, is_: dict[str, Any] | None, was: Row | None) -> Excuse:
        """Why a row that was written again is not there or is another one; ``is_`` None: only the original has it."""
        first, last = self._runs
        if is_ is None:
            return "earlier" if table is tables.outcomes and first > 1 else ""
        if table in PRUNED_TABLES and (self._oldest_ms is None or is_["ts_ms"] < self._oldest_ms):
            return "pruned"
        match table.name:
            case "journal":
                said_ms = _value(self._again, "SELECT json_extract(?, '$[1]') / ?", (is_["body"], NS_PER_MS))
                return "pruned" if self._oldest_ms is None or said_ms < self._oldest_ms else ""
            case "market_versions":
                return self._version_stood(is_["condition_id"], is_["body"])
            case "fills" if was is not None:
                later = "SELECT 1 FROM fills WHERE reverses = ? AND run_id > ?"
                return "later" if _value(self._original, later, (is_["trade_id"], last)) else ""
            case "markets" | "outcomes":
                return self._market_is_of_others(is_["market_id"])
            case "market_status" | "orders" | "fills" if was is None:
                keys = [column.name for column in table.primary_key]
                query = f"SELECT run_id FROM {table.name} WHERE {' AND '.join(f'{key} = ?' for key in keys)}"
                owner = _value(self._original, query, tuple(is_[key] for key in keys))
                return "later" if owner is not None and owner > last else ""
        return ""

    def _market_is_of_others(self, market_id: str) -> Excuse:
        """A later session has described a market anew, or an earlier one as it was in this session."""
        first, last = self._runs
        query = "SELECT run_id, body FROM markets WHERE market_id = ?"
        row = self._original.exec_driver_sql(query, (market_id,)).first()
        if row is None or first <= row.run_id <= last:
            return ""
        if row.run_id > last:
            return "later"
        again = _value(self._again, "SELECT body FROM markets WHERE market_id = ?", (market_id,))
        return "earlier" if again in (None, row.body) else ""

    def _version_stood(self, condition_id: str, body: str) -> Excuse:
        """The first word of this session on a market was what the database had of it: nothing was written."""
        first = _value(
            self._again, "SELECT body FROM market_versions WHERE condition_id = ? ORDER BY id LIMIT 1", (condition_id,)
        )
        if condition_id in self._known or body != first:
            return ""
        self._known.add(condition_id)
        query = "SELECT body FROM market_versions WHERE condition_id = ? AND run_id < ? ORDER BY id DESC LIMIT 1"
        return "earlier" if _value(self._original, query, (condition_id, self._runs[0])) == body else ""


def _compared(table: Table) -> tuple[str, ...]:
    """The columns that are compared: ids of rows, but for those of runs, only tell their order."""
    names = tuple(column.name for column in table.columns) if table is tables.runs else columns(table)
    return tuple(name for name in names if name not in _NOT_COMPARED.get(table.name, ()))


def _oldest_ms(conn: Connection) -> int | None:
    """No row from this time on was pruned. Tables are pruned one after another: the first that holds anything tells the latest time."""
    for table in PRUNED_TABLES:
        if table is not tables.book_states:  # which keeps states that were in force
            found = _value(conn, f"SELECT min(ts_ms) FROM {table.name}", ())
            if found is not None:
                return int(found)
    return None


def _value(conn: Connection, query: str, given: tuple[Any, ...]) -> Any:
    return conn.exec_driver_sql(query, given).scalar()


def _at(row: Row, key: tuple[int, ...]) -> Row:
    return tuple(row[at] for at in key)


def _named(names: tuple[str, ...], row: Row | None) -> dict[str, Any] | None:
    return None if row is None else dict(zip(names, row, strict=True))
