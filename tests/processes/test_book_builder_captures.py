"""The book builder on frames captured from the live venue, and on the streams of the reference vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pipeline.market.verify import book_hash
from pipeline.messages import Message
from pipeline.messages.control import BookWanted
from pipeline.messages.market import (
    BookSnapshot,
    Market,
    MarketUniverse,
    TradePrint,
    VenueBook,
    VenuePriceChange,
)
from pipeline.messages.records import BookEvents, BookLevels, BookStateChanged
from pipeline.venue.decode import FrameDecoder
from processes.book_builder import BookBuilder

MS = 1_000_000
S = 1_000 * MS
Kind = TypeVar("Kind", bound=Message)
Run = Callable[..., list[Message]]


def only(kind: type[Kind], messages: Iterable[Message]) -> list[Kind]:
    return [msg for msg in messages if isinstance(msg, kind)]


def rows(messages: Iterable[Message]) -> int:
    return sum(len(msg.events) for msg in only(BookEvents, messages))


def frames_of(file: Path) -> Iterator[tuple[int, bytes]]:
    """(receipt, frame) of a capture, whichever of the three ways it was kept in."""
    if file.suffix == ".json":
        for i, frame in enumerate(json.loads(file.read_text())):
            yield (i + 1) * S, json.dumps(frame).encode()
        return
    for line in file.read_text().splitlines():
        item = json.loads(line)
        text = item.get("payloadUtf8") or item.get("data")
        when = item.get("receivedAt") or item.get("t")
        if item.get("dir", "recv") == "recv":
            yield int(datetime.fromisoformat(when).timestamp() * 1_000) * MS, text.encode()


def capture(file: Path, frames: int = 1_000_000, known: bool = True) -> list[Message]:
    """The messages of a capture, after the universe that it needs."""
    decoder = FrameDecoder()
    messages = [msg for ts_ns, data in list(frames_of(file))[:frames] for msg in decoder.decode(data, ts_ns)]
    ids = dict.fromkeys(msg.market for msg in messages if isinstance(msg, (VenueBook, VenuePriceChange)))
    markets = tuple(Market(market_id=each, outcomes=(), min_order_size="5", neg_risk=False) for each in ids)
    return [MarketUniverse(ts_ns=0, markets=markets if known else ()), *messages]


def verdicts(out: list[Message]) -> set[str]:
    return {msg.new for msg in only(BookStateChanged, out)} | {msg.state for msg in only(BookSnapshot, out)}


def test_every_batch_of_the_contiguous_captures_verifies_without_an_alarm(shared: Path, run: Run) -> None:
    folder = shared / "data" / "real" / "ws"
    batches = 0
    for name, frames, entries in (
        ("polyarb_ws_market_capture.json", 5, 8),
        ("adriancova_market_frames_h1_run8.jsonl", 23, 40),
    ):
        builder = BookBuilder()
        out = run(builder, capture(folder / name, frames), until_ns=2**62)
        counts = builder.counts()
        assert verdicts(out) == {"VERIFIED"}, name
        assert rows(out) == entries, name
        assert not only(BookWanted, out), name
        assert "hash_misses" not in counts, name
        batches += counts["hash_matches"] - counts["snapshots"]
    assert batches == 32


def test_books_of_a_capture_with_missing_frames_verify_again_by_themselves(shared: Path, run: Run) -> None:
    file = shared / "data" / "real" / "ws" / "adriancova_market_frames_h1_run8.jsonl"
    builder = BookBuilder()
    out = run(builder, capture(file), until_ns=2**62)
    assert verdicts(out) == {"VERIFIED"}
    assert (len(only(BookLevels, out)), len(only(TradePrint, out))) == (5, 2)


def test_an_empty_book_of_the_second_protocol_verifies(shared: Path, run: Run) -> None:
    builder = BookBuilder()
    out = run(builder, capture(shared / "data" / "real" / "ws" / "adriancova_ws_market_v2_session.jsonl"))
    assert verdicts(out) == {"VERIFIED"}


def test_a_mass_cancel_without_a_snapshot_is_stored_whole_and_unverified(shared: Path, run: Run) -> None:
    builder = BookBuilder(resync=False)
    out = run(builder, capture(shared / "data" / "real" / "ws" / "tail5m_bba_cancel_batch.jsonl"), until_ns=2**62)
    assert (verdicts(out), rows(out)) == ({"UNVERIFIED"}, 8)
    assert [event.seq for event in only(BookEvents, out)] == [1, 1]


def test_without_the_static_fields_a_capture_is_unverified_and_not_suspect(shared: Path, run: Run) -> None:
    file = shared / "data" / "real" / "ws" / "adriancova_market_frames_h1_run8.jsonl"
    builder = BookBuilder()
    out = run(builder, capture(file, 23, known=False), until_ns=2**62)
    assert verdicts(out) == {"UNVERIFIED"}
    assert only(BookSnapshot, out)[0].reason == "min_order_size, neg_risk unknown"
    assert {shown.basis for shown in only(BookSnapshot, out)[2:]} == {"best"}


def test_the_replay_stream_of_the_vectors_verifies_entry_by_entry(shared: Path, run: Run) -> None:
    stream = json.loads((shared / "reference" / "vectors" / "book_hash.json").read_text())["stream"]
    opening = stream["opening_book_token_a"]
    market = opening["market"]

    def mirrored(levels: list[dict[str, str]]) -> tuple[tuple[str, str], ...]:
        return tuple((f"{1 - float(level['price']):.3f}".rstrip("0"), level["size"]) for level in levels)

    def a_book(token: str, bids: tuple[tuple[str, str], ...], asks: tuple[tuple[str, str], ...]) -> VenueBook:
        digest = book_hash(market, token, opening["timestamp"], bids, asks, "5", "0.001", False, "0.255")
        return VenueBook(
            ts_ns=1,
            token_id=token,
            market=market,
            bids=bids,
            asks=asks,
            source="ws",
            venue_ts=opening["timestamp"],
            hash=digest,
            tick_size="0.001",
            last_trade_price="0.255",
        )

    bids, asks = (tuple((each["price"], each["size"]) for each in opening[side]) for side in ("bids", "asks"))
    books = [
        a_book(stream["token_a"], bids, asks),
        a_book(stream["token_b"], mirrored(opening["asks"]), mirrored(opening["bids"])),
    ]
    decoder = FrameDecoder()
    events = [msg for event in stream["events"] for msg in decoder.decode(json.dumps(event).encode(), 2)]
    universe = MarketUniverse(ts_ns=0, markets=(Market(market_id=market, outcomes=(), min_order_size="5", neg_risk=False),))
    builder = BookBuilder()
    out = run(builder, [universe, *books, *events])
    assert verdicts(out) == {"VERIFIED"}
    assert (rows(out), builder.counts()["hash_matches"]) == (22, 24)
