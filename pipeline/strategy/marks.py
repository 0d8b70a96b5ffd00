"""What a position is worth at present, and the row that tells it."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.base.units import complement_e6
from pipeline.messages.market import BookSnapshot, Market
from pipeline.messages.orders import Mode
from pipeline.messages.records import PortfolioRow
from pipeline.trading.policy import other_token
from pipeline.trading.portfolio import Holding


def mark_e6(token_id: str, books: Mapping[str, BookSnapshot], markets: Mapping[str, Market]) -> int | None:
    """The mid of a token's book, or one minus the other outcome's; None without either."""
    book = books.get(token_id)
    if book is not None and book.mid_e6 is not None:
        return book.mid_e6
    market = markets.get(token_id)
    other = books.get(other_token(market, token_id)) if market else None
    mid = other.mid_e6 if other else None
    return None if mid is None else complement_e6(mid)


def portfolio_row(holding: Holding, mode: Mode, mark: int | None, now_ns: int) -> PortfolioRow:
    """A holding as the database keeps it, valued at ``mark``."""
    return PortfolioRow(
        ts_ns=now_ns,
        strategy=holding.strategy,
        mode=mode,
        token_id=holding.token_id,
        market=holding.market,
        inventory_e6=holding.inventory_e6,
        cost_e6=holding.cost_e6,
        realised_e6=holding.realised_e6,
        unrealised_e6=holding.unrealised_e6(mark),
        fees_e6=holding.fees_e6,
    )
