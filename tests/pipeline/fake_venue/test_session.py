"""A recorded stretch of the market: deterministic, complete in itself, re-served as it was."""

from __future__ import annotations

import json
from decimal import Decimal

from pipeline.base.units import NS_PER_S
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.session import LATENCY_NS, record_session
from pipeline.fake_venue.tape import TapeSource
from pipeline.messages import Message
from pipeline.messages.edges import FrameSent, LinkEvent, RawFrame
from pipeline.messages.market import MarketUniverse

START_NS = 1_780_000_000 * NS_PER_S


def session(seconds: int = 25) -> list[Message]:
    return list(record_session(FakeExchange(ExchangePlan(seed=4), START_NS), seconds))


def test_the_same_seed_records_the_same_messages() -> None:
    assert session() == session()


def test_markets_come_first_then_the_link_the_books_and_the_frames_in_order_of_receipt() -> None:
    messages = session()
    assert isinstance(messages[0], MarketUniverse) and len(messages[0].markets) == 8
    assert [msg.state for msg in messages if isinstance(msg, LinkEvent)] == ["connecting", "up", "closed"]
    frames = [msg for msg in messages if isinstance(msg, RawFrame)]
    assert frames[0].data.startswith(b"[{") and frames[0].ts_ns == START_NS + LATENCY_NS
    assert [msg.ts_ns for msg in messages] == sorted(msg.ts_ns for msg in messages)
    assert (
        sum(msg.data == b"PONG" for msg in frames)
        == sum(isinstance(msg, FrameSent) and msg.data == b"PING" for msg in messages)
        == 2
    )


def tape(speed: int = 1) -> tuple[TapeSource, list[RawFrame], tuple[str, ...]]:
    messages = session()
    assert isinstance(messages[0], MarketUniverse)
    frames = [msg for msg in messages if isinstance(msg, RawFrame)]
    timed = [(frame.ts_ns, frame.data.decode()) for frame in frames]
    tokens = tuple(token for market in messages[0].markets for token in market.token_ids)
    return TapeSource(timed, messages[0].markets, 0, Decimal(speed)), [f for f in frames if f.data != b"PONG"], tokens


def test_a_tape_gives_every_frame_at_its_own_pace() -> None:
    source, frames, _ = tape(speed=2)
    source.begin(1_000)
    halfway = source.advance(1_000 + 6 * NS_PER_S)
    assert all(frame.ts_ns <= 1_000 + 6 * NS_PER_S for frame in halfway)
    got = halfway + source.advance(100 * NS_PER_S)
    assert [frame.text for frame in got] == [frame.data.decode() for frame in frames]
    assert source.next_ns() is None


def test_a_tape_serves_the_books_its_frames_add_up_to() -> None:
    source, _, tokens = tape()
    exchange = FakeExchange(ExchangePlan(seed=4), START_NS)
    exchange.advance(START_NS + 25 * NS_PER_S)
    source.advance(100 * NS_PER_S)
    for token in tokens:
        assert source.rest_book(token) == exchange.rest_book(token)
    assert json.loads(source.list_frame(tokens)) == json.loads(exchange.list_frame(tokens))
    assert [listing.best_bid_e6 for listing in source.listings()] == [listing.best_bid_e6 for listing in exchange.listings()]


def test_a_tape_knows_no_book_before_its_first_frame() -> None:
    source, _, tokens = tape()
    assert source.list_frame(tokens) == "[]\n"
    assert source.rest_book(tokens[0]) is None
    assert not source.is_settled(tokens[0])


def test_what_cannot_be_understood_is_sent_on_as_it_was_recorded() -> None:
    source = TapeSource([(5, '{"half'), (6, "PONG"), (7, '{"event_type":"news"}')], (), 0)
    assert [(frame.ts_ns, frame.text) for frame in source.advance(10)] == [(0, '{"half'), (2, '{"event_type":"news"}')]
