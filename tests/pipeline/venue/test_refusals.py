"""Each refusal of the venue is told apart by its status and a part of its words."""

from __future__ import annotations

import pytest

from pipeline.venue.refusals import Refusal, refusal_of


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, '{"error":"Invalid order payload"}', "invalid"),
        (400, '{"error":"order_version_mismatch"}', "invalid"),
        (400, '{"error":"the order signer has to be the address of the API KEY"}', "unauthorized"),
        (400, '{"error":"address banned"}', "restricted"),
        (400, '{"error":"maker address not allowed, please use the deposit wallet flow"}', "restricted"),
        (400, '{"error":"order 0x1 is invalid. Price breaks minimum tick size rule: 0.01"}', "invalid"),
        (400, '{"error":"order 0x1 is invalid. Size (1) lower than the minimum: 5"}', "invalid"),
        (400, '{"error":"invalid post-only order: order crosses book"}', "crosses"),
        (400, '{"error":"order 0x1 is invalid. Duplicated."}', "duplicate"),
        (400, '{"error":"not enough balance / allowance"}', "balance"),
        (400, '{"error":"order couldn\'t be fully filled. FOK orders are fully filled or killed."}', "no_match"),
        (400, '{"error":"no orders found to match with FAK order."}', "no_match"),
        (400, '{"error":"the market is not yet ready to process new orders"}', "unknown_market"),
        (400, '{"error":"something unheard of"}', "invalid"),
        (401, '{"error":"Unauthorized/Invalid api key"}', "unauthorized"),
        (403, '{"error":"Trading restricted in your region"}', "restricted"),
        (404, '{"error":"No orderbook exists for the requested token id"}', "unknown_market"),
        (425, "", "restarting"),
        (429, "", "rate_limited"),
        (500, '{"error":"order timed out"}', "internal"),
        (502, "<html>", "internal"),
        (503, '{"error":"Trading is post-only","code":"post_only_mode"}', "post_only"),
        (503, '{"error":"Trading is currently cancel-only."}', "cancel_only"),
        (503, '{"error":"Trading is currently disabled."}', "disabled"),
    ],
)
def test_a_refusal_has_one_code(status: int, body: str, code: str) -> None:
    assert refusal_of(status, body).code == code


def test_the_words_and_the_wait_are_kept() -> None:
    body = '{"error":"Trading is post-only","code":"post_only_mode","retry_after_seconds":90}'
    assert refusal_of(503, body) == Refusal("post_only", "Trading is post-only", 90_000)
    assert refusal_of(429, "", retry_after_s="3") == Refusal("rate_limited", "rate limit", 3_000)
    assert refusal_of(425, "") == Refusal("restarting", "engine restarts", 0)
    assert refusal_of(500, "[1]") == Refusal("internal", "[1]", 0)
