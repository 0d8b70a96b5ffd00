"""Amounts that the official clients send are read as the price and the size that were meant."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.units import parse_e6
from pipeline.fake_venue.accounts import Refused
from pipeline.fake_venue.order_wire import OrderPost, read_json, read_post, terms_of

NOW_NS = 1_780_000_000 * 10**9
ORDER: dict[str, Any] = {
    "salt": 1,
    "maker": "0x" + "1" * 40,
    "signer": "0x" + "1" * 40,
    "tokenId": "12",
    "makerAmount": "5200000",
    "takerAmount": "10000000",
    "side": "BUY",
    "expiration": "0",
    "signatureType": 0,
    "timestamp": "1782753357257",
    "metadata": "0x" + "0" * 64,
    "builder": "0x" + "0" * 64,
    "signature": "0x",
}


def post_of(kind: str = "GTC", post_only: bool = False, **order: Any) -> OrderPost:
    return read_post({"order": {**ORDER, **order}, "owner": "key", "orderType": kind, "postOnly": post_only})


def test_every_amount_of_the_unified_client_means_its_price_and_its_size(shared: Path) -> None:
    vectors = json.loads((shared / "reference" / "vectors" / "amounts.json").read_text(encoding="utf-8"))
    read = 0
    for case in vectors["cases"]:
        tick, price = Decimal(case["tick_size"]), Decimal(case["price"])
        made = case["unified_client"]
        if price % tick or not int(made["makerAmount"]) or not int(made["takerAmount"]):
            continue
        kind = "GTC" if case["kind"] == "limit" else "FAK"
        post = post_of(kind, side=case["side"], makerAmount=made["makerAmount"], takerAmount=made["takerAmount"])
        terms = terms_of(post, parse_e6(case["tick_size"]), 0, NOW_NS)
        assert terms.price_e6 == parse_e6(case["price"]), case
        if case["kind"] == "market" and case["side"] == "BUY":
            assert terms.budget_e6 == int(made["makerAmount"])
        else:
            assert terms.size_e6 == int(made["takerAmount" if case["side"] == "BUY" else "makerAmount"])
        read += 1
    assert read > 150


@pytest.mark.parametrize(
    "change",
    [
        {"salt": "1"},
        {"makerAmount": 5},
        {"makerAmount": "-5"},
        {"tokenId": "0x12"},
        {"side": "buy"},
        {"side": 0},
        {"signatureType": 4},
        {"timestamp": "soon"},
        {"surprise": 1},
        {"takerAmount": str(1 << 256)},
    ],
)
def test_a_body_of_another_shape_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="Invalid order payload"):
        post_of(**change)


def test_an_order_of_the_first_version_is_told_so() -> None:
    with pytest.raises(Refused, match="order_version_mismatch"):
        post_of(nonce="0", feeRateBps="0", taker="0x")


def test_what_is_no_json_is_refused() -> None:
    for body in (b"", b"{", b"\xff"):
        with pytest.raises(Refused, match="Invalid order payload"):
            read_json(body)


@pytest.mark.parametrize(
    ("kind", "more", "why"),
    [
        ("GTC", {"makerAmount": "5210000"}, "breaks minimum tick size rule"),
        ("GTC", {"makerAmount": "10000000"}, "breaks minimum tick size rule"),
        ("GTC", {"makerAmount": "0"}, "invalid amounts"),
        ("GTC", {"makerAmount": "2080000", "takerAmount": "4000000"}, "size lower than the minimum"),
        ("GTC", {"makerAmount": "5200520", "takerAmount": "10001000"}, "invalid amounts"),
        ("GTD", {"expiration": "1780000179"}, "invalid expiration"),
        ("FAK", {"expiration": "1780000999"}, "invalid expiration"),
        ("FAK", {"makerAmount": "5205000", "takerAmount": "10009600"}, "invalid amounts"),
        ("FOK", {"post_only": True}, "invalid post-only order"),
    ],
)
def test_what_the_venue_does_not_take(kind: str, more: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        terms_of(post_of(kind, **more), 10_000, 5_000_000, NOW_NS)
