"""Reading what trading brought: every trade with the mids after it, added up by account and market."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from pipeline.messages.market import FeeSchedule
from pipeline.store.markets import stored_markets
from pipeline.store.schema import fills, markouts, reward_estimates
from pipeline.store.trading import positions
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
        )
        fees = schedules.get(row.market_id)
        books.accounts[row.strategy, row.mode].add(trade, fees)
        books.by_market[row.strategy, row.mode, row.market_id].add(trade, fees)
    _add_rewards(conn, books, mode, strategy)
    for held in positions(conn, mode):
        if held.mid_e6 is not None:
            books.marks[held.market_id, held.outcome_id] = held.mid_e6
    return books


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
