"""What queries return: one frozen dataclass a kind of row, amounts in millionths; JSON columns are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Select

AnyRow = TypeVar("AnyRow")


def fetch(conn: Connection, query: Select[Any], kind: type[AnyRow]) -> list[AnyRow]:
    """The rows of a query as dataclasses; the query's columns are the fields."""
    return [kind(**row._mapping) for row in conn.execute(query)]


@dataclass(frozen=True, slots=True)
class StatusRow:
    """How the feed of one market stands. ``event_rows`` and ``snapshot_rows`` count what is stored; the rest is of the latest run."""

    market_id: str
    question: str
    last_seq: int
    last_update_ts_ms: int
    snapshots: int
    deltas: int
    trades: int
    resync_first_delta: int
    resync_gap: int
    invalid: int
    repeats: int
    event_rows: int
    snapshot_rows: int
    other: dict[str, int]


@dataclass(frozen=True, slots=True)
class BookStateRow:
    """The latest known state of one outcome's book, since ``ts_ms``.

    ``ended_ns`` is when the run that saw it ended, None if it never said so; ``is_latest_run``: no later book builder has run.
    """

    market_id: str
    outcome_id: str
    ts_ms: int
    state: str
    basis: str
    reason: str
    verified_ns: int
    token_id: str = ""
    outcome: str = ""
    ended_ns: int | None = None
    is_latest_run: bool = True

    @property
    def is_watched(self) -> bool:
        """Whether the run that saw it may still be watching: then the state holds now."""
        return self.ended_ns is None and self.is_latest_run


@dataclass(frozen=True, slots=True)
class RunRow:
    """One start of one role's process."""

    id: int
    producer: str
    run: str
    session: str
    role: str
    pid: int
    source: str
    started_ns: int
    ended_ns: int | None
    reason: str
    market_id: str | None
    file_sha256: str | None
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class MarketRow:
    """The latest version of one market."""

    market_id: str
    question: str
    slug: str
    event_slug: str
    event_title: str
    tick_size: str | None
    neg_risk: int | None
    active: int
    closed: int
    accepting_orders: int
    end_ns: int
    volume_24h_e6: int
    outcomes: tuple[OutcomeRow, ...]


@dataclass(frozen=True, slots=True)
class OutcomeRow:
    """One token of a market."""

    outcome_id: str
    token_id: str
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class VersionRow:
    """What the catalogue said of a market from ``valid_from_ns`` on; ``body`` is JSON."""

    valid_from_ns: int
    ts_ns: int
    venue: str
    body: str


@dataclass(frozen=True, slots=True)
class OrderRow:
    """One order as its latest event left it."""

    client_order_id: str
    venue_order_id: str
    strategy: str
    mode: str
    market_id: str
    outcome_id: str
    side: str
    price_e6: int
    size_e6: int
    filled_e6: int
    order_type: str
    post_only: int
    status: str
    plan_id: str
    reason: str
    ts_ms: int
    updated_ts_ms: int


@dataclass(frozen=True, slots=True)
class FillRow:
    """One of our trades."""

    trade_id: str
    client_order_id: str
    strategy: str
    mode: str
    market_id: str
    outcome_id: str
    side: str
    price_e6: int
    size_e6: int
    notional_e6: int
    fee_e6: int
    liquidity: str
    status: str
    reverses: str
    ts_ms: int


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One executed decision; ``intents`` and ``acks`` are JSON texts."""

    plan_id: str
    strategy: str
    mode: str
    market_id: str
    intents: str
    acks: str
    duration_ms: int
    outcome: str
    reason: str
    seen: str
    expected_profit_e6: int
    ts_ms: int


@dataclass(frozen=True, slots=True)
class OpportunityRow:
    """Something a strategy saw."""

    plan_id: str
    strategy: str
    market_id: str
    kind: str
    taken: int
    reason: str
    expected_profit_e6: int
    size_e6: int
    legs: str
    ts_ms: int
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class PositionRow:
    """What the fills of one strategy and mode leave in one outcome. ``mid_e6`` is of the last stored snapshot, None without one."""

    strategy: str
    mode: str
    market_id: str
    outcome_id: str
    inventory_e6: int
    cash_e6: int
    fees_e6: int
    mid_e6: int | None
    mid_ts_ms: int | None


@dataclass(frozen=True, slots=True)
class PnlRow:
    """Profit of one strategy and mode, exact from its fills: ``cash_e6`` = sold - bought - fees. ``fills`` counts trades at the venue.

    ``value_e6`` is what its inventory is worth at the last stored mids (rounded down), ``pnl_e6`` = cash + value; both are None if a
    held outcome has no mid. Fills of mode fake are simulated, and so is the profit from them.
    """

    strategy: str
    mode: str
    fills: int
    bought_e6: int
    sold_e6: int
    fees_e6: int
    cash_e6: int
    value_e6: int | None
    pnl_e6: int | None
    positions: Sequence[PositionRow]
