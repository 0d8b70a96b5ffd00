"""``polybot positions``: what is held of each outcome, what it cost, complete sets, and the worst case of each event."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import click

from pipeline.base.config import load_config
from pipeline.base.units import e6_of_decimal, format_e6
from pipeline.messages.market import Market
from pipeline.messages.orders import Mode
from pipeline.store.markets import stored_markets
from pipeline.store.open import open_store
from pipeline.store.pnl import Account, Books, read_books
from pipeline.trading.positions import EventRisk, event_risks
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, print_json, print_table, show_dollars
from polybot.cli.pnl import amount_cell, label
from polybot.cli.trading_words import is_simulated, short_id

_COLUMNS = ("strategy", "mode", "market", "outcome", "shares", "average", "cost", "mid", "value", "realised", "unrealised")
_RISK = ("strategy", "mode", "event", "markets", "at most one Yes", "complete sets", "could lose", "if one is Yes")


@click.command()
@click.option("--all", "show_all", is_flag=True, help="Also what was held once.")
@click.option("--mode", type=click.Choice(get_args(Mode)), help="Only positions of this mode.")
@click.option("--strategy", metavar="NAME", help="Only this strategy.")
@json_option
@config_option
@stored_db_url_option
def command(show_all: bool, mode: str | None, strategy: str | None, as_json: bool, config_path: Path | None, db_url: str) -> None:
    """Show what is held of each outcome, what it cost and what it is worth, and what each event could lose.

    A complete set is a share of every outcome of a market: it pays a dollar whatever happens. The worst case counts on at most one
    market of a neg-risk event resolving Yes; "if one is Yes" is the worst case if exactly one does. A 50/50 resolution is not covered.
    Positions are simulated; those of mode offline are the offline venue's.

    \b
    Example:
      polybot positions --db-url sqlite:///./polybot-fake.db
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        books = read_books(conn, mode=mode, strategy=strategy)
        markets = {market.market_id: market for market in stored_markets(conn)}
    # All strategies trade from one balance, so that there is none of a single one.
    starting = load_config(config_path).settings.paper.starting_cash_usdc
    on_paper = [account.cash_e6 for (_, of_mode), account in books.accounts.items() if of_mode == "paper"]
    cash_e6 = e6_of_decimal(starting) + sum(on_paper) if on_paper and strategy is None else None
    risks = {account: event_risks(markets.values(), _held(books, account)) for account in sorted(books.accounts)}
    if as_json:
        shown = {"positions": _objects(books, markets, show_all), "events": _risk_objects(risks)}
        print_json(shown | ({} if cash_e6 is None else {"paper_cash": format_e6(cash_e6), "paper_starting_cash": str(starting)}))
        return
    rows = _rows(books, markets, show_all)
    print_table(_COLUMNS, rows, right=_COLUMNS[4:], empty=f"Nothing is held in {db_url}. `polybot pnl` shows what was traded.")
    lines = [_risk_cells(account, risk) for account, of_account in risks.items() for risk in of_account]
    if lines:
        click.echo()
        print_table(_RISK, lines, right=("markets", "complete sets", "could lose", "if one is Yes"))
    if cash_e6 is not None:
        click.echo(f"\nCash on paper: {show_dollars(cash_e6)} of the {show_dollars(e6_of_decimal(starting))} it began with.")


def _held(books: Books, account: Account) -> list[tuple[str, int, int]]:
    holdings = books.accounts[account].holdings.values()
    return [(holding.token_id, holding.inventory_e6, holding.cost_e6) for holding in holdings]


def _rows(books: Books, markets: dict[str, Market], show_all: bool) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for (strategy, mode), account in sorted(books.accounts.items()):
        for key, holding in sorted(account.holdings.items()):
            if not holding.inventory_e6 and not show_all:
                continue
            mid_e6 = books.marks.get(key)
            value_e6 = None if mid_e6 is None else holding.inventory_e6 * mid_e6 // 1_000_000
            average_e6 = holding.average_price_e6
            rows.append(
                [
                    strategy,
                    label(mode),
                    short_id(holding.market),
                    _outcome(markets.get(holding.market), holding.token_id),
                    format_e6(holding.inventory_e6),
                    None if average_e6 is None else format_e6(average_e6),
                    amount_cell(holding.cost_e6),
                    None if mid_e6 is None else format_e6(mid_e6),
                    amount_cell(value_e6),
                    amount_cell(holding.realised_e6),
                    amount_cell(holding.unrealised_e6(mid_e6)),
                ]
            )
    return rows


def _outcome(market: Market | None, token_id: str) -> str:
    names = {outcome.token_id: outcome.name for outcome in market.outcomes} if market is not None else {}
    return names.get(token_id, short_id(token_id))


def _risk_cells(account: Account, risk: EventRisk) -> list[Cell]:
    title = risk.title if len(risk.title) <= 40 else f"{risk.title[:39]}…"
    sets = format_e6(sum(risk.sets_e6.values())) if risk.sets_e6 else None
    losses = (amount_cell(risk.worst_e6), amount_cell(risk.worst_if_one_e6))
    return [account[0], label(account[1]), title, risk.markets, "yes" if risk.exclusive else "no", sets, *losses]


def _objects(books: Books, markets: dict[str, Market], show_all: bool) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for (strategy, mode), account in sorted(books.accounts.items()):
        for key, holding in sorted(account.holdings.items()):
            if not holding.inventory_e6 and not show_all:
                continue
            mid_e6 = books.marks.get(key)
            amounts: Sequence[tuple[str, int | None]] = (
                ("shares", holding.inventory_e6),
                ("average", holding.average_price_e6),
                ("cost", holding.cost_e6),
                ("mid", mid_e6),
                ("realised", holding.realised_e6),
                ("unrealised", holding.unrealised_e6(mid_e6)),
                ("fees", holding.fees_e6),
                ("cash", holding.cash_e6),
            )
            whose = {
                "strategy": strategy,
                "mode": mode,
                "simulated": is_simulated(mode),
                "market_id": key[0],
                "outcome_id": key[1],
            }
            named = {"outcome": _outcome(markets.get(key[0]), key[1])}
            found.append(whose | named | {name: None if value is None else format_e6(value) for name, value in amounts})
    return found


def _risk_objects(risks: dict[Account, list[EventRisk]]) -> list[dict[str, object]]:
    return [
        {
            "strategy": strategy,
            "mode": mode,
            "event": risk.event,
            "title": risk.title,
            "markets": risk.markets,
            "at_most_one_yes": risk.exclusive,
            "complete_sets": {market_id: format_e6(shares) for market_id, shares in risk.sets_e6.items()},
            "could_lose": format_e6(risk.worst_e6),
            "could_lose_if_one_is_yes": None if risk.worst_if_one_e6 is None else format_e6(risk.worst_if_one_e6),
        }
        for (strategy, mode), of_account in risks.items()
        for risk in of_account
    ]
