"""What is said in one turn leaves in one frame, with every number, for whoever follows the whole stream; single topics get their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import zmq

from pipeline.base.clock import monotonic_ns
from pipeline.bus.stage import Arrival, Gap, Identity
from pipeline.bus.topology import STREAM
from pipeline.bus.transport import Transport
from pipeline.bus.wires import Wires
from pipeline.messages.market import VenueTrade
from pipeline.messages.records import FeedGap

FEED, LOSSY = STREAM["feed"], STREAM["persist.lossy"]
Open = Callable[..., Wires]


@pytest.fixture
def wires() -> Iterator[Open]:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    opened: list[Wires] = []

    def open_wires(role: str, stream: str, *topics: str) -> Wires:
        chosen = {stream: topics} if topics else None
        opened.append(Wires(role, Identity("s", role, role), Transport("inproc"), context, topics=chosen, only=[stream]))
        return opened[-1]

    yield open_wires
    for each in opened:
        each.close()
    context.destroy(linger=0)


def trade(token_id: str, number: int) -> VenueTrade:
    return VenueTrade(ts_ns=number, token_id=token_id, market="m", venue_ts="1", price="0.5", size="1", side="BUY")


def gap(number: int) -> FeedGap:
    return FeedGap(ts_ns=number, token_id="a", market="m", start_ns=1, end_ns=0, cause="test")


def heard(listener: Wires) -> list[tuple[str, int, int]]:
    """Key, number and time of what has come, in its order."""
    return [
        (item.message.key, item.seq, item.message.ts_ns) for item in listener.receive(200, 1_000) if isinstance(item, Arrival)
    ]


def test_what_is_gathered_leaves_at_the_flush_in_its_order_each_topic_with_its_own_numbers(wires: Open) -> None:
    sender, listener = wires("gateway", "feed"), wires("book_builder", "feed")
    sender.receive(200, 1)
    for number, token_id in enumerate("abaab"):
        sender.gather(FEED, trade(token_id, number))
    assert heard(listener) == []
    sender.flush()
    assert heard(listener) == [("a", 1, 0), ("b", 1, 1), ("a", 2, 2), ("a", 3, 3), ("b", 2, 4)]
    sender.send(FEED, trade("b", 9))
    assert heard(listener) == [("b", 3, 9)]


def test_what_is_sent_at_once_leaves_behind_what_was_gathered(wires: Open) -> None:
    sender, listener = wires("gateway", "feed"), wires("book_builder", "feed")
    sender.receive(200, 1)
    sender.gather(FEED, trade("a", 1))
    sender.gather(FEED, trade("a", 2))
    sender.send(FEED, trade("a", 3))
    assert heard(listener) == [("a", 1, 1), ("a", 2, 2), ("a", 3, 3)]


def test_a_full_pack_leaves_without_a_flush(wires: Open) -> None:
    sender, listener = wires("gateway", "feed"), wires("book_builder", "feed")
    sender.receive(200, 1)
    for number in range(FEED.pack + 1):
        sender.gather(FEED, trade("a", number))
    assert len(heard(listener)) == FEED.pack


def test_who_follows_one_topic_hears_it_while_others_hear_everything_and_packs_come_again_when_it_has_left(wires: Open) -> None:
    sender, listener, narrow = wires("gateway", "feed"), wires("book_builder", "feed"), wires("book_builder", "feed", "feed.b")
    while len(sender._spoken["feed"].followed) < 3:
        sender.receive(200, 1)
    for number, token_id in enumerate("aba"):
        sender.gather(FEED, trade(token_id, number))
    sender.flush()
    assert heard(narrow) == [("b", 1, 1)]
    assert heard(listener) == [("a", 1, 0), ("b", 1, 1), ("a", 2, 2)]
    narrow.close()
    while len(sender._spoken["feed"].followed) > 1:
        sender.receive(200, 1)
    assert sender._spoken["feed"]._packs
    for number, token_id in enumerate("ba", 3):
        sender.gather(FEED, trade(token_id, number))
    sender.flush()
    assert heard(listener) == [("b", 2, 3), ("a", 3, 4)]


def test_a_lost_pack_is_a_gap_of_each_of_its_topics(wires: Open) -> None:
    sender, listener = wires("gateway", "feed"), wires("book_builder", "feed")
    sender.receive(200, 1)
    spoken = sender._spoken["feed"]
    for lost in (False, True, False):
        push = spoken._push
        if lost:
            spoken._push = lambda frame, flags: None
        for token_id in "aba":
            sender.gather(FEED, trade(token_id, 1))
        sender.flush()
        spoken._push = push
    gaps = [(item.topic, item.expected, item.got) for item in listener.receive(200, 100) if isinstance(item, Gap)]
    assert gaps == [("feed.a", 3, 5), ("feed.b", 2, 3)]


def test_samples_wait_for_others_no_longer_than_their_patience(wires: Open) -> None:
    writer, sender = wires("writer", "persist.lossy"), wires("book_builder", "persist.lossy")
    assert sender.patience_ms is None
    began_ns = monotonic_ns()
    sender.gather(LOSSY, gap(1))
    assert sender.patience_ms == LOSSY.patience_ms
    arrived: list[tuple[str, int, int]] = []
    while not arrived:
        sender.flush()
        arrived = [
            (item.message.key, item.seq, item.message.ts_ns) for item in writer.receive(1, 10) if isinstance(item, Arrival)
        ]
    assert [each[1:] for each in arrived] == [(1, 1)]
    assert monotonic_ns() - began_ns >= LOSSY.patience_ms * 1_000_000
    sender.gather(LOSSY, gap(2))
    sender.send_end(3)
    assert [each[1:] for each in heard(writer)] == [(2, 2), (0, 3)]


def test_a_pack_that_finds_no_room_is_counted_message_by_message_and_takes_no_numbers(wires: Open) -> None:
    sender = wires("book_builder", "persist.lossy")  # nobody has bound the other end of an inproc stream: nothing leaves
    frames = 0
    while not sender.dropped:
        frames += 1
        sender.send(LOSSY, gap(frames))
    assert sender.dropped == {"persist.lossy": 1}
    for number in range(3):
        sender.gather(LOSSY, gap(number))
    sender.flush(patient=False)
    assert sender.dropped == {"persist.lossy": 4}
    assert sender._spoken["persist.lossy"]._numbers[gap(0).key] == frames - 1
