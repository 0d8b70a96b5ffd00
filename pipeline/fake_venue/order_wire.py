"""An order as a client posts it: read from its JSON, and its amounts turned into a price on the grid and a number of shares. Pure."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6
from pipeline.fake_venue.accounts import Refused

INVALID_PAYLOAD = "Invalid order payload"
CENT_E6 = 10_000
GTD_LEAST_S = 180
"""A GTD order must be good for this long when it is posted, and dies ``GTD_EARLY_S`` before the time it names."""
GTD_EARLY_S = 60
AMOUNT_DECIMALS = {100_000: 3, 10_000: 4, 5_000: 5, 2_500: 6, 1_000: 5, 100: 6}
"""How many decimals a collateral amount may have, by tick size."""
_LARGEST = 1 << 256


class SignedOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The order itself, field by field as it is on the wire. Amounts are texts of whole millionths."""

    salt: int
    maker: str
    signer: str
    tokenId: str
    makerAmount: str
    takerAmount: str
    side: Literal["BUY", "SELL"]
    expiration: str
    signatureType: Literal[0, 1, 2, 3]
    timestamp: str
    metadata: str
    builder: str
    signature: str


class OrderPost(msgspec.Struct, frozen=True):
    """The body of a POST: an order and how it is to be executed."""

    order: SignedOrder
    owner: str
    orderType: Literal["GTC", "GTD", "FOK", "FAK"]
    deferExec: bool = False
    postOnly: bool = False


class Terms(NamedTuple):
    """What an order asks for: a limit, at most so many shares, and for a market BUY at most so much collateral (else 0)."""

    price_e6: int
    size_e6: int
    budget_e6: int


def read_json(body: bytes) -> Any:
    """The content of a body. Raises Refused (400)."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        raise Refused(400, INVALID_PAYLOAD) from None


def read_post(content: Any) -> OrderPost:
    """One order of a body. Raises Refused (400): the wrong shape, or the shape of an order of the first version."""
    order = content.get("order") if isinstance(content, dict) else None
    if isinstance(order, dict) and not order.keys().isdisjoint(("nonce", "feeRateBps", "taker")):
        raise Refused(400, "order_version_mismatch")
    try:
        post = msgspec.convert(content, OrderPost)
    except msgspec.ValidationError:
        raise Refused(400, INVALID_PAYLOAD) from None
    numbers = (post.order.tokenId, post.order.makerAmount, post.order.takerAmount, post.order.expiration, post.order.timestamp)
    if not all(text.isascii() and text.isdigit() and int(text) < _LARGEST for text in numbers) or post.order.salt < 0:
        raise Refused(400, INVALID_PAYLOAD)
    return post


def terms_of(post: OrderPost, tick_e6: int, min_size_e6: int, now_ns: int) -> Terms:
    """What the order asks for. Raises Refused (400) for a price, size, amount or expiration that the venue does not take."""
    order = post.order
    maker, taker = int(order.makerAmount), int(order.takerAmount)
    shares, collateral = (taker, maker) if order.side == "BUY" else (maker, taker)
    if not shares or not collateral:
        raise Refused(400, "invalid amounts, maker and taker amount must be higher than 0")
    _check_kind(post, now_ns)
    at_once = post.orderType in ("FOK", "FAK")
    price = _price(collateral, shares, tick_e6, exact=not at_once)
    if not tick_e6 <= price <= ONE_E6 - tick_e6:
        raise Refused(400, f"price breaks minimum tick size rule: {format_e6(price)} is outside the grid of {format_e6(tick_e6)}")
    amount = 10 ** (6 - AMOUNT_DECIMALS.get(tick_e6, 6))
    if at_once and order.side == "BUY":
        _check_decimals(collateral, CENT_E6, shares, amount)
        return Terms(price, shares // CENT_E6 * CENT_E6, collateral)
    _check_decimals(shares, CENT_E6, collateral, amount)
    if not at_once and shares < min_size_e6:
        raise Refused(400, f"size lower than the minimum: {format_e6(shares)} < {format_e6(min_size_e6)}")
    return Terms(price, shares, 0)


def _check_kind(post: OrderPost, now_ns: int) -> None:
    expiration = int(post.order.expiration)
    if post.orderType == "GTD":
        if expiration < now_ns // NS_PER_S + GTD_LEAST_S:
            raise Refused(400, "invalid expiration")
    elif expiration:
        raise Refused(400, "invalid expiration")
    if post.postOnly and post.orderType not in ("GTC", "GTD"):
        raise Refused(400, "invalid post-only order: only GTC and GTD orders can be post-only")


def _price(collateral: int, shares: int, tick_e6: int, exact: bool) -> int:
    """Collateral a share. A market order's amounts are rounded, so its price is the nearest of the grid."""
    ticks, rest = divmod(collateral * ONE_E6, shares * tick_e6)
    if not rest:
        return ticks * tick_e6
    share_of_tick = 20 * min(rest, shares * tick_e6 - rest)
    if exact or share_of_tick > shares * tick_e6:
        price = format_e6(collateral * ONE_E6 // shares)
        raise Refused(400, f"price breaks minimum tick size rule: {price} is not on the grid of {format_e6(tick_e6)}")
    return (ticks + (2 * rest > shares * tick_e6)) * tick_e6


def _check_decimals(first: int, first_step: int, second: int, second_step: int) -> None:
    if first % first_step or second % second_step:
        raise Refused(
            400,
            f"invalid amounts: {format_e6(first)} may have {_places(first_step)} decimals, "
            f"{format_e6(second)} may have {_places(second_step)}",
        )


def _places(step: int) -> int:
    return 7 - len(str(step))
