"""The book hash against vectors of the official client and captures of the venue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.market.verify import (
    book_hash,
    fitting_price,
    level_json,
    level_texts,
    levels_state,
    tail_end,
    tail_head,
    trade_price_text,
    trade_price_texts,
)


def texts(levels: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(level["price"], level["size"]) for level in levels]


def hash_of(book: dict[str, Any]) -> str:
    return book_hash(
        book["market"],
        book["asset_id"],
        book["timestamp"],
        texts(book["bids"]),
        texts(book["asks"]),
        book["min_order_size"],
        book["tick_size"],
        book["neg_risk"],
        book["last_trade_price"],
        book.get("version"),
    )


def test_every_vector_has_its_hash(shared: Path) -> None:
    cases = json.loads((shared / "reference" / "vectors" / "book_hash.json").read_text())["cases"]
    assert len(cases) == 9
    for case in cases:
        assert hash_of(case["book"]) == case["sha1"], case["label"]


def test_a_constructed_book_has_the_official_clients_hash() -> None:
    book = {
        "market": "0x00000000000000000000000000000000000000000000000000000000000000aa",
        "asset_id": "1",
        "timestamp": "0",
        "bids": [],
        "asks": [],
        "min_order_size": "5",
        "tick_size": "0.001",
        "neg_risk": True,
        "last_trade_price": "",
    }
    assert hash_of(book) == "ddc8d1cbbde70119157979c54c5be66b01e3dc55"


def test_rest_bodies_have_the_hash_they_carry(shared: Path) -> None:
    for name in ("clob_book_binary.json", "clob_book_negrisk_outcome.json"):
        book = json.loads((shared / "data" / "real" / "rest" / "polyarb" / name).read_text())
        assert hash_of(book) == book["hash"], name


def test_one_state_serves_every_candidate_of_the_last_trade_price() -> None:
    bids, asks = level_json("0.48", "30"), level_json("0.52", "25")
    wanted = book_hash("m", "1", "7", [("0.48", "30")], [("0.52", "25")], "5", "0.01", False, "0.510", "v2")
    state = levels_state("m", "1", "7", bids, asks)
    head, end = tail_head("5", "0.01", False), tail_end("v2")
    assert fitting_price(state, head, end, ["", "0.490", "0.510"], wanted) == "0.510"
    assert fitting_price(state, head, end, ["", "0.490"], wanted) is None


@pytest.mark.parametrize(
    ("price_e6", "text"), [(490_000, "0.490"), (255_000, "0.255"), (1_000_000, "1.000"), (0, "0.000"), (2_500, "0.0025")]
)
def test_a_trade_price_is_written_with_three_decimals(price_e6: int, text: str) -> None:
    assert trade_price_text(price_e6) == text


def test_each_price_is_tried_with_its_complement() -> None:
    assert list(trade_price_texts([490_000])) == ["0.490", "0.510"]


def test_a_levels_texts_come_back_from_its_hashed_form() -> None:
    assert level_texts(level_json("0.50", "1234.50")) == ("0.50", "1234.50")
