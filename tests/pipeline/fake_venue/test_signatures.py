"""Every signature of the official clients is accepted, and none with a changed byte."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.fake_venue.accounts import Refused, l2_signature
from pipeline.fake_venue.order_wire import read_post
from pipeline.fake_venue.signatures import check_order, signer_of_auth


def cases(shared: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((shared / "reference" / "vectors" / name).read_text(encoding="utf-8"))["cases"]
    return found


def test_every_order_of_the_second_version_has_its_hash_and_its_signer(shared: Path) -> None:
    mine = [case for case in cases(shared, "order_signing.json") if case["order_version"] == 2 and case["chain_id"] == 137]
    assert {case["signature_type"] for case in mine} == {0, 1, 2, 3}
    for case in mine:
        post = read_post(case["post_body"])
        assert check_order(post.order, case["neg_risk"]) == (case["order_hash"], case["signer_eoa"].lower()), case["label"]


def test_orders_of_other_versions_and_chains_are_refused(shared: Path) -> None:
    for case in cases(shared, "order_signing.json"):
        if case["order_version"] == 1:
            with pytest.raises(Refused, match="order_version_mismatch"):
                read_post(case["post_body"])
        elif case["order_version"] == 3 or case["chain_id"] != 137:
            post = read_post(case["post_body"])
            with pytest.raises(Refused, match="invalid signature"):
                check_order(post.order, case["neg_risk"])


def test_an_order_for_the_other_exchange_is_refused(shared: Path) -> None:
    case = next(case for case in cases(shared, "order_signing.json") if case["order_version"] == 2)
    with pytest.raises(Refused, match="invalid signature"):
        check_order(read_post(case["post_body"]).order, not case["neg_risk"])


@pytest.mark.parametrize("signature_type", [0, 1, 2, 3])
def test_a_changed_byte_is_noticed(shared: Path, signature_type: int) -> None:
    case = next(
        case
        for case in cases(shared, "order_signing.json")
        if (case["order_version"], case["chain_id"], case["signature_type"]) == (2, 137, signature_type)
    )
    order = case["post_body"]["order"]
    changes: list[tuple[str, Any]] = [
        ("salt", order["salt"] + 1),
        ("tokenId", str(int(order["tokenId"]) + 1)),
        ("makerAmount", order["makerAmount"] + "0"),
        ("takerAmount", order["takerAmount"] + "0"),
        ("side", "SELL" if order["side"] == "BUY" else "BUY"),
        ("timestamp", str(int(order["timestamp"]) + 1)),
        ("metadata", "0x" + "0" * 63 + "1"),
        ("builder", "0x" + "0" * 63 + "1"),
        ("maker", "0x" + "1" * 40),
    ]
    length = len(bytes.fromhex(order["signature"][2:]))
    for at in (0, 31, 32, 63, 64, *((65, 97, 200, length - 1) if length > 65 else ())):
        raw = bytearray.fromhex(order["signature"][2:])
        raw[at] ^= 1
        changes.append(("signature", "0x" + raw.hex()))
    changes += [("signature", "0x"), ("signature", order["signature"] + "00"), ("signature", "zz")]
    for name, value in changes:
        changed = copy.deepcopy(case["post_body"])
        changed["order"][name] = value
        assert not _is_accepted(changed, case), (name, value)


def _is_accepted(body: dict[str, Any], case: dict[str, Any]) -> bool:
    """Taken as the same key's; an order whose content has changed recovers some other key."""
    try:
        _, signer = check_order(read_post(body).order, case["neg_risk"])
    except Refused:
        return False
    return bool(signer == case["signer_eoa"].lower())


def test_requests_for_credentials_are_recognised_by_their_signer(shared: Path) -> None:
    mine = [case for case in cases(shared, "auth.json") if case["kind"] == "L1"]
    assert mine
    for case in mine:
        headers = {name.lower(): value for name, value in case["headers"].items()}
        now_ns = int(case["timestamp"]) * 10**9
        if case["chain_id"] != 137:
            with pytest.raises(Refused):
                signer_of_auth(headers, now_ns)
            continue
        assert signer_of_auth(headers, now_ns) == (case["address"].lower(), case["nonce"])
        for late_s in (61, -61):
            with pytest.raises(Refused, match="Invalid L1"):
                signer_of_auth(headers, now_ns + late_s * 10**9)
        for name, value in (
            ("poly_nonce", str(case["nonce"] + 1)),
            ("poly_address", "0x" + "1" * 40),
            ("poly_signature", "0x12"),
        ):
            with pytest.raises(Refused, match="Invalid L1"):
                signer_of_auth({**headers, name: value}, now_ns)


def test_signatures_of_requests_are_those_of_the_official_clients(shared: Path) -> None:
    mine = [case for case in cases(shared, "auth.json") if case["kind"] == "L2"]
    assert mine
    for case in mine:
        body = (case["body"] or "").encode()
        made = l2_signature(case["secret"], str(case["timestamp"]), case["method"], case["path"], body)
        assert made == case["headers"]["POLY_SIGNATURE"], case["note"]
