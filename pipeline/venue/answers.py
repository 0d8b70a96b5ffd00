"""The books in the answer to a request for books."""

from __future__ import annotations

from pipeline.messages.edges import SPOT_CHECK, RestBody
from pipeline.messages.market import BookSource, VenueBook
from pipeline.venue.decode import decode_books
from pipeline.venue.generic import GenericRules


def books_of(answer: RestBody, market: str) -> dict[str, VenueBook]:
    """The books of those tokens that were asked for. Raises BadFrame for a body that is not understood.

    A generic snapshot that names nothing is about the one token that was asked for, of ``market`` ("": as the token says).
    """
    first = answer.token_ids[0]
    market = market or first.rpartition("/")[0]
    rules = GenericRules(market, first.removeprefix(f"{market}/"))
    books = decode_books(answer.body, answer.ts_ns, source_of(answer), rules)
    return {book.token_id: book for book in books if book.token_id in answer.token_ids}


def source_of(answer: RestBody) -> BookSource:
    """Who answered: an inline provider puts its name before the token; nobody waits for the answer to a spot check."""
    if answer.cause == SPOT_CHECK:
        return "spot"
    word = answer.request.partition(" ")[0]
    return "fake" if word == "fake" else "file" if word == "file" else "rest"
