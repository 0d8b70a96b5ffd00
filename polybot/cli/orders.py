"""``polybot orders``: the orders of a database and what became of them, and the profit from their fills."""

from __future__ import annotations

import dataclasses

import click

from pipeline.base.units import format_e6
from pipeline.store.open import open_store
from pipeline.store.rows import OrderRow, PnlRow
from pipeline.store.trading import list_orders, pnl
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, Styled, print_json, print_table
from polybot.cli.trading_words import is_simulated, money_of, short_id, show_time

_COLUMNS = ("time", "order", "mode", "market", "outcome", "side", "price", "size", "filled", "status", "reason")
_COLOURS = {"matched": "green", "partially_filled": "green", "live": "cyan", "rejected": "red", "unknown": "red"}


@click.command()
@click.option("--open", "open_only", is_flag=True, help="Only orders that may still trade.")
@click.option("--market", "market_id", metavar="MARKET_ID", help="Only this market.")
@click.option("--strategy", metavar="NAME", help="Only this strategy.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="At most so many, the latest first.")
@json_option
@config_option
@stored_db_url_option
def command(
    open_only: bool, market_id: str | None, strategy: str | None, limit: int, as_json: bool, config_path: object, db_url: str
) -> None:
    """List orders, the one that changed last first, and the profit of each strategy.

    Profit from mode fake is simulated: the fake relayer fills a fixed part of every order, whatever the market does.

    \b
    Example:
      polybot orders --db-url sqlite:///./polybot-fake.db --open
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        orders = list_orders(conn, limit, market_id=market_id, strategy=strategy, open_only=open_only)
        profits = [row for row in pnl(conn) if strategy in (None, row.strategy)]
    if as_json:
        print_json({"orders": [_order_object(order) for order in orders], "pnl": [_profit_object(row) for row in profits]})
        return
    wanted = "open orders" if open_only else "orders"
    print_table(
        _COLUMNS,
        [_order_cells(order) for order in orders],
        right=("price", "size", "filled"),
        empty=f"No {wanted} in {db_url}. `polybot up` places some.",
    )
    for row in profits:
        click.echo(profit_line(row))


def profit_line(row: PnlRow) -> str:
    """One strategy's profit in words, labelled where it is simulated."""
    total = "unknown (a held outcome has no mid)" if row.pnl_e6 is None else f"{format_e6(row.pnl_e6)} USDC"
    label = f" ({money_of(row.mode)})"
    return (
        f"PnL{label} of {row.strategy}, mode {row.mode}: {total} from {row.fills} fills "
        f"(bought {format_e6(row.bought_e6)}, sold {format_e6(row.sold_e6)}, fees {format_e6(row.fees_e6)})"
    )


def _order_object(order: OrderRow) -> dict[str, object]:
    shown = dataclasses.asdict(order)
    for name in ("price", "size", "filled"):
        shown[name] = format_e6(shown.pop(f"{name}_e6"))
    return shown | {"post_only": bool(order.post_only)}


def _profit_object(row: PnlRow) -> dict[str, object]:
    amounts = ("bought", "sold", "fees", "cash", "value", "pnl")
    shown: dict[str, object] = {name: _amount(getattr(row, f"{name}_e6")) for name in amounts}
    return {"strategy": row.strategy, "mode": row.mode, "simulated": is_simulated(row.mode), "fills": row.fills} | shown


def _amount(value_e6: int | None) -> str | None:
    return None if value_e6 is None else format_e6(value_e6)


def _order_cells(order: OrderRow) -> list[Cell]:
    status = Styled(order.status, _COLOURS.get(order.status, ""))
    amounts: list[Cell] = [format_e6(value) for value in (order.price_e6, order.size_e6, order.filled_e6)]
    names: list[Cell] = [order.client_order_id, order.mode, short_id(order.market_id), short_id(order.outcome_id), order.side]
    return [show_time(order.updated_ts_ms), *names, *amounts, status, order.reason or None]
