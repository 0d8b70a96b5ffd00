"""The simulated link: what a reader of it gets, and that each fault changes exactly what its name says, all else being equal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.scenarios import FAULTS, Faults
from pipeline.fake_venue.simulated_link import LinkRules, SimulatedVenue
from pipeline.messages import Message
from pipeline.messages.edges import FetchBooks, FollowTokens, FrameSent, LinkEvent, RawFrame, Reconnect, RestBody, Resubscribe

START_NS = 1_780_000_000_000_000_000
RULES = LinkRules(tokens_per_socket=8)


class Reader:
    """A reader of all tokens over two links, and what it heard."""

    def __init__(self, seed: int = 7) -> None:
        self.exchange = FakeExchange(ExchangePlan(seed=seed), START_NS)
        self.faults = Faults(self.exchange)
        self.venue = SimulatedVenue(self.exchange, self.faults, Random(seed), RULES)
        self.tokens = tuple(token_id for market in self.exchange.markets for token_id in market.spec.token_ids)
        self.now_ns = START_NS
        self.heard: list[Message] = []
        self.take(FollowTokens(ts_ns=START_NS, token_ids=self.tokens))

    def take(self, msg: Message) -> None:
        self.heard += self.venue.take(msg, self.now_ns)

    def run(self, seconds: float) -> list[Message]:
        """What is heard in the next seconds."""
        self.now_ns += int(seconds * NS_PER_S)
        found = list(self.venue.due(self.now_ns))
        self.heard += found
        return found


def texts(messages: Iterable[Message], link: str = "") -> list[str]:
    return [
        msg.data.decode()
        for msg in messages
        if isinstance(msg, RawFrame) and msg.data != b"PONG" and (not link or msg.link_id == link)
    ]


def kinds(messages: Iterable[Message]) -> list[str]:
    return [json.loads(text)["event_type"] for text in texts(messages) if not text.startswith("[")]


def with_and_without(name: str, seconds: float = 4, **options: Any) -> tuple[list[str], list[str], Reader]:
    """What two readers of the same market hear from the first second on: one without the fault, one with it.

    What was under way when the fault began is left out, and the fault has struck what it strikes by frames.
    """
    plain, struck = Reader(), Reader()
    for reader in (plain, struck):
        reader.run(1)
    struck.faults.start(name, struck.exchange.now_ns, {key: str(value) for key, value in options.items()})
    assert texts(plain.run(0.06)) == texts(struck.run(0.06))
    return texts(plain.run(seconds)), texts(struck.run(seconds)), struck


def test_a_reader_gets_a_book_of_every_token_then_every_frame_of_its_links() -> None:
    reader = Reader()
    found = reader.run(3)
    events = [(msg.link_id, msg.state) for msg in found if isinstance(msg, LinkEvent)]
    assert events == [("ws-1", "connecting"), ("ws-2", "connecting"), ("ws-1", "up"), ("ws-2", "up")]
    books = [book["asset_id"] for text in texts(found) if text.startswith("[") for book in json.loads(text)]
    assert sorted(books) == sorted(reader.tokens)
    for link, tokens in (("ws-1", reader.tokens[:8]), ("ws-2", reader.tokens[8:])):
        assert all(any(token in text for token in tokens) for text in texts(found, link) if "new_market" not in text)
    assert len(texts(found)) > 100
    assert all(later.ts_ns >= earlier.ts_ns for earlier, later in pairwise(found))


def test_the_same_seed_gives_the_same_frames() -> None:
    assert texts(Reader(3).run(3)) == texts(Reader(3).run(3)) != texts(Reader(4).run(3))


def test_pings_are_answered_and_books_are_read_after_a_while() -> None:
    reader = Reader()
    reader.run(1)
    reader.take(FetchBooks(ts_ns=reader.now_ns, token_ids=reader.tokens[:1], markets=("",), cause="gap", request_id=4))
    asked_ns = reader.now_ns
    (answer,) = [msg for msg in reader.run(0.5) if isinstance(msg, RestBody)]
    assert 80 * NS_PER_MS <= answer.ts_ns - asked_ns <= 300 * NS_PER_MS
    assert (answer.status, answer.request_id, json.loads(answer.body)["asset_id"]) == (200, 4, reader.tokens[0])
    reader.take(FetchBooks(ts_ns=reader.now_ns, token_ids=(*reader.tokens[:2], "12"), markets=("",) * 3, cause="spot_check"))
    (answer,) = [msg for msg in reader.run(0.5) if isinstance(msg, RestBody)]
    assert ([book["asset_id"] for book in json.loads(answer.body)], answer.cause) == (list(reader.tokens[:2]), "spot_check")
    reader.run(10)
    assert Counter(msg.data for msg in reader.heard if isinstance(msg, FrameSent))[b"PING"] == 2
    assert Counter(msg.data for msg in reader.heard if isinstance(msg, RawFrame))[b"PONG"] == 2


def test_a_renewed_subscription_brings_the_books_and_a_reconnect_a_new_connection() -> None:
    reader = Reader()
    reader.run(1)
    reader.take(Resubscribe(ts_ns=reader.now_ns, token_ids=reader.tokens[:2], link_id="ws-1"))
    (books,) = [json.loads(text) for text in texts(reader.run(0.5)) if text.startswith("[")]
    assert [book["asset_id"] for book in books] == list(reader.tokens[:2])
    reader.take(Reconnect(ts_ns=reader.now_ns, link_id="ws-2", reason="no book came"))
    lost = reader.heard[-1]
    assert isinstance(lost, LinkEvent)
    assert (lost.link_id, lost.state, lost.reason, lost.token_ids) == ("ws-2", "down", "no book came", reader.tokens[8:])
    found = reader.run(2)
    assert [(msg.link_id, msg.state) for msg in found if isinstance(msg, LinkEvent)] == [("ws-2", "connecting"), ("ws-2", "up")]
    (books,) = [json.loads(text) for text in texts(found, "ws-2") if text.startswith("[")]
    assert len(books) == 8


# --- the faults ----------------------------------------------------------------------------------------------------


def test_drop_frame() -> None:
    plain, struck, _ = with_and_without("drop-frame", count=2)
    (lost, more) = [text for text in plain if text not in set(struck)]
    assert "price_change" in lost and "price_change" in more
    assert [text for text in plain if text not in (lost, more)] == struck


def test_duplicate() -> None:
    plain, struck, _ = with_and_without("duplicate")
    (twice,) = [text for text, times in Counter(struck).items() if times > Counter(plain)[text]]
    at = struck.index(twice)
    assert struck[at] == struck[at + 1]
    assert struck[:at] + struck[at + 1 :] == plain


def test_swap_entries() -> None:
    plain, struck, _ = with_and_without("swap-entries")
    (more,) = [text for text in struck if text not in set(plain)]
    at = struck.index(more)
    assert json.loads(more)["price_changes"] == json.loads(struck[at - 1])["price_changes"][::-1]
    assert struck[:at] + struck[at + 1 :] == plain


def test_wrong_hash_and_truncated_frame() -> None:
    for name in ("wrong-hash", "truncated-frame"):
        plain, struck, _ = with_and_without(name)
        ((true, told),) = [(true, told) for true, told in zip(plain, struck, strict=True) if true != told]
        if name == "truncated-frame":
            assert told == true[: len(true) // 2]
        else:
            assert [entry["hash"][::-1] for entry in json.loads(told)["price_changes"]] == [
                entry["hash"] for entry in json.loads(true)["price_changes"]
            ]


def test_reorder_across_tokens() -> None:
    plain, struck, reader = with_and_without("reorder-across-tokens", count=5)
    assert sorted(plain) == sorted(struck) and plain != struck
    for market in reader.exchange.markets:
        mine = [text for text in plain if market.spec.condition_id in text]
        assert [text for text in struck if market.spec.condition_id in text] == mine


def test_late_trade() -> None:
    plain, struck, _ = with_and_without("late-trade", seconds=30)
    moved = [text for text in plain if "last_trade_price" in text and plain.index(text) != struck.index(text)]
    late = moved[0]
    assert [text for text in struck if text != late] == [text for text in plain if text != late]


def test_freeze_one_token() -> None:
    plain, struck, reader = with_and_without("freeze-one-token", token=Reader().tokens[0])
    frozen, other = reader.tokens[:2]
    assert any(frozen in text for text in plain) and not any(frozen in text for text in struck)
    assert [text for text in plain if frozen not in text] == [text for text in struck if text in set(plain)]
    assert any(other in text for text in struck)
    reader.take(Resubscribe(ts_ns=reader.now_ns, token_ids=(frozen,), link_id="ws-1"))
    assert any(frozen in text for text in texts(reader.run(2)))


def test_silent_socket() -> None:
    plain, struck, reader = with_and_without("silent-socket", seconds=12, link=1)
    others = [text for text in plain if _about(text, reader.tokens[8:])]
    assert 0 < len(others) < len(plain)
    assert [text for text in struck if "new_market" not in text] == others
    pongs = [msg.link_id for msg in reader.heard if isinstance(msg, RawFrame) and msg.data == b"PONG"]
    assert pongs == ["ws-1", "ws-2"]


def _about(text: str, tokens: Iterable[str]) -> bool:
    """Whether a frame is about one of the tokens."""
    return any(token in text for token in tokens)


def test_ghost_rest_book() -> None:
    plain, struck, reader = with_and_without("ghost-rest-book", seconds=1)
    assert plain == struck
    reader.take(FetchBooks(ts_ns=reader.now_ns, token_ids=reader.tokens[:1], markets=("",), cause="gap"))
    (answer,) = [msg for msg in reader.run(0.5) if isinstance(msg, RestBody)]
    book = json.loads(answer.body)
    assert [level["price"] for level in book["bids"] + book["asks"]] == ["0.01", "0.99"]


@pytest.mark.parametrize(
    ("name", "least", "most", "reason"),
    [("slow-consumer-close", 1, 1, "1013 slow consumer"), ("reconnect-storm", 3, 20, "1012 service restart")],
)
def test_links_that_are_closed(name: str, least: int, most: int, reason: str) -> None:
    *_, reader = with_and_without(name, seconds=25)
    lost = [msg for msg in reader.heard if isinstance(msg, LinkEvent) and msg.state == "down"]
    downs = Counter(msg.link_id for msg in lost)
    assert set(downs) == {"ws-1", "ws-2"} and all(least <= times <= most for times in downs.values())
    assert all(reason in msg.reason for msg in lost)
    assert all(link.subscribed for link in reader.venue.links)


def test_list_frame_432kb() -> None:
    reader = Reader()
    reader.faults.start("list-frame-432kB", reader.exchange.now_ns, {})
    long, short = [text for text in texts(reader.run(1)) if text.startswith("[")]
    assert 432_179 <= len(long) < 440_000 and len(short) < 40_000
    assert {book["asset_id"] for book in json.loads(long)} >= set(reader.tokens[:8])


@pytest.mark.parametrize(
    ("name", "kind", "least"),
    [
        ("crossing-burst", "price_change", 4),
        ("mass-cancel-batch", "price_change", 8),
        ("tick-change", "tick_size_change", 2),
        ("market-resolved", "market_resolved", 1),
        ("market-split", "market_resolved", 1),
        ("market-resolved-unheard", "market_resolved", 0),
        ("new-market-flood", "new_market", 50),
    ],
)
def test_what_happens_in_the_market_itself(name: str, kind: str, least: int) -> None:
    reader = Reader()
    reader.run(1)
    told = reader.faults.start(name, reader.exchange.now_ns, {})
    found = reader.run(0.1)
    assert kinds(found).count(kind) >= least
    if name == "mass-cancel-batch":
        changes = [json.loads(text) for text in texts(found) if "price_change" in text]
        assert max(Counter(entry["hash"] for body in changes for entry in body["price_changes"]).values()) >= least
    if name == "crossing-burst":
        assert any(_crosses(text) for text in texts(found))
    if name.startswith("market-"):
        assert reader.exchange.is_settled(told["token"])
        assert kinds(found).count(kind) == least


def _crosses(text: str) -> bool:
    """A level on the wrong side of the best price that the frame itself states."""
    body = json.loads(text)
    return body["event_type"] == "price_change" and any(
        entry["side"] == "SELL" and entry["size"] != "0" and entry["best_ask"] == entry["price"]
        for entry in body["price_changes"]
    )


def test_no_fault_is_left_out_here(request: pytest.FixtureRequest) -> None:
    source = request.path.read_text(encoding="utf-8")
    assert [name for name in FAULTS if f'"{name}"' not in source] == []
