"""The two sides of a comparison: the result folder of a backtest, or what a database holds of a session."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from pipeline.base.errors import BadInput
from pipeline.messages.market import Side as Direction
from pipeline.messages.orders import Liquidity, OrderStatus, OrderType
from polybot.backtest.figures import added, parts_of
from polybot.backtest.folder import read_run
from polybot.backtest.result import BacktestFill, BacktestOrder
from polybot.compare import Side

SQLITE = b"SQLite format 3\x00"


def open_side(place: str, strategy: str = "") -> Side:
    """A side from a folder, a run.json, a database file or its URL. Raises BadInput."""
    if place.startswith("sqlite:"):
        return side_of_database(place, strategy)
    path = Path(place)
    if path.is_file():
        with path.open("rb") as stream:
            if stream.read(16) == SQLITE:
                return side_of_database(f"sqlite:///{place}", strategy)
    return side_of_folder(path)


def side_of_folder(path: Path) -> Side:
    """A backtest's run."""
    run = read_run(path)
    played = run.played
    facts = {
        "recording": played.digest,
        "strategy": played.strategy,
        "fill model": played.fill_model,
        "seed": played.seed,
        "traded from": played.start_ns,
        "traded to": played.end_ns,
        "code": played.code,
    }
    told = {name: str(value) for name, value in facts.items()}
    told |= {
        f"[{section}] {name}": value
        for section, values in played.settings.items()
        for name, value in values.items()
        if name != "fill_model"
    }
    return Side(
        label=f"{path} ({played.fill_model})",
        facts=told,
        orders=run.orders,
        fills=run.fills,
        parts=run.parts,
        by_market={market.market: market.parts.pnl_e6 for market in run.markets},
    )


def side_of_database(db_url: str, strategy: str = "") -> Side:
    """What a database holds of one strategy's trading; of all together if none is named."""
    from pipeline.store.markets import stored_markets
    from pipeline.store.open import open_store
    from pipeline.store.pnl import read_books
    from pipeline.store.sessions import order_lives, token_names, trades_with_mids

    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        lives, trades, tokens = order_lives(conn, strategy), trades_with_mids(conn, strategy), token_names(conn)
        books = read_books(conn, strategy=strategy or None)
        schedules = {market.market_id: market.fees for market in stored_markets(conn)}
    if not lives:
        named = f" of strategy {strategy}" if strategy else ""
        raise BadInput(f"{db_url}: holds no orders{named}; give the database of a session that traded")
    orders = [
        BacktestOrder(
            client_order_id=life.client_order_id,
            strategy=life.strategy,
            market=life.market_id,
            token_id=life.token_id,
            side=cast(Direction, life.side),
            price_e6=life.price_e6,
            size_e6=life.size_e6,
            order_type=cast(OrderType, life.order_type),
            post_only=life.post_only,
            placed_ns=life.placed_ns,
            live_ns=life.live_ns,
            ended_ns=life.ended_ns,
            filled_e6=life.filled_e6,
            status=cast(OrderStatus, life.status),
            reason=life.reason,
            why=life.why,
            seen=life.seen,
            plan_id=life.plan_id,
        )
        for life in lives
    ]
    fills = [
        BacktestFill(
            ts_ns=row.ts_ns,
            trade_id=row.trade_id,
            client_order_id=row.client_order_id,
            strategy=row.strategy,
            market=row.market_id,
            token_id=token,
            side=row.side,
            price_e6=row.price_e6,
            size_e6=row.size_e6,
            notional_e6=row.notional_e6,
            fee_e6=row.fee_e6,
            liquidity=cast(Liquidity, row.liquidity),
            mids=mids,
        )
        for row, token, mids in trades
    ]
    rewards = {market_id: account.rewards_e6 for (_, _, market_id), account in books.by_market.items()}
    marks = {(market_id, tokens.get((market_id, outcome), outcome)): mid for (market_id, outcome), mid in books.marks.items()}
    whole, by_market = added(fills, schedules, rewards)
    strategies = sorted({order.strategy for order in orders})
    return Side(
        label=f"{db_url} ({', '.join(strategies)}, mode {', '.join(sorted({life.mode for life in lives}))})",
        facts={"strategy": ", ".join(strategies)},
        orders=orders,
        fills=fills,
        parts=parts_of(whole, marks),
        by_market={market_id: parts_of(account, marks).pnl_e6 for market_id, account in by_market.items()},
        exact=False,
    )
