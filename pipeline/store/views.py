"""Plain views for a person with ``sqlite3``: ``<table>_plain`` shows dollars and shares, and times as text.

They are made afresh after each migration and hold nothing. Sums that must be exact are made of the ``_e6`` columns.
"""

from __future__ import annotations

from sqlalchemy import Connection, Table

from pipeline.store import schema

LEVELS_VIEW = "orderbook_levels_plain"
"""One row a level of each stored snapshot; level 1 is the best."""

PLAIN_TABLES: tuple[Table, ...] = (
    schema.markets,
    schema.orderbook_events,
    schema.orderbook_snapshots,
    schema.trades,
    schema.orders,
    schema.order_events,
    schema.fills,
    schema.exec_audit,
    schema.opportunities,
    schema.portfolio,
    schema.markouts,
    schema.reward_estimates,
)


def plain_name(table: Table) -> str:
    """The name of a table's plain view."""
    return f"{table.name}_plain"


def plain_sql(table: Table, scale: str = " / 1000000.0") -> str:
    """The SELECT behind a table's plain view: each ``_e6`` column divided, and ``time`` beside ``ts_ms``.

    With ``scale`` "" amounts stay whole millionths under their plain names, for whoever divides them exactly.
    """
    shown = []
    for column in table.columns:
        name = column.name
        if name.endswith("_e6"):
            shown.append(f"{name}{scale} AS {name.removesuffix('_e6')}")
        else:
            shown.append(name)
        if name == "ts_ms":
            shown.append("strftime('%Y-%m-%d %H:%M:%f', ts_ms / 1000.0, 'unixepoch') AS time")
    return f"SELECT {', '.join(shown)} FROM {table.name}"


def levels_sql(scale: str = " / 1000000.0") -> str:
    """The SELECT behind ``orderbook_levels_plain``; ``scale`` as in ``plain_sql``."""
    sides = (("bid", "bids"), ("ask", "asks"))
    return " UNION ALL ".join(
        f"SELECT s.id AS snapshot_id, s.market_id, s.outcome_id, s.seq, s.ts_ms, '{side}' AS side, level.key + 1 AS level, "
        f"json_extract(level.value, '$[0]'){scale} AS price, json_extract(level.value, '$[1]'){scale} AS size "
        f"FROM orderbook_snapshots AS s, json_each(s.{column}) AS level"
        for side, column in sides
    )


def create_views(conn: Connection) -> None:
    """Make every view afresh."""
    views = {plain_name(table): plain_sql(table) for table in PLAIN_TABLES} | {LEVELS_VIEW: levels_sql()}
    for name, sql in views.items():
        conn.exec_driver_sql(f"DROP VIEW IF EXISTS {name}")
        conn.exec_driver_sql(f"CREATE VIEW {name} AS {sql}")
