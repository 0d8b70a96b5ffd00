import json

import pytest

from pipeline.base.errors import BadFrame
from pipeline.messages.edges import SPOT_CHECK, RestBody
from pipeline.venue.answers import books_of, source_of


def answer(body: object, *token_ids: str, request: str = "GET /book", cause: str = "") -> RestBody:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RestBody(ts_ns=1, request=request, status=200, body=data, token_ids=token_ids, cause=cause)


def book(token_id: str) -> dict[str, object]:
    return {"asset_id": token_id, "market": "0x1", "timestamp": "5", "hash": "h", "bids": [], "asks": []}


def test_the_books_that_were_asked_for_are_found_in_any_order_and_others_are_left_out() -> None:
    found = books_of(answer([book("2"), book("9"), book("1")], "1", "2"), "0x1")
    assert set(found) == {"1", "2"}
    assert found["1"].source == "rest"


def test_a_spot_check_is_told_by_its_cause_and_an_inline_provider_by_its_name() -> None:
    assert source_of(answer([], "1", cause=SPOT_CHECK)) == "spot"
    assert source_of(answer([], "1", request="fake 1")) == "fake"
    assert source_of(answer([], "1", request="file 1")) == "file"


def test_a_generic_snapshot_that_names_nothing_is_about_the_token_asked_for() -> None:
    body = {"seq": 4, "bids": [["0.4", "5"]], "asks": []}
    (found,) = books_of(answer(body, "mkt-1/yes", request="fake mkt-1/yes"), "").values()
    assert (found.token_id, found.market, found.seq) == ("mkt-1/yes", "mkt-1", 4)


def test_a_body_that_is_not_understood_is_refused() -> None:
    with pytest.raises(BadFrame):
        books_of(answer(b"<html>", "1"), "0x1")
