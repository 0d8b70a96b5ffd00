"""Requests that place and cancel orders, as exact bytes: what is signed and hashed here is what is sent, and sent again.

Source: post-order, order-types and heartbeats pages, and py-clob-client-v2 1.2.1, seen 2026-11-22.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256

import msgspec

from pipeline.base.units import NS_PER_MS, NS_PER_S, decimal_of_e6
from pipeline.messages.market import Market
from pipeline.messages.orders import OrderType, PlaceOrder
from pipeline.trading.amounts import Amounts, is_on_grid, limit_amounts, market_amounts
from pipeline.venue.clob.contracts import POLYGON, Exchange, exchange_of
from pipeline.venue.clob.signing import VenueOrder, order_hash, order_signature
from pipeline.venue.clob.wallet import Wallet

MAX_ORDERS = 15
"""Orders in one ``POST /orders``."""
MAX_CANCELS = 1_000
"""Orders in one ``DELETE /orders``: the smaller of the two numbers that the venue's pages give."""
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """An order ready to be sent. ``body`` is the whole body of ``POST /order``, ``order_hash`` the id that the venue will give it."""

    client_order_id: str
    order_hash: str
    body: bytes
    order: VenueOrder


class Unsignable(ValueError):
    """The venue has no such order: a price off the grid, a size of nothing, a market whose exchange is not known. Says why."""


def salt_of(client_order_id: str) -> int:
    """A number below 2^53 (it travels as a JSON number) that is the order's own: the same id gives the same one."""
    return int.from_bytes(sha256(client_order_id.encode()).digest()[:8], "big") >> 11


def amounts_of(order: PlaceOrder, tick_size: str) -> Amounts:
    """What the order gives and takes. Raises Unsignable.

    A FOK or FAK that buys is bound by money at the venue: it spends at most ``price x size``, floored to a cent, and at a better price
    it may buy more shares than ``size``.
    """
    price, size = decimal_of_e6(order.price_e6), decimal_of_e6(order.size_e6)
    try:
        if order.order_type in ("GTC", "GTD"):
            amounts = limit_amounts(order.side, price, size, tick_size)
        elif not is_on_grid(price, Decimal(tick_size)):
            raise Unsignable(f"price {price} is not on the grid of tick {tick_size}")
        else:
            quantity = (price * size) // _CENT * _CENT if order.side == "BUY" else size
            amounts = market_amounts(order.side, price, quantity, tick_size)
    except (ValueError, ArithmeticError) as error:
        raise Unsignable(str(error)) from None
    if amounts.maker <= 0 or amounts.taker <= 0:
        raise Unsignable(f"{size} shares at {price} come to nothing when they are rounded as the venue rounds")
    return amounts


def venue_order(order: PlaceOrder, tick_size: str, wallet: Wallet, now_ns: int) -> VenueOrder:
    """The order as it is signed, created at ``now_ns``. Raises Unsignable."""
    token = order.token_id.removeprefix(f"{order.market}/")
    if not (token.isascii() and token.isdigit() and len(token) <= 78):
        raise Unsignable(f"token {token[:80]!r} has no number, so that no order can name it")
    amounts = amounts_of(order, tick_size)
    return VenueOrder(
        salt=salt_of(order.client_order_id),
        maker=wallet.maker,
        signer=wallet.signer,
        token_id=int(token),
        maker_amount=amounts.maker,
        taker_amount=amounts.taker,
        side=order.side,
        signature_type=wallet.signature_type,
        timestamp_ms=now_ns // NS_PER_MS,
    )


def sign_order(
    order: PlaceOrder, market: Market, tick_size: str, wallet: Wallet, api_key: str, now_ns: int, chain_id: int = POLYGON
) -> SignedOrder:
    """Sign an order for its market. ``tick_size`` is the book's, as text, for it may have changed since the catalogue was read.

    Raises Unsignable, and BadInput without the extra ``live``.
    """
    if order.post_only and order.order_type in ("FOK", "FAK"):
        raise Unsignable(f"post-only does not go with {order.order_type}")
    try:
        exchange = exchange_of(market.version, market.neg_risk, chain_id)
    except ValueError as error:
        raise Unsignable(str(error)) from None
    expiration_s = order.good_till_ns // NS_PER_S if order.order_type == "GTD" else 0
    if order.order_type == "GTD" and not expiration_s:
        raise Unsignable("a GTD order needs an expiration")
    return signed(
        venue_order(order, tick_size, wallet, now_ns),
        exchange,
        wallet,
        api_key,
        order.order_type,
        expiration_s=expiration_s,
        post_only=order.post_only,
        client_order_id=order.client_order_id,
    )


def signed(
    order: VenueOrder,
    exchange: Exchange,
    wallet: Wallet,
    api_key: str,
    order_type: OrderType,
    *,
    expiration_s: int = 0,
    post_only: bool = False,
    client_order_id: str = "",
) -> SignedOrder:
    """The signed body of an order: compact JSON in the order of fields that the official client sends."""
    body = {
        "order": {
            "salt": order.salt,
            "maker": order.maker,
            "signer": order.signer,
            "tokenId": str(order.token_id),
            "makerAmount": str(order.maker_amount),
            "takerAmount": str(order.taker_amount),
            "side": order.side,
            "expiration": str(expiration_s),
            "signatureType": order.signature_type,
            "timestamp": str(order.timestamp_ms),
            "metadata": order.metadata,
            "builder": order.builder,
            "signature": order_signature(order, exchange, wallet),
        },
        "owner": api_key,
        "orderType": order_type,
        "deferExec": False,
        "postOnly": post_only,
    }
    return SignedOrder(client_order_id, order_hash(order, exchange), msgspec.json.encode(body), order)


def orders_body(bodies: Sequence[bytes]) -> bytes:
    """The body of ``POST /orders`` from those of single orders, each byte for byte as it is; at most ``MAX_ORDERS``."""
    if not 0 < len(bodies) <= MAX_ORDERS:
        raise ValueError(f"{len(bodies)} orders in one request; 1 to {MAX_ORDERS} go")
    return b"[" + b",".join(bodies) + b"]"


def cancel_body(venue_order_id: str) -> bytes:
    """The body of ``DELETE /order``."""
    return msgspec.json.encode({"orderID": venue_order_id})


def cancels_body(venue_order_ids: Sequence[str]) -> bytes:
    """The body of ``DELETE /orders``; at most ``MAX_CANCELS``."""
    if not 0 < len(venue_order_ids) <= MAX_CANCELS:
        raise ValueError(f"{len(venue_order_ids)} cancels in one request; 1 to {MAX_CANCELS} go")
    return msgspec.json.encode(list(venue_order_ids))


def market_cancel_body(market: str = "", asset_id: str = "") -> bytes:
    """The body of ``DELETE /cancel-market-orders``; what is empty is left out."""
    return msgspec.json.encode({key: value for key, value in (("market", market), ("asset_id", asset_id)) if value})


def heartbeat_body(heartbeat_id: str = "") -> bytes:
    """The body of ``POST /v1/heartbeats``: the id that the last one was answered with, empty for the first."""
    return msgspec.json.encode({"heartbeat_id": heartbeat_id})
