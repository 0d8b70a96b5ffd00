"""Providers of snapshots that answer at once, without a network: from a JSON file, or from a function. Inline edges, deterministic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadFrame, BadInput
from pipeline.messages import Message
from pipeline.messages.edges import FetchBooks, RestBody
from pipeline.venue.decode import decode_books
from pipeline.venue.generic import GenericRules

Provide = Callable[[str, str], Any]
"""(token_id, market) to a snapshot as JSON would hold it (a generic snapshot or a venue book), or None if there is none."""

FAKE, FILE = "fake", "file"


class Snapshots:
    """The edge: asks a function for each token's snapshot, one answer a token. ``name`` begins the request that the answer names."""

    accepts: tuple[type[Message], ...] = (FetchBooks,)

    def __init__(self, provide: Provide, name: str = FAKE) -> None:
        self._provide, self._name = provide, name

    def take(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """FetchBooks: the answers, in the order of its tokens."""
        if not isinstance(msg, FetchBooks):
            return
        for token_id, market in zip(msg.token_ids, msg.markets, strict=True):
            found = self._provide(token_id, market)
            yield RestBody(
                ts_ns=now_ns,
                request=f"{self._name} {token_id}",
                status=404 if found is None else 200,
                body=b"" if found is None else msgspec.json.encode(found),
                request_id=msg.request_id,
                token_ids=(token_id,),
                error=f"no snapshot of {token_id}" if found is None else "",
            )

    def next_ns(self) -> int | None:
        """It says nothing unasked."""
        return None

    def due(self, now_ns: int) -> Iterable[Message]:
        """Nothing."""
        return ()


def fake_snapshots(seq: int = 0, bids: Sequence[tuple[str, str]] = (), asks: Sequence[tuple[str, str]] = ()) -> Snapshots:
    """A provider that gives every token the same levels under the same ``seq``.

    Its ``seq`` is usually older than the gap it is asked about, which leaves the book suspect: stored, never quoted on.
    """
    snapshot = {"type": "snapshot", "seq": seq, "bids": list(bids), "asks": list(asks)}
    return Snapshots(lambda token_id, market: snapshot)


def file_snapshots(path: Path) -> Snapshots:
    """A provider that reads a JSON file, once: one snapshot for everybody, an array of them, or an object of them by token_id or market.

    Raises BadInput if the file cannot be read or holds no book.
    """
    try:
        tree = msgspec.json.Decoder(float_hook=str).decode(path.read_bytes())
    except OSError as error:
        raise BadInput(f"{path}: cannot be opened: {error.strerror or error}; give a JSON file with a snapshot") from None
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not JSON: {error}") from None
    books = _by_word(tree)
    for word, book in books.items():
        try:
            decode_books(msgspec.json.encode(book), 0, "file", GenericRules(market=str(book.get("market") or "any")))
        except BadFrame as error:
            raise BadInput(f"{path}: snapshot {word or '(the only one)'}: {error}") from None
    if not books:
        raise BadInput(f"{path}: holds no snapshot; give an object with seq, bids and asks, or a venue book")
    return Snapshots(lambda token_id, market: books.get(token_id, books.get(market, books.get(""))), FILE)


def _by_word(tree: Any) -> dict[str, Mapping[str, Any]]:
    """The books of a file by whom they are about; "" is the one for everybody."""
    if isinstance(tree, list):
        return {_about(item): item for item in tree if isinstance(item, dict)}
    if not isinstance(tree, dict):
        return {}
    if "bids" in tree or "asks" in tree or isinstance(tree.get("data"), dict):
        return {_about(tree): tree}
    return {word: item for word, item in tree.items() if isinstance(item, dict)}


def _about(book: Mapping[str, Any]) -> str:
    """The token or the market that a book names."""
    if isinstance(book.get("asset_id"), str):
        return str(book["asset_id"])
    market, outcome = book.get("market"), book.get("outcome_id")
    if isinstance(market, str) and outcome is not None:
        return f"{market}/{outcome}"
    return market if isinstance(market, str) else ""
