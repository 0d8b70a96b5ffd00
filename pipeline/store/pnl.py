"""Reading what trading brought: every trade with the mids after it, added up by account and market."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from pipeline.messages.market import FeeSchedule
from pipeline.store.markets import stored_markets
from pipeline.store.schema import fills, markouts, reward_estimates, runs
from pipeline.store.trading import positions
from pipeline.trading.markouts import NO_TRADES
from pipeline.trading.pnl import Attribution, Key, Trade

Account = tuple[str, str]
"""(strategy, mode)."""


@dataclass
class Books:
    """All accounts with their trades added up, whole and by market, and the last stored mids of what they hold."""

    accounts: dict[Account, Attribution] = field(default_factory=lambda: defaultdict(Attribution))
    by_market: dict[tuple[str, str, str], Attribution] = field(default_factory=lambda: defaultdict(Attribution))
    marks: dict[Key, int] = field(default_factory=dict)


def read_books(conn: Connection, *, mode: str | None = None, strategy: str | None = None) -> Books:
    """Add up every trade on record, in the order in which they happened; ``by_market`` is by (strategy, mode, market)."""
    books = Books()
    schedules: dict[str, FeeSchedule | None] = {market.market_id: market.fees for market in stored_markets(conn)}
    mids = _mids(conn)
    query = select(fills).order_by(fills.c.ts_ns, fills.c.client_order_id, fills.c.trade_id)
    for column, wanted in ((fills.c.mode, mode), (fills.c.strategy, strategy)):
        if wanted is not None:
            query = query.where(column == wanted)
    for row in conn.execute(query):
        trade = Trade(
            token_id=row.outcome_id,
            market=row.market_id,
            side=row.side,
            price_e6=row.price_e6,
            size_e6=row.size_e6,
            notional_e6=row.notional_e6,
            fee_e6=row.fee_e6,
            liquidity=row.liquidity,
            mids=mids.get((row.trade_id, row.client_order_id), {}),
            undoes=bool(row.reverses),
        )
        fees = schedules.get(row.market_id)
        books.accounts[row.strategy, row.mode].add(trade, fees)
        books.by_market[row.strategy, row.mode, row.market_id].add(trade, fees)
    _add_rewards(conn, books, mode, strategy)
    for held in positions(conn, mode):
        if held.mid_e6 is not None:
            books.marks[held.market_id, held.outcome_id] = held.mid_e6
    return books


@dataclass(frozen=True)
class FillCounts:
    """What the rows of ``fills`` are: trades at the venue, and what was booked without one. ``rows`` counts all of them.

    ``trades`` are those that stand; each of ``failed`` has two rows, its own and the one that takes it back. ``merged`` and ``converted``
    count transactions, each of several rows; ``settled`` counts positions.
    """

    rows: int = 0
    trades: int = 0
    failed: int = 0
    merged: int = 0
    converted: int = 0
    settled: int = 0


def count_fills(conn: Connection, session_id: str | None = None) -> FillCounts:
    """Count the fills of one session, or of all."""
    c = fills.c
    # The id of a booking ends with its outcome's; what is left is the transaction that it belongs to.
    transaction = func.substr(c.trade_id, 1, func.length(c.trade_id) - func.length(c.outcome_id) - 1)
    query = select(
        c.liquidity,
        func.count().label("rows"),
        func.count(transaction.distinct()).label("transactions"),
        func.sum(case((c.reverses == "", 0), else_=1)).label("failed"),
    ).group_by(c.liquidity)
    if session_id is not None:
        query = query.join(runs, runs.c.id == c.run_id).where(runs.c.session == session_id)
    found = {row.liquidity: row for row in conn.execute(query)}
    traded = [row for name, row in found.items() if name not in NO_TRADES]
    failed = sum(row.failed for row in traded)
    merged, converted = (found[name].transactions if name in found else 0 for name in ("merge", "convert"))
    return FillCounts(
        rows=sum(row.rows for row in found.values()),
        trades=sum(row.rows for row in traded) - 2 * failed,
        failed=failed,
        merged=merged,
        converted=converted,
        settled=found["settlement"].rows if "settlement" in found else 0,
    )


def trading_sessions(conn: Connection) -> set[str]:
    """The sessions that left fills."""
    return set(conn.scalars(select(runs.c.session).join(fills, fills.c.run_id == runs.c.id).distinct()))


def _mids(conn: Connection) -> dict[tuple[str, str], dict[int, int]]:
    """The mids by (trade, order) and horizon, as far as they are known."""
    c = markouts.c
    found: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
    query = select(c.trade_id, c.client_order_id, c.horizon_ms, c.mid_e6).where(c.mid_e6.is_not(None))
    for trade_id, order, horizon_ms, mid_e6 in conn.execute(query):
        found[trade_id, order][horizon_ms] = mid_e6
    return found


def _add_rewards(conn: Connection, books: Books, mode: str | None, strategy: str | None) -> None:
    c = reward_estimates.c
    group = (c.strategy, c.mode, c.market_id)
    for row in conn.execute(select(*group, func.sum(c.reward_e6).label("reward_e6")).group_by(*group)):
        if mode in (None, row.mode) and strategy in (None, row.strategy):
            books.accounts[row.strategy, row.mode].rewards_e6 += row.reward_e6
            books.by_market[row.strategy, row.mode, row.market_id].rewards_e6 += row.reward_e6
