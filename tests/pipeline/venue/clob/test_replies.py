"""An answer is taken for what it says: a success that refuses is a refusal, and what tells nothing for certain is unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages.edges import RefusalCode
from pipeline.venue.clob.replies import decode_cancel_reply, decode_heartbeat_reply, decode_order_reply

ID = "0x" + "ab" * 32


def taken(status: str, **more: Any) -> dict[str, Any]:
    return {"success": True, "errorMsg": "", "orderID": ID, "status": status, "makingAmount": "", "takingAmount": "", **more}


@pytest.mark.parametrize("status", ["live", "matched", "delayed", "unmatched"])
def test_an_order_that_was_taken_has_its_status_and_id(status: str) -> None:
    [told] = decode_order_reply(200, json.dumps(taken(status, tradeIDs=["t1", "t2"])).encode(), 1)
    assert (told.status, told.venue_order_id, told.trade_ids, told.refusal, told.unknown) == (status, ID, ("t1", "t2"), None, "")


def test_a_success_with_a_message_and_without_an_id_is_a_refusal() -> None:
    entries = [
        taken("live"),
        {"success": True, "errorMsg": "not enough balance / allowance", "orderID": ""},
        {"success": False, "errorMsg": "invalid post-only order: order crosses book", "orderID": ID},
        {"error": "order 0xab is invalid. Duplicated."},
    ]
    told = decode_order_reply(200, json.dumps(entries).encode(), 4)
    assert [one.refusal.code if one.refusal else one.status for one in told] == ["live", "balance", "crosses", "duplicate"]


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"error": "order 0xab is invalid. Duplicated."}, "duplicate"),
        (400, {"error": "not enough balance / allowance"}, "balance"),
        (400, {"error": "Invalid order payload"}, "invalid"),
        (401, {"error": "Unauthorized/Invalid api key"}, "unauthorized"),
        (425, {}, "restarting"),
        (429, {}, "rate_limited"),
        (500, {"error": "no matching orders"}, "no_match"),
        (503, {"error": "x", "code": "post_only_mode", "retry_after_seconds": 7}, "post_only"),
        (503, {"error": "trading disabled"}, "disabled"),
    ],
)
def test_an_error_refuses_every_order_of_the_request(status: int, body: dict[str, Any], code: RefusalCode) -> None:
    told = decode_order_reply(status, json.dumps(body).encode(), 3)
    assert [one.refusal.code if one.refusal else one.unknown for one in told] == [code] * 3


def test_the_time_to_wait_is_handed_on() -> None:
    [told] = decode_order_reply(429, b"", 1, "3")
    assert told.refusal is not None and told.refusal.retry_after_ms == 3_000


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (0, b""),
        (500, b'{"error":"order timed out"}'),
        (502, b"<html>bad gateway</html>"),
        (504, b""),
        (408, b""),
        (302, b""),
        (200, b""),
        (200, b"not json"),
        (200, b"[]"),
        (200, b"17"),
        (200, b'{"success":true,"errorMsg":"","orderID":"","status":"live"}'),
        (200, json.dumps(taken("odd")).encode()),
        (200, b"[" * 100_000),
    ],
)
def test_an_answer_that_may_hide_an_accepted_order_is_unknown(status: int, body: bytes) -> None:
    [told] = decode_order_reply(status, body, 1)
    assert told.unknown and told.refusal is None and told.status is None


def test_a_batch_with_too_few_answers_leaves_all_its_orders_unknown() -> None:
    told = decode_order_reply(200, json.dumps([taken("live")]).encode(), 2)
    assert len(told) == 2 and all(one.unknown for one in told)


@given(st.integers(0, 599), st.binary(max_size=60), st.integers(1, 15))
def test_any_bytes_give_one_outcome_an_order(status: int, body: bytes, count: int) -> None:
    told = decode_order_reply(status, body, count)
    assert len(told) == count
    assert all((one.status is not None) + (one.refusal is not None) + bool(one.unknown) == 1 for one in told)


def test_a_cancel_tells_what_it_did_and_what_not() -> None:
    told = decode_cancel_reply(200, json.dumps({"canceled": [ID], "not_canceled": {"0x2": "already canceled"}}).encode())
    assert (told.cancelled, dict(told.not_cancelled), told.refusal, told.unknown) == (
        (ID,),
        {"0x2": "already canceled"},
        None,
        "",
    )
    nothing = decode_cancel_reply(200, b'{"canceled":null,"not_canceled":null}')
    assert (nothing.cancelled, nothing.not_cancelled, nothing.unknown) == ((), {}, "")


def test_a_cancel_that_is_refused_or_lost_is_told_apart() -> None:
    refused = decode_cancel_reply(425, b"", "2").refusal
    assert refused is not None and (refused.code, refused.retry_after_ms) == ("restarting", 2_000)
    for status, body in ((0, b""), (502, b"x"), (200, b"[]"), (200, b'{"canceled":7}')):
        assert decode_cancel_reply(status, body).unknown


def test_a_wrong_heartbeat_is_told_with_the_one_expected() -> None:
    good = decode_heartbeat_reply(200, b'{"heartbeat_id":"h2"}')
    assert (good.accepted, good.heartbeat_id) == (True, "h2")
    wrong = decode_heartbeat_reply(400, b'{"error_msg":"Invalid Heartbeat ID","heartbeat_id":"h9"}')
    assert (wrong.accepted, wrong.heartbeat_id) == (False, "h9")
    assert not decode_heartbeat_reply(0, b"").accepted and decode_heartbeat_reply(401, b"").heartbeat_id == ""
