"""A closed market with final prices tells its payouts; anything less tells nothing."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from pipeline.venue.resolutions import decode_resolutions, resolution_of


def body(**values: Any) -> bytes:
    known: dict[str, Any] = {
        "conditionId": "0x" + "a" * 64,
        "slug": "m",
        "outcomes": '["Yes", "No"]',
        "clobTokenIds": '["11", "22"]',
        "closed": True,
        "closedTime": "2026-11-22 15:10:00+00",
        "outcomePrices": '["1", "0"]',
        "umaResolutionStatus": "resolved",
    }
    return json.dumps({**known, **values}).encode()


@pytest.mark.parametrize(
    ("prices", "winner", "payouts"),
    [
        ('["1", "0"]', ("11", "Yes"), (1_000_000, 0)),
        ('["0", "1"]', ("22", "No"), (0, 1_000_000)),
        ('["0.5", "0.5"]', ("", ""), (500_000, 500_000)),
        (["0.50", "0.50"], ("", ""), (500_000, 500_000)),
    ],
)
def test_final_prices_are_payouts(prices: object, winner: tuple[str, str], payouts: tuple[int, int]) -> None:
    told = resolution_of(body(outcomePrices=prices), 7)
    assert told is not None
    assert (told.ts_ns, told.market, told.token_ids) == (7, "0x" + "a" * 64, ("11", "22"))
    assert (told.winning_token_id, told.winning_outcome) == winner
    assert told.payouts_e6 == payouts


@pytest.mark.parametrize(
    "values",
    [
        {"closed": False},
        {"outcomePrices": '["0.995", "0.005"]'},
        {"outcomePrices": '["0", "0"]'},
        {"outcomePrices": '["1"]'},
        {"outcomePrices": "1, 0"},
        {"outcomePrices": None},
        {"umaResolutionStatus": "disputed"},
        {"umaResolutionStatus": "proposed"},
        {"clobTokenIds": "[]"},
    ],
)
def test_what_is_open_undecided_or_unreadable_tells_nothing(values: dict[str, object]) -> None:
    assert resolution_of(body(**values), 7) is None


def test_one_that_cannot_be_read_does_not_spoil_the_others() -> None:
    found = decode_resolutions([msgspec.Raw(b"{"), body(), b"[]", body(umaResolutionStatus=None)], 7)
    assert [each.winning_token_id for each in found] == ["11", "11"]
