"""Typed data of every reference vector, also of the retired order, hashes and signs as the official clients do it."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.venue.clob.crypto import recovered_address
from pipeline.venue.clob.eip712 import digest, domain_separator, struct_hash, type_string, word
from pipeline.venue.clob.wallet import Wallet


def hashed(typed: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """(domain separator, struct hash, digest) of a whole EIP-712 document."""
    name = typed["primaryType"]
    fields = tuple((field["type"], field["name"]) for field in typed["types"][name])
    message = typed["message"]
    values = [int(message[key]) if kind.startswith("uint") else message[key] for kind, key in fields]
    domain = typed["domain"]
    separator = domain_separator(domain["name"], domain["version"], domain["chainId"], domain.get("verifyingContract", ""))
    struct = struct_hash(type_string(name, fields), [kind for kind, _ in fields], values)
    return separator, struct, digest(separator, struct)


def test_every_order_hashes_as_in_the_vectors(signing_cases: list[dict[str, Any]]) -> None:
    for case in signing_cases:
        separator, struct, whole = hashed(case["typed_data"])
        assert "0x" + separator.hex() == case["domain_separator"], case["label"]
        assert "0x" + whole.hex() == case["order_hash"], case["label"]
        assert case["signature_type"] != 3 or "0x" + struct.hex() == case["contents_hash"]


def test_orders_of_the_retired_kind_are_signed_as_in_the_vectors(signing_cases: list[dict[str, Any]]) -> None:
    retired = [case for case in signing_cases if case["order_version"] == 1]
    assert len(retired) == 22
    for case in retired:
        whole = hashed(case["typed_data"])[2]
        signature = Wallet(case["private_key"]).sign(whole)
        assert "0x" + signature.hex() == case["signature"], case["label"]


def test_a_signature_tells_who_signed(signing_cases: list[dict[str, Any]]) -> None:
    for case in signing_cases[:3]:
        signature = bytes.fromhex(case["signature"][2:])
        assert recovered_address(bytes.fromhex(case["digest_signed"][2:]), signature) == case["recovered"]


@pytest.mark.parametrize("signature", [b"", b"\x00" * 65, b"\xff" * 65, b"\x1b" * 64])
def test_what_is_no_signature_is_a_value_error(signature: bytes) -> None:
    with pytest.raises(ValueError):
        recovered_address(b"\x01" * 32, signature)


@pytest.mark.parametrize(
    ("kind", "value"),
    [("uint8", 256), ("uint256", -1), ("uint256", 1 << 256), ("uint8", True), ("uint256", "1"), ("address", "0x12"), ("string", 1),
     ("bytes32", 5), ("int256", 1)],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_refused(kind: str, value: Any) -> None:
    with pytest.raises(ValueError):
        word(kind, value)
