"""Every real capture of the venue's market channel: what can be proved is proved, and nothing raises an alarm."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import pytest

from pipeline.base.errors import BadFrame
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Market, MarketUniverse, VenueBook, VenuePriceChange
from pipeline.messages.records import BookStateChanged
from pipeline.recording.source import open_frames
from pipeline.venue.decode import FrameDecoder, decode_books
from processes.book_builder import BookBuilder

ALARMS = {"PENDING", "SUSPECT", "RESYNCING", "STALE", "DEAD"}
CAPTURES = (
    "polyarb_ws_market_capture.json",
    "adriancova_market_frames_h1_run8.jsonl",
    "adriancova_ws_market_v2_session.jsonl",
    "tail5m_bba_cancel_batch.jsonl",
)
MS = 1_000_000


def texts_of(file: Path) -> list[str]:
    """The frames of a capture, whichever of the three ways it was kept in."""
    if file.suffix == ".json":
        return [json.dumps(frame) for frame in json.loads(file.read_text())]
    items = [json.loads(line) for line in file.read_text().splitlines()]
    return [item.get("payloadUtf8") or item["data"] for item in items if item.get("dir", "recv") == "recv"]


def universe_of(messages: Iterable[Message]) -> MarketUniverse:
    """The hashed fields that the catalogue would tell: the usual ones of a market that is not in a neg-risk event."""
    ids = dict.fromkeys(msg.market for msg in messages if isinstance(msg, (VenueBook, VenuePriceChange)))
    return MarketUniverse(
        ts_ns=0, markets=tuple(Market(market_id=each, outcomes=(), min_order_size="5", neg_risk=False) for each in ids)
    )


def states_after(builder: BookBuilder, messages: Iterable[Message]) -> tuple[Counter[str], Counter[tuple[str, str]]]:
    """The states that books came into, and what was published: (state, basis), with the timers that fell due on the way."""
    states: Counter[str] = Counter()
    published: Counter[tuple[str, str]] = Counter()

    def take(out: Iterable[Message]) -> None:
        for msg in out:
            if isinstance(msg, BookStateChanged):
                states[msg.new] += 1
            elif isinstance(msg, BookSnapshot):
                published[msg.state, msg.basis] += 1

    now_ns = 0
    for msg in messages:
        now_ns = max(now_ns, msg.ts_ns)
        while (due_ns := builder.next_timer_ns()) is not None and due_ns <= now_ns:
            take(builder.on_timer(due_ns))
        take(builder.handle(msg, now_ns))
    for _ in range(100):
        due_ns = builder.next_timer_ns()
        if due_ns is not None:
            take(builder.on_timer(due_ns))
    return states, published


@pytest.mark.parametrize("known", [True, False], ids=["with the catalogue", "without it"])
@pytest.mark.parametrize("name", CAPTURES)
def test_no_capture_raises_an_alarm(shared: Path, name: str, known: bool) -> None:
    decoder = FrameDecoder()
    texts = texts_of(shared / "data" / "real" / "ws" / name)
    messages = [msg for i, text in enumerate(texts) for msg in decoder.decode(text.encode(), (i + 1) * MS)]
    opening = [universe_of(messages)] if known else []
    starts_with_a_book = isinstance(messages[0], VenueBook)
    states, published = states_after(BookBuilder(resync=False), [*opening, *messages])
    assert not ALARMS & (set(states) | {state for state, _ in published})
    assert set(states) == ({"VERIFIED"} if known and starts_with_a_book else {"UNVERIFIED"})


def test_every_first_book_is_proved_by_its_own_hash(shared: Path) -> None:
    found = {}
    for name in CAPTURES[:3]:
        decoder = FrameDecoder()
        first = texts_of(shared / "data" / "real" / "ws" / name)[0]
        books = decoder.decode(first.encode(), MS)
        states, published = states_after(BookBuilder(), [universe_of(books), *books])
        assert set(published) == {("VERIFIED", "hash")}, name
        found[name] = states["VERIFIED"]
    assert list(found.values()) == [3, 2, 1]


def test_books_of_the_rest_interface_are_proved_by_their_own_hash(shared: Path) -> None:
    for name in ("clob_book_binary.json", "clob_book_negrisk_outcome.json"):
        (book,) = decode_books((shared / "data" / "real" / "rest" / "polyarb" / name).read_bytes(), MS, "rest")
        states, published = states_after(BookBuilder(), [book])
        assert (dict(states), dict(published)) == ({"VERIFIED": 1}, {("VERIFIED", "hash"): 1}), name


def test_a_capture_without_hashes_or_snapshots_is_unverified_and_checked_by_best_prices(shared: Path) -> None:
    source = open_frames(shared / "data" / "real" / "l2" / "tickscope_polymarket_20260607_0130.csv.gz", market="m")
    builder = BookBuilder(resync=False)
    states, published = states_after(builder, islice(source.messages(), 20_000))
    assert dict(states) == {"UNVERIFIED": 12}
    assert set(published) == {("UNVERIFIED", "best")}
    counts = builder.counts()
    assert published["UNVERIFIED", "best"] > 10_000
    assert counts["undecided"] == counts["batches"]


def test_samples_of_other_projects_raise_no_alarm(shared: Path) -> None:
    folder = shared / "data" / "real" / "nautilus"
    taken = 0
    for file in sorted(folder.rglob("*ws_m*.json")):
        decoder = FrameDecoder()
        try:
            messages = decoder.decode(file.read_bytes(), MS)
        except BadFrame:
            continue  # events of the user channel, and the form of before 2025-09-15
        if any(isinstance(msg, (VenueBook, VenuePriceChange)) for msg in messages):
            taken += 1
            states, _ = states_after(BookBuilder(resync=False), [universe_of(messages), *messages])
            assert not ALARMS & set(states), file.name
    assert taken >= 3
