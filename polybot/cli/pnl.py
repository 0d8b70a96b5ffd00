"""``polybot pnl``: the profit of each strategy from the trades of a database, and where it came from."""

from __future__ import annotations

from typing import get_args

import click

from pipeline.base.units import format_e6
from pipeline.messages.orders import Mode
from pipeline.store.open import open_store
from pipeline.store.pnl import Books, read_books
from pipeline.trading.pnl import LATER_MS, MINUTE_MS, Attribution, Key
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, Styled, print_json, print_table, show_dollars
from polybot.cli.trading_words import is_simulated, money_of, short_id

_BY_MARKET = ("strategy", "mode", "market", "trades", "spread", "adverse 60 s", "inventory", "fees", "profit")


@click.command()
@click.option("--by-market", is_flag=True, help="One line a market.")
@click.option("--mode", type=click.Choice(get_args(Mode)), help="Only trades of this mode.")
@click.option("--strategy", metavar="NAME", help="Only this strategy.")
@json_option
@config_option
@stored_db_url_option
def command(by_market: bool, mode: str | None, strategy: str | None, as_json: bool, config_path: object, db_url: str) -> None:
    """Show the profit of each strategy, and where it came from.

    profit = spread + adverse selection + inventory - fees. The spread is measured against the mid that each trade met, adverse selection
    is how far the mid went against the trades within a minute, inventory is all that came later. Rebates and rewards are estimates of what
    the venue pays once a day and are not part of the profit. Profit is simulated; that of mode offline is the offline venue's money.
    Amounts are cut to the cent, so that a sum may look a cent off; --json has every digit. What was merged, converted or settled moves cash
    and is no trade.

    \b
    Example:
      polybot pnl --db-url sqlite:///./polybot-fake.db --by-market
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        books = read_books(conn, mode=mode, strategy=strategy)
    if as_json:
        print_json(_object(books))
        return
    empty = f"No trades in {db_url}. `polybot up` makes some."
    if by_market:
        rows = [_market_cells(key, account, books.marks) for key, account in sorted(books.by_market.items())]
        print_table(_BY_MARKET, rows, right=_BY_MARKET[3:], empty=empty)
        return
    if not books.accounts:
        click.echo(empty)
    for (name, of_mode), account in sorted(books.accounts.items()):
        print_table(("", name, f"mode {label(of_mode)}"), _lines(account, books.marks), right=(name,))
    total_e6 = _total_e6(books)
    if len(books.accounts) > 1 and total_e6 is not None:
        click.echo(f"profit of all together: {show_dollars(total_e6)}, exactly {format_e6(total_e6)}")


def _total_e6(books: Books) -> int | None:
    """The profit of all accounts; None if one is unknown."""
    profits = [account.pnl_e6(books.marks) for account in books.accounts.values()]
    return None if None in profits else sum(profit for profit in profits if profit is not None)


def label(mode: str) -> str:
    """The mode, and that its profit is simulated where it is."""
    return f"{mode} ({money_of(mode)})"


def amount_cell(value_e6: int | None) -> Cell:
    """Dollars to the cent, a loss in red; a dash for what is not known."""
    if value_e6 is None:
        return None
    return Styled(show_dollars(value_e6), "red" if value_e6 < 0 else "")


def _lines(account: Attribution, marks: dict[Key, int]) -> list[list[Cell]]:
    pnl_e6 = account.pnl_e6(marks)
    over = f"over {account.measured[0]} of {account.trades} trades"
    lines: list[list[Cell]] = [
        ["trades", f"{account.trades:,}", ""],
        ["bought", amount_cell(account.bought_e6), ""],
        ["sold", amount_cell(account.sold_e6), ""],
        ["spread earned", amount_cell(account.spread_e6), over],
    ]
    for horizon_ms in LATER_MS:
        measured = account.measured[horizon_ms]
        shown = amount_cell(account.adverse_e6[horizon_ms]) if measured else None
        lines.append([f"adverse selection {horizon_ms // 1_000} s", shown, f"over {measured} of {account.trades} trades"])
    held = "" if pnl_e6 is not None else "a held outcome has no mid"
    exactly = "" if pnl_e6 is None else f"exactly {format_e6(pnl_e6)} = "
    lines += [
        ["inventory", amount_cell(account.inventory_e6(marks)), held],
        ["fees", amount_cell(-account.fees_e6), ""],
        ["cash", amount_cell(account.cash_e6), "received less paid, fees included"],
        ["profit", amount_cell(pnl_e6), f"{exactly}spread + adverse selection 60 s + inventory - fees"],
        ["  realised", amount_cell(account.realised_e6), "before fees"],
        ["  of it by resolutions", amount_cell(account.settlement_e6), ""],
        ["  unrealised", amount_cell(account.unrealised_e6(marks)), "at the last stored mids"],
        ["estimated rebates", amount_cell(account.rebates_e6), "not part of the profit"],
        ["estimated rewards", amount_cell(account.rewards_e6), "not part of the profit"],
    ]
    return lines


def _market_cells(key: tuple[str, str, str], account: Attribution, marks: dict[Key, int]) -> list[Cell]:
    strategy, mode, market_id = key
    amounts = (
        account.spread_e6,
        account.adverse_e6[MINUTE_MS],
        account.inventory_e6(marks),
        -account.fees_e6,
        account.pnl_e6(marks),
    )
    return [strategy, label(mode), short_id(market_id), account.trades, *(amount_cell(value) for value in amounts)]


def _object(books: Books) -> dict[str, object]:
    return {
        "accounts": [
            {"strategy": name, "mode": mode, "simulated": is_simulated(mode)} | _account_object(account, books.marks)
            for (name, mode), account in sorted(books.accounts.items())
        ],
        "markets": [
            {"strategy": name, "mode": mode, "market_id": market_id} | _account_object(account, books.marks)
            for (name, mode, market_id), account in sorted(books.by_market.items())
        ],
    }


def _account_object(account: Attribution, marks: dict[Key, int]) -> dict[str, object]:
    amounts = {
        "bought": account.bought_e6,
        "sold": account.sold_e6,
        "fees": account.fees_e6,
        "cash": account.cash_e6,
        "value": account.value_e6(marks),
        "pnl": account.pnl_e6(marks),
        "realised": account.realised_e6,
        "unrealised": account.unrealised_e6(marks),
        "settlement": account.settlement_e6,
        "spread": account.spread_e6,
        "inventory": account.inventory_e6(marks),
        "estimated_rebates": account.rebates_e6,
        "estimated_rewards": account.rewards_e6,
    }
    shown: dict[str, object] = {name: None if value is None else format_e6(value) for name, value in amounts.items()}
    adverse = {
        f"{horizon_ms // 1_000}s": {"amount": format_e6(account.adverse_e6[horizon_ms]), "trades": account.measured[horizon_ms]}
        for horizon_ms in LATER_MS
    }
    return {"trades": account.trades, "trades_with_a_mid": account.measured[0]} | shown | {"adverse_selection": adverse}
