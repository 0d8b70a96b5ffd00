"""The bytes of orders and cancels: those of the official client, exact amounts, and the same again for the same order."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.units import NS_PER_MS, NS_PER_S, parse_e6
from pipeline.messages.market import Market, Outcome, Side
from pipeline.messages.orders import Decision, OrderType, PlaceOrder
from pipeline.trading.amounts import PLACES, is_on_grid
from pipeline.venue.clob.contracts import exchange_of
from pipeline.venue.clob.order_body import (
    Unsignable,
    amounts_of,
    cancel_body,
    cancels_body,
    heartbeat_body,
    market_cancel_body,
    orders_body,
    salt_of,
    sign_order,
    signed,
)
from pipeline.venue.clob.signing import VenueOrder, order_hash
from pipeline.venue.clob.wallet import Wallet, offline_wallet

TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
MARKET = Market("0xc0", (Outcome(TOKEN, "Yes"), Outcome("12", "No")), neg_risk=False, version="v1")
NOW_NS = 1_782_753_357_257 * NS_PER_MS
API_KEY = "00000000-0000-0000-0000-000000000001"
WALLET = offline_wallet()


def place(price: str = "0.52", size: str = "10", side: Side = "BUY", order_type: OrderType = "GTC", **more: Any) -> PlaceOrder:
    given: dict[str, Any] = {"client_order_id": "s1-1", "token_id": TOKEN, "market": "0xc0", "post_only": False, **more}
    return PlaceOrder(
        ts_ns=NOW_NS,
        side=side,
        price_e6=parse_e6(price),
        size_e6=parse_e6(size),
        order_type=order_type,
        expires_ns=NOW_NS + NS_PER_S,
        decision=Decision("p", "s", "r"),
        **given,
    )


def test_every_body_is_that_of_the_official_client(signing_cases: list[dict[str, Any]]) -> None:
    for case in signing_cases:
        if case["order_version"] == 1:
            continue
        wanted = case["post_body"]
        body = wanted["order"]
        kind = case["signature_type"]
        told = signed(
            VenueOrder(
                salt=body["salt"],
                maker=body["maker"],
                signer=body["signer"],
                token_id=int(body["tokenId"]),
                maker_amount=int(body["makerAmount"]),
                taker_amount=int(body["takerAmount"]),
                side=body["side"],
                signature_type=kind,
                timestamp_ms=int(body["timestamp"]),
                metadata=body["metadata"],
                builder=body["builder"],
            ),
            exchange_of("v1" if case["order_version"] == 2 else "v2", case["neg_risk"], case["chain_id"]),
            Wallet(case["private_key"], kind, case["maker"] if kind else ""),
            wanted["owner"],
            wanted["orderType"],
            expiration_s=int(body["expiration"]),
            post_only=wanted["postOnly"],
        )
        assert told.body == json.dumps(wanted, separators=(",", ":")).encode(), case["label"]
        assert told.order_hash == case["order_hash"]


def test_the_amounts_are_those_of_the_vectors(shared: Path) -> None:
    cases = json.loads((shared / "reference" / "vectors" / "amounts.json").read_text(encoding="utf-8"))["cases"]
    checked = 0
    for case in cases:
        price = Decimal(case["price"])
        sells_at_once = case["kind"] == "market" and case["side"] == "SELL"
        if not is_on_grid(price, Decimal(case["tick_size"])) or (case["kind"] == "market" and not sells_at_once):
            continue  # a market order that buys is told in money there, and in shares here
        order = place(case["price"], case["quantity"], case["side"], "FAK" if sells_at_once else "GTC")
        wanted = case["unified_client"]
        if wanted["makerAmount"] == "0":
            with pytest.raises(Unsignable, match="come to nothing"):
                amounts_of(order, case["tick_size"])
            continue
        told = amounts_of(order, case["tick_size"])
        assert (told.maker, told.taker) == (int(wanted["makerAmount"]), int(wanted["takerAmount"])), case
        checked += 1
    assert checked > 130


def test_buying_at_once_spends_whole_cents_and_no_more_than_was_asked() -> None:
    told = amounts_of(place("0.53", "10.01", order_type="FAK"), "0.01")  # 5.3053 dollars
    assert (told.maker, told.taker) == (5_300_000, 10_000_000)


ticks = st.sampled_from(sorted(PLACES))


@given(
    ticks, st.integers(1, 9_999), st.integers(1, 10_000_000), st.sampled_from(["BUY", "SELL"]), st.sampled_from(["GTC", "GTD"])
)
def test_a_limit_order_never_trades_at_a_worse_price_than_its_limit(
    tick: str, steps: int, hundredths: int, side: Side, order_type: OrderType
) -> None:
    price = Decimal(tick) * (1 + steps % (int(1 / Decimal(tick)) - 1))
    size = Decimal(hundredths) / 100
    told = amounts_of(place(str(price), str(size), side, order_type), tick)
    money, shares = (told.maker, told.taker) if side == "BUY" else (told.taker, told.maker)
    assert Decimal(money) == price * shares and shares == size * 1_000_000


@given(
    ticks, st.integers(1, 9_999), st.integers(200, 10_000_000), st.sampled_from(["BUY", "SELL"]), st.sampled_from(["FAK", "FOK"])
)
def test_an_order_that_trades_at_once_gives_no_more_and_is_off_its_limit_by_less_than_the_venues_last_digit(
    tick: str, steps: int, hundredths: int, side: Side, order_type: OrderType
) -> None:
    price = Decimal(tick) * (1 + steps % (int(1 / Decimal(tick)) - 1))
    size = Decimal(hundredths) / 100
    try:
        told = amounts_of(place(str(price), str(size), side, order_type), tick)
    except Unsignable:
        assert price * size < Decimal("0.01")
        return
    digit = Decimal(10) ** (6 - PLACES[tick].amount)
    if side == "BUY":
        assert told.maker <= price * size * 1_000_000 and told.maker % 10_000 == 0
        assert told.maker <= price * (told.taker + digit)
    else:
        assert told.maker == size * 1_000_000 and told.taker == price * told.maker


@given(st.text(max_size=60), st.text(max_size=60))
def test_the_salt_belongs_to_the_order_and_fits_a_json_number(one: str, other: str) -> None:
    assert 0 <= salt_of(one) < 2**53
    assert (salt_of(one) == salt_of(other)) == (one == other)


def test_the_same_order_at_the_same_time_gives_the_same_bytes() -> None:
    first = sign_order(place(), MARKET, "0.01", WALLET, API_KEY, NOW_NS)
    again = sign_order(place(), MARKET, "0.01", WALLET, API_KEY, NOW_NS)
    assert first == again and first.client_order_id == "s1-1"
    later = sign_order(place(), MARKET, "0.01", WALLET, API_KEY, NOW_NS + NS_PER_MS)
    assert later.order_hash != first.order_hash


def test_the_body_says_what_was_ordered() -> None:
    told = sign_order(place(post_only=True), MARKET, "0.01", WALLET, API_KEY, NOW_NS)
    body = json.loads(told.body)
    assert (body["owner"], body["orderType"], body["postOnly"], body["deferExec"]) == (API_KEY, "GTC", True, False)
    assert body["order"]["tokenId"] == TOKEN and body["order"]["expiration"] == "0"
    assert (body["order"]["makerAmount"], body["order"]["takerAmount"]) == ("5200000", "10000000")
    assert body["order"]["timestamp"] == "1782753357257" and body["order"]["maker"] == WALLET.address
    assert told.order_hash == order_hash(told.order, exchange_of("v1", False))


def test_an_expiration_travels_in_seconds_and_is_not_signed() -> None:
    until = place(order_type="GTD", good_till_ns=NOW_NS + 300 * NS_PER_S)
    told = sign_order(until, MARKET, "0.01", WALLET, API_KEY, NOW_NS)
    assert json.loads(told.body)["order"]["expiration"] == str(NOW_NS // NS_PER_S + 300)
    assert told.order_hash == sign_order(place(), MARKET, "0.01", WALLET, API_KEY, NOW_NS).order_hash


def test_a_token_of_the_generic_kind_is_named_by_its_number() -> None:
    told = sign_order(place(token_id=f"0xc0/{TOKEN}"), MARKET, "0.01", WALLET, API_KEY, NOW_NS)
    assert json.loads(told.body)["order"]["tokenId"] == TOKEN


@pytest.mark.parametrize(
    ("order", "market", "tick", "words"),
    [
        (place("0.525"), MARKET, "0.01", "not on the grid"),
        (place("0.525", order_type="FAK"), MARKET, "0.01", "not on the grid"),
        (place("0.52"), MARKET, "0.02", "tick size"),
        (place(size="0.001"), MARKET, "0.01", "come to nothing"),
        (place("0.01", "0.5", order_type="FOK"), MARKET, "0.01", "come to nothing"),
        (place(token_id="mkt-1/yes"), MARKET, "0.01", "has no number"),
        (place(order_type="GTD"), MARKET, "0.01", "expiration"),
        (place(order_type="FOK", post_only=True), MARKET, "0.01", "post-only"),
        (place(), msgspec.structs.replace(MARKET, version=None), "0.01", "version"),
        (place(), msgspec.structs.replace(MARKET, neg_risk=None), "0.01", "neg-risk"),
    ],
)
def test_what_the_venue_could_not_take_is_not_signed(order: PlaceOrder, market: Market, tick: str, words: str) -> None:
    with pytest.raises(Unsignable, match=words):
        sign_order(order, market, tick, WALLET, API_KEY, NOW_NS)


def test_a_batch_holds_the_bytes_of_its_orders_unchanged() -> None:
    bodies = [sign_order(place(client_order_id=f"s1-{n}"), MARKET, "0.01", WALLET, API_KEY, NOW_NS).body for n in range(3)]
    batch = orders_body(bodies)
    assert all(body in batch for body in bodies) and json.loads(batch) == [json.loads(body) for body in bodies]
    for wrong in ([], [b"{}"] * 16):
        with pytest.raises(ValueError):
            orders_body(wrong)


def test_other_bodies_are_those_of_the_vectors(auth_cases: list[dict[str, Any]]) -> None:
    beats = next(case["body"] for case in auth_cases if case.get("path") == "/v1/heartbeats")
    order, other = ("0x" + word * 32 for word in ("ab", "cd"))
    deletes = {case["path"]: case["body"] for case in auth_cases if case.get("method") == "DELETE" and case["body"]}
    assert cancel_body(order).decode() == deletes["/order"]
    assert cancels_body([order, other]).decode() == deletes["/orders"]
    assert market_cancel_body("0x" + "ee" * 32, "123").decode() == deletes["/cancel-market-orders"]
    assert market_cancel_body() == b"{}"
    assert heartbeat_body().decode() == beats
    with pytest.raises(ValueError):
        cancels_body(["0x"] * 1_001)
