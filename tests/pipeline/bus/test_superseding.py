"""Of state that has piled up only the newest is heard, with every gap told and everything else in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import zmq
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.bus import codec
from pipeline.bus.stage import Arrival, Gap, Identity, PeerStarted
from pipeline.bus.superseding import Incoming
from pipeline.bus.topology import STREAM, SUPERSEDED
from pipeline.bus.transport import Transport
from pipeline.bus.wires import Wires
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, TradePrint

BOOK = STREAM["book"]


@pytest.fixture(scope="module")
def context() -> Iterator[zmq.Context[zmq.Socket[bytes]]]:
    made: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    yield made
    made.destroy(linger=0)


@pytest.fixture
def opened(context: zmq.Context[zmq.Socket[bytes]]) -> Iterator[Callable[..., Wires]]:
    every: list[Wires] = []

    def open_wires(role: str, run: str = "1") -> Wires:
        every.append(Wires(role, Identity("s", run, role), Transport("inproc"), context, only=["book"]))
        return every[-1]

    yield open_wires
    for each in every:
        each.close()


def book(token_id: str, number: int) -> BookSnapshot:
    return BookSnapshot(number, token_id, "m", 10_000, (), (), number, number, "VERIFIED", "hash")


def trade(token_id: str, number: int) -> TradePrint:
    return TradePrint(
        ts_ns=number, token_id=token_id, market="m", price_e6=500_000, size_e6=1_000_000, side="BUY", venue_ns=number
    )


def send(sender: Wires, packs: list[list[Message]]) -> None:
    for pack in packs:
        for msg in pack:
            sender.gather(BOOK, msg)
        sender.flush()


def all_of(listener: Wires) -> list[Incoming]:
    """Everything that is there, taken at once."""
    return listener.receive(200, 1_000)


def told(items: list[Incoming]) -> list[tuple[str, str, int, int]]:
    return [
        (type(item.message).__name__, item.message.key, item.seq, item.message.ts_ns)
        for item in items
        if isinstance(item, Arrival)
    ]


def test_the_newest_book_of_each_token_is_heard_where_its_last_message_was_and_every_trade(opened: Callable[..., Wires]) -> None:
    sender, listener = opened("book_builder"), opened("strategy")
    sender.receive(200, 1)
    send(
        sender,
        [
            [book("a", 1), book("b", 2)],
            [book("a", 3), trade("a", 4), book("b", 5)],
            [book("a", 6)],
            [book("a", 7), book("c", 8)],
        ],
    )
    assert told(all_of(listener)) == [
        ("TradePrint", "a", 3, 4),
        ("BookSnapshot", "b", 2, 5),
        ("BookSnapshot", "a", 5, 7),
        ("BookSnapshot", "c", 1, 8),
    ]
    assert listener.superseded == 4


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=5)),
        min_size=2,
        max_size=6,
    )
)
def test_what_the_executor_hears_without_what_is_replaced_is_what_the_strategy_hears(
    drawn: list[tuple[bool, list[tuple[str, bool]]]],
) -> None:
    """Also where packs were lost on the way: the first of each pair tells it."""
    identity, transport = Identity("s", "1", "x"), Transport("inproc")
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    with (
        Wires("book_builder", identity, transport, context, only=["book"]) as sender,
        Wires("strategy", identity, transport, context, only=["book"]) as strategy,
        Wires("executor", identity, transport, context, only=["book"]) as executor,
    ):
        met = 0
        while met < 2:
            met += len(sender.receive(1_000, 1))
        spoken = sender._spoken["book"]
        push, number = spoken._push, 0
        send(sender, [[book("z", 0), book("z", 0)]])
        for is_lost, pack in drawn:
            if is_lost:
                spoken._push = lambda frame, flags: None
            for token_id, is_book in pack:
                number += 1
                sender.gather(BOOK, book(token_id, number) if is_book else trade(token_id, number))
            sender.flush()
            spoken._push = push
        send(sender, [[book("z", 1), book("z", 2)]])
        newest, every = all_of(strategy), all_of(executor)
    context.destroy(linger=0)
    seen: set[str] = set()
    kept: list[Incoming] = []
    for item in reversed(every):
        if isinstance(item, Arrival) and isinstance(item.message, BookSnapshot):
            if item.message.key in seen:
                continue
            seen.add(item.message.key)
        kept.append(item)
    assert newest == kept[::-1]
    assert [item for item in newest if isinstance(item, Gap)] == [item for item in every if isinstance(item, Gap)]


def test_a_publisher_that_is_another_run_is_told_amid_what_has_piled_up(opened: Callable[..., Wires]) -> None:
    sender, listener = opened("book_builder"), opened("strategy")
    sender.receive(200, 1)
    send(sender, [[book("a", 1), book("a", 2)]])
    spoken = sender._spoken["book"]
    spoken._run_id, spoken._numbers = "2", {}
    send(sender, [[book("a", 3), book("b", 4)], [book("a", 5), book("b", 6)]])
    items = all_of(listener)
    assert [item.run_id for item in items if isinstance(item, PeerStarted)] == ["2"]
    assert not [item for item in items if isinstance(item, Gap)]
    assert told(items) == [("BookSnapshot", "a", 2, 5), ("BookSnapshot", "b", 2, 6)]


def test_kinds_that_are_known_by_their_beginning_begin_with_their_key_and_are_state() -> None:
    state = {kind.__name__: kind for kind in SUPERSEDED}
    assert set(state) >= codec.LED_BY_KEY
    one = book("somebody", 7)
    _, _, [(number, head)] = codec.decode_heads(codec.encode_pack("book", "p", "r", [(5, one)])[len(codec.pack_topic("book")) :])
    assert (number, head.kind, head.ts_ns, head.first) == (5, "BookSnapshot", 7, one.key)
