"""Reading: how feeds stand, what runs there were, and how much is stored."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, and_, func, select

from pipeline.store.rows import BookStateRow, RunRow, StatusRow, fetch
from pipeline.store.schema import (
    book_states,
    exec_audit,
    fills,
    market_status,
    markets,
    metadata,
    opportunities,
    orderbook_events,
    orderbook_snapshots,
    orders,
    outcomes,
    runs,
    trades,
)
from pipeline.store.statements import names_of


def market_statuses(conn: Connection, market_id: str | None = None) -> list[StatusRow]:
    """One row a market that has one, or of the given market, in the order of their ids."""
    names = names_of(market_status, without=("run_id",))
    query = (
        select(*(market_status.c[name] for name in names), markets.c.question)
        .join(markets, markets.c.market_id == market_status.c.market_id)
        .order_by(market_status.c.market_id)
    )
    if market_id is not None:
        query = query.where(market_status.c.market_id == market_id)
    return [
        StatusRow(**{**row._mapping, "other": msgspec.json.decode(row.other, type=dict[str, int])}) for row in conn.execute(query)
    ]


def latest_book_states(conn: Connection, market_id: str | None = None) -> list[BookStateRow]:
    """The last stored state of each outcome's book, the outcomes of a market in its order."""
    newest = select(func.max(book_states.c.id)).group_by(book_states.c.market_id, book_states.c.outcome_id)
    if market_id is not None:
        newest = newest.where(book_states.c.market_id == market_id)
    state = book_states.c.new.label("state")
    names = ("market_id", "outcome_id", "ts_ms", "basis", "reason", "verified_ns")
    latest_run = select(func.max(runs.c.id)).where(runs.c.role == "book_builder").scalar_subquery()
    query = (
        select(
            *(book_states.c[name] for name in names),
            state,
            func.coalesce(outcomes.c.token_id, book_states.c.outcome_id).label("token_id"),
            func.coalesce(outcomes.c.name, book_states.c.outcome_id).label("outcome"),
            runs.c.ended_ns,
            (runs.c.id >= func.coalesce(latest_run, 0)).label("is_latest_run"),
        )
        .join(runs, runs.c.id == book_states.c.run_id)
        .outerjoin(
            outcomes, and_(outcomes.c.market_id == book_states.c.market_id, outcomes.c.outcome_id == book_states.c.outcome_id)
        )
        .where(book_states.c.id.in_(newest))
        .order_by(book_states.c.market_id, outcomes.c.position, book_states.c.outcome_id)
    )
    return fetch(conn, query, BookStateRow)


def latest_runs(conn: Connection, limit: int = 20, role: str | None = None) -> list[RunRow]:
    """The newest runs first."""
    query = select(*(runs.c[name] for name in names_of(runs, without=("body",)))).order_by(runs.c.id.desc()).limit(limit)
    if role is not None:
        query = query.where(runs.c.role == role)
    return [
        RunRow(**{**row._mapping, "counts": msgspec.json.decode(row.counts, type=dict[str, int])}) for row in conn.execute(query)
    ]


def table_counts(conn: Connection) -> dict[str, int]:
    """The number of rows of every table. It reads whole tables: seconds for millions of rows."""
    return {name: conn.execute(select(func.count()).select_from(table)).scalar_one() for name, table in metadata.tables.items()}


def main_counts(conn: Connection) -> dict[str, int]:
    """The number of rows of the tables people ask about. Events and snapshots are counted as they are written, so this reads little."""
    found = {}
    for column, table in ((market_status.c.event_rows, orderbook_events), (market_status.c.snapshot_rows, orderbook_snapshots)):
        found[table.name] = conn.execute(select(func.coalesce(func.sum(column), 0))).scalar_one()
    for table in (trades, orders, fills, exec_audit, opportunities, markets):
        found[table.name] = conn.execute(select(func.count()).select_from(table)).scalar_one()
    return found
