"""CLOB answers that are read from a book: prices as texts, status codes and words as the live service gives them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6, parse_e6
from pipeline.fake_venue.gamma import Listing

BOOKS_LIMIT = 500
NO_BOOK = "No orderbook exists for the requested token id"


RestBook = Callable[[str], "dict[str, Any] | None"]
"""How a token's book is had; None where there is none."""


class Answer(NamedTuple):
    """A status code and a body to be written as JSON."""

    status: int
    body: Any


def answer(book_of: RestBook, path: str, query: Mapping[str, str], now_ns: int) -> Answer | None:
    """The answer to a GET; None for a path that the CLOB does not have."""
    if path == "/ok":
        return Answer(200, "OK")
    if path == "/time":
        return Answer(200, now_ns // NS_PER_S)
    if path == "/version":
        return Answer(200, {"version": 2})
    read = _READERS.get(path)
    if read is None:
        return None
    token_id = query.get("token_id", "")
    if not token_id:
        return Answer(400, {"error": "Invalid token id"})
    book = book_of(token_id)
    return Answer(404, {"error": NO_BOOK}) if book is None else read(book, query)


def market_answer(listings: Sequence[Listing], path: str) -> Answer:
    """``/clob-markets/{condition}`` and ``/markets-by-token/{token}``."""
    if path.startswith("/clob-markets/"):
        return _clob_market(listings, path.removeprefix("/clob-markets/"))
    return _market_by_token(listings, path.removeprefix("/markets-by-token/"))


def books(book_of: RestBook, wanted: object) -> Answer:
    """POST ``/books``: the books of those tokens that have one, in the order asked for."""
    if not isinstance(wanted, list) or not all(
        isinstance(item, dict) and isinstance(item.get("token_id"), str) for item in wanted
    ):
        return Answer(400, {"error": "Invalid payload"})
    if len(wanted) > BOOKS_LIMIT:
        return Answer(400, {"error": "Payload exceeds the limit"})
    found = (book_of(item["token_id"]) for item in wanted)
    return Answer(200, [book for book in found if book is not None])


def _book(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    return Answer(200, book)


def _price(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    """BUY gives what a buyer would pay, SELL what a seller would get."""
    side = query.get("side", "").upper()
    if side not in ("BUY", "SELL"):
        return Answer(400, {"error": "Invalid side"})
    levels: Sequence[dict[str, str]] = book["asks" if side == "BUY" else "bids"]
    return Answer(200, {"price": levels[-1]["price"] if levels else "0"})


def _midpoint(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    bid, ask = _top(book)
    return Answer(200, {"mid": format_e6((bid + ask) // 2)})


def _spread(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    bid, ask = _top(book)
    return Answer(200, {"spread": format_e6(ask - bid)})


def _last_trade_price(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    price = book["last_trade_price"]
    return Answer(200, {"price": price or "0.5", "side": "BUY" if price else ""})


def _tick_size(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    return Answer(200, {"minimum_tick_size": Decimal(book["tick_size"])})


def _neg_risk(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    return Answer(200, {"neg_risk": book["neg_risk"]})


def _fee_rate(book: dict[str, Any], query: Mapping[str, str]) -> Answer:
    return Answer(200, {"base_fee": 1000})


def _top(book: dict[str, Any]) -> tuple[int, int]:
    bids, asks = book["bids"], book["asks"]
    return parse_e6(bids[-1]["price"]) if bids else 0, parse_e6(asks[-1]["price"]) if asks else ONE_E6


def _clob_market(listings: Sequence[Listing], condition_id: str) -> Answer:
    for listing in listings:
        market = listing.market
        if market.market_id != condition_id:
            continue
        tick = Decimal(market.tick_size or "0.01")
        body: dict[str, Any] = {
            "c": market.market_id,
            "t": [{"t": outcome.token_id, "o": outcome.name} for outcome in market.outcomes],
            "mos": Decimal(market.min_order_size or "5"),
            "mts": tick,
            "mbf": 1000,
            "tbf": 1000,
            "itode": market.taker_delay,
            "ao": not market.closed and listing.winner is None,
            "v": market.version or "v1",
        }
        if market.neg_risk:
            body["nr"] = True
        if market.fees is not None:
            fees = market.fees
            body["fd"] = {"r": Decimal(format_e6(fees.rate_e6)), "e": fees.exponent, "to": fees.taker_only}
        return Answer(200, body)
    return Answer(404, {"error": "market not found"})


def _market_by_token(listings: Sequence[Listing], token_id: str) -> Answer:
    for listing in listings:
        if token_id in listing.market.token_ids:
            yes, no = (*listing.market.token_ids, "", "")[:2]
            return Answer(200, {"condition_id": listing.market.market_id, "primary_token_id": yes, "secondary_token_id": no})
    return Answer(404, {"error": "market not found"})


_READERS = {
    "/book": _book,
    "/price": _price,
    "/midpoint": _midpoint,
    "/spread": _spread,
    "/last-trade-price": _last_trade_price,
    "/tick-size": _tick_size,
    "/neg-risk": _neg_risk,
    "/fee-rate": _fee_rate,
}
