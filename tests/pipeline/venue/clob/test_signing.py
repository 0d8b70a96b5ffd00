"""Order hashes and signatures of every kind of wallet are those of the official clients; every field counts."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.venue.clob.contracts import POLYGON, Exchange, exchange_of
from pipeline.venue.clob.signing import ORDER_TYPE, VenueOrder, order_hash, order_signature, separator_of, signed_digest
from pipeline.venue.clob.wallet import Wallet

ORDER = VenueOrder(
    salt=479249096354,
    maker="0xF37CBE932045A0Ca911A16702Fb288a4fCf38831",
    signer="0xF37CBE932045A0Ca911A16702Fb288a4fCf38831",
    token_id=12345,
    maker_amount=5_200_000,
    taker_amount=10_000_000,
    side="BUY",
    signature_type=0,
    timestamp_ms=1782753357257,
)
EXCHANGE = exchange_of("v1", False)
OTHERS: dict[str, Any] = {
    "salt": 1,
    "maker": "0x" + "11" * 20,
    "signer": "0x" + "11" * 20,
    "token_id": 12346,
    "maker_amount": 5_200_001,
    "taker_amount": 10_000_001,
    "side": "SELL",
    "signature_type": 1,
    "timestamp_ms": 1782753357258,
    "metadata": "0x" + "01" * 32,
    "builder": "0x" + "01" * 32,
}


def order_of(case: dict[str, Any]) -> VenueOrder:
    message = case["typed_data"]["message"]
    return VenueOrder(
        salt=int(message["salt"]),
        maker=message["maker"],
        signer=message["signer"],
        token_id=int(message["tokenId"]),
        maker_amount=int(message["makerAmount"]),
        taker_amount=int(message["takerAmount"]),
        side="BUY" if message["side"] == 0 else "SELL",
        signature_type=message["signatureType"],
        timestamp_ms=int(message["timestamp"]),
        metadata=message["metadata"],
        builder=message["builder"],
    )


def exchange_in(case: dict[str, Any]) -> Exchange:
    return exchange_of("v1" if case["order_version"] == 2 else "v2", case["neg_risk"], case["chain_id"])


def wallet_in(case: dict[str, Any]) -> Wallet:
    kind = case["signature_type"]
    return Wallet(case["private_key"], kind, case["maker"] if kind else "")


def test_every_order_is_hashed_and_signed_as_in_the_vectors(signing_cases: list[dict[str, Any]]) -> None:
    current = [case for case in signing_cases if case["order_version"] > 1]
    assert len(current) == 62
    for case in current:
        order, exchange, wallet = order_of(case), exchange_in(case), wallet_in(case)
        assert exchange.contract == case["exchange"]
        assert "0x" + separator_of(exchange).hex() == case["domain_separator"]
        assert order_hash(order, exchange) == case["order_hash"], case["label"]
        assert "0x" + signed_digest(order, exchange).hex() == case["digest_signed"], case["label"]
        assert order_signature(order, exchange, wallet) == case["signature"], case["label"]
        assert (wallet.address, wallet.maker, wallet.signer) == (case["signer_eoa"], case["maker"], case["order_signer"])


def test_a_deposit_wallet_signs_with_the_order_inside(signing_cases: list[dict[str, Any]]) -> None:
    case = next(case for case in signing_cases if case["signature_type"] == 3)
    signature = bytes.fromhex(order_signature(order_of(case), exchange_in(case), wallet_in(case))[2:])
    assert len(signature) == case["signature_layout"]["total_bytes"] == 317
    assert signature[-188:-2].decode() == ORDER_TYPE == case["signature_layout"]["contents_type_ascii"]


@pytest.mark.parametrize("name", [field.name for field in fields(VenueOrder)])
def test_the_hash_changes_with_every_field(name: str) -> None:
    assert order_hash(replace(ORDER, **{name: OTHERS[name]}), EXCHANGE) != order_hash(ORDER, EXCHANGE)


def test_the_hash_changes_with_exchange_and_chain() -> None:
    exchanges = [exchange_of(*told) for told in (("v1", False), ("v1", True), ("v2", None), ("v1", False, 80_002))]
    assert len({order_hash(ORDER, exchange) for exchange in exchanges}) == 4


@given(st.integers(0, 2**53 - 1), st.integers(1, 2**64), st.integers(1, 2**64))
def test_equal_orders_have_equal_hashes_and_others_do_not(salt: int, maker: int, taker: int) -> None:
    order = replace(ORDER, salt=salt, maker_amount=maker, taker_amount=taker)
    assert order_hash(order, EXCHANGE) == order_hash(replace(order), EXCHANGE)
    assert order_hash(order, EXCHANGE) != order_hash(replace(order, maker_amount=maker + 1), EXCHANGE)


@pytest.mark.parametrize(
    ("version", "neg_risk", "chain"), [(None, False, POLYGON), ("v3", False, POLYGON), ("v1", None, POLYGON), ("v1", True, 1)]
)
def test_an_exchange_that_is_not_known_for_certain_is_refused(version: str | None, neg_risk: bool | None, chain: int) -> None:
    with pytest.raises(ValueError):
        exchange_of(version, neg_risk, chain)
