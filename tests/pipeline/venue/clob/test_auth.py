"""Headers are those of the official client, in every reference vector."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.base.errors import BadInput
from pipeline.venue.clob.auth import auth_digest, l1_headers, l2_headers, l2_signature
from pipeline.venue.clob.wallet import ApiCredentials, Wallet


def test_a_wallet_proves_itself_as_in_the_vectors(auth_cases: list[dict[str, Any]]) -> None:
    cases = [case for case in auth_cases if case["kind"] == "L1"]
    assert cases
    for case in cases:
        told = auth_digest(case["address"], case["timestamp"], case["nonce"], case["chain_id"])
        assert "0x" + told.hex() == case["digest"]
        assert l1_headers(Wallet(case["private_key"]), case["timestamp"], case["nonce"], case["chain_id"]) == case["headers"]


def test_a_private_request_is_signed_as_in_the_vectors(auth_cases: list[dict[str, Any]]) -> None:
    cases = [case for case in auth_cases if case["kind"] == "L2"]
    assert len(cases) == 26
    for case in cases:
        credentials = ApiCredentials(case["api_key"], case["secret"], case["passphrase"])
        body = (case["body"] or "").encode()
        address = case["headers"]["POLY_ADDRESS"]
        assert l2_headers(credentials, address, case["method"], case["path"], body, case["timestamp"]) == case["headers"], case[
            "label"
        ]


def test_a_query_is_not_signed_and_the_method_is_written_large() -> None:
    secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    plain = l2_signature(secret, 1782753357, "GET", "/data/orders")
    assert plain == "TFAzVJK4eLYF9p91eYdaGjHTl_WZ2o3fl2CTC0fX5bc="
    assert l2_signature(secret, 1782753357, "get", "/data/orders?market=0x1&next_cursor=MA==") == plain


def test_every_byte_of_the_body_counts() -> None:
    secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
    assert l2_signature(secret, 1, "POST", "/order", b'{"a":1}') != l2_signature(secret, 1, "POST", "/order", b'{"a": 1}')


def test_a_secret_that_is_none_is_told_without_showing_it() -> None:
    with pytest.raises(BadInput, match="api_secret") as told:
        l2_signature("not-base64!", 1, "GET", "/data/orders")
    assert "not-base64" not in str(told.value)
