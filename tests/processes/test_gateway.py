import json
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from pipeline.base import events
from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_S
from pipeline.bus.stage import StagePlan
from pipeline.bus.topology import STREAM, routes
from pipeline.market.liveness import LivenessRules
from pipeline.market.watch import FeedWatch
from pipeline.messages import Message
from pipeline.messages.control import FROZEN, BookWanted
from pipeline.messages.edges import FeedEnded, FetchBooks, FollowTokens, FrameSent, LinkEvent, RawFrame, RestBody
from pipeline.messages.market import (
    BadFeedFrame,
    BookDelta,
    FeedStatus,
    Market,
    MarketUniverse,
    Outcome,
    VenueBook,
    VenuePriceChange,
)
from pipeline.recording.playback import Playback
from pipeline.recording.source import open_frames
from pipeline.venue.snapshots import fake_snapshots
from pipeline.venue.wanted import AskAgain
from processes.gateway import Gateway, build

MARKET = Market(market_id="0x1", outcomes=(Outcome("11", "Yes"), Outcome("12", "No")))
UNIVERSE = MarketUniverse(ts_ns=1, markets=(MARKET,))


def book(token_id: str = "11", **changed: object) -> dict:
    return {
        "event_type": "book",
        "asset_id": token_id,
        "market": "0x1",
        "timestamp": "1790658674035",
        "hash": "h0",
        "tick_size": "0.01",
        "bids": [{"price": "0.30", "size": "5"}],
        "asks": [{"price": "0.40", "size": "7.5"}],
        **changed,
    }


def change(price: str = "0.31", size: str = "1") -> dict:
    entry = {"asset_id": "11", "price": price, "size": size, "side": "BUY", "hash": "h1"}
    return {"event_type": "price_change", "market": "0x1", "timestamp": "1790658674036", "price_changes": [entry]}


def frame(tree: object, ts_ns: int = 5, where: str = "") -> RawFrame:
    data = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return RawFrame(ts_ns=ts_ns, link_id="ws-1", data=data, where=where)


def give(gateway: Gateway, *messages: Message, now_ns: int = 5) -> list[Message]:
    return [answer for msg in messages for answer in gateway.handle(msg, now_ns)]


def wanted(token_id: str = "11") -> BookWanted:
    return BookWanted(ts_ns=5, token_id=token_id, market="0x1", cause="gap")


def body(*books: dict, token_ids: tuple[str, ...] = ("11",), status: int = 200) -> RestBody:
    return RestBody(ts_ns=6, request="GET /book", status=status, body=json.dumps(list(books)).encode(), token_ids=token_ids)


def test_it_follows_the_tokens_of_the_universe_once() -> None:
    gateway = Gateway()
    closed = Market(market_id="0x2", outcomes=(Outcome("21", "Yes"),), closed=True)
    assert give(gateway, MarketUniverse(ts_ns=1, markets=(MARKET, closed))) == [FollowTokens(ts_ns=5, token_ids=("11", "12"))]
    assert give(gateway, UNIVERSE) == []


def test_a_frame_becomes_the_messages_of_the_feed() -> None:
    found = give(Gateway(), frame([book(), book("12")]), frame(change()))
    assert [(type(msg), msg.key) for msg in found] == [(VenueBook, "11"), (VenueBook, "12"), (VenuePriceChange, "11")]


def test_everything_it_says_has_a_stream_or_an_edge() -> None:
    carried = set(routes("gateway")) | {FollowTokens, FetchBooks}
    found = give(Gateway(), UNIVERSE, frame(book()), frame(b"{"), wanted(), LinkEvent(ts_ns=1, link_id="ws-1", state="up"))
    assert {type(msg) for msg in found} <= carried


def test_a_builder_that_starts_again_gets_the_book_as_it_stands() -> None:
    gateway = Gateway()
    give(gateway, frame([book(), book("12")]), frame(change(), ts_ns=9))
    (found,) = gateway.current("feed.11\0")
    assert isinstance(found, VenueBook)
    assert (found.source, found.hash, found.tick_size, found.ts_ns) == ("mirror", "h1", "0.01", 9)
    assert set(found.bids) == {("0.30", "5"), ("0.31", "1")}
    assert [msg.key for msg in gateway.current("feed.")] == ["11", "12"]


def test_one_tokens_topic_is_not_anothers_that_begins_like_it() -> None:
    gateway = Gateway()
    give(gateway, frame([book("1"), book("11")]))
    assert [msg.key for msg in gateway.current("feed.1\0")] == ["1"]


def test_a_replay_keeps_no_books() -> None:
    gateway = Gateway(mirror=False)
    assert len(give(gateway, frame(book()))) == 1
    assert list(gateway.current("feed.")) == []


def test_a_lost_link_drops_its_books_as_nothing_is_replayed() -> None:
    gateway = Gateway()
    give(gateway, frame([book(), book("12")]))
    (status,) = give(gateway, LinkEvent(ts_ns=7, link_id="ws-1", state="down", reason="gone", token_ids=("11",)))
    assert isinstance(status, FeedStatus)
    assert (status.state, status.reason, status.token_ids, status.counts["messages"]) == ("down", "gone", ("11",), 2)
    assert [(type(msg), msg.key) for msg in gateway.current("feed.")] == [(FeedStatus, "ws-1"), (VenueBook, "12")]


def test_a_bad_frame_is_counted_logged_with_its_head_recorded_and_doubted() -> None:
    recorded: list[Message] = []
    gateway = Gateway(record=recorded.append)
    give(gateway, frame(book()))
    bad = frame(json.dumps(change()).encode()[:-40] + b"x" * 500)
    with capture_logs() as logs:
        found = give(gateway, bad)
    assert [type(msg) for msg in found] == [BadFeedFrame]
    assert (found[0].key, found[0].market) == ("11", "0x1")  # type: ignore[attr-defined]
    assert gateway.counts()["bad_frames"] == 1
    assert bad in recorded
    (entry,) = (entry for entry in logs if entry["event"] == events.FRAME_REFUSED)
    assert len(entry["head"]) == 200
    assert list(gateway.current("feed.11\0")) == []


def test_a_flood_of_bad_frames_is_logged_once_a_second() -> None:
    gateway = Gateway()
    with capture_logs() as logs:
        for number in range(100):
            give(gateway, frame(b"{"), now_ns=number * NS_PER_S // 50)
    assert len([entry for entry in logs if entry["event"] == events.FRAME_REFUSED]) == 2
    assert gateway.counts()["bad_frames"] == 100


def test_an_unknown_event_is_logged_when_first_seen_and_counted() -> None:
    gateway = Gateway()
    with capture_logs() as logs:
        assert give(gateway, *[frame({"event_type": "odd"})] * 3) == []
    assert [entry["event_type"] for entry in logs] == ["odd"]
    assert gateway.counts()["unknown:odd"] == 3


def test_what_a_live_feed_tells_of_tokens_that_nobody_follows_is_counted_and_left_out() -> None:
    gateway = Gateway(watch=FeedWatch(LivenessRules()))
    give(gateway, UNIVERSE)
    resolved = {"event_type": "market_resolved", "market": "0x1", "timestamp": "1", "winning_asset_id": "12"}
    new = {"event_type": "new_market", "market": "0x2", "assets_ids": ["21", "22"], "timestamp": "1"}
    found = give(
        gateway,
        frame([book("11"), book("21"), book("99")]),
        frame({**resolved, "assets_ids": ["21", "22"]}),
        frame({**resolved, "assets_ids": ["11", "12"]}),
        frame(new),
    )
    assert [msg.key for msg in found] == ["11", "0x1", "0x2"]
    assert gateway.counts()["unfollowed"] == 3
    assert [msg.key for msg in gateway.current("feed.")] == ["11"]


def test_a_bad_line_written_by_hand_is_the_users_error_with_its_place() -> None:
    gateway = Gateway(market="m", strict=True)
    with pytest.raises(BadInput, match=r"a\.jsonl:3: bids: size -1 of a snapshot is negative"):
        give(gateway, frame({"type": "snapshot", "seq": 1, "bids": [[0.4, -1]], "asks": []}, where="a.jsonl:3"))


def test_a_wanted_book_is_fetched_once_however_often_it_is_wanted() -> None:
    gateway = Gateway()
    (asked,) = give(gateway, wanted(), wanted(), wanted())
    assert isinstance(asked, FetchBooks)
    assert (asked.token_ids, asked.markets, asked.cause) == (("11",), ("0x1",), "gap")
    (found,) = give(gateway, body(book()))
    assert isinstance(found, VenueBook) and found.source == "rest"
    assert gateway.counts()["books_fetched"] == 1 and gateway.counts()["books_coalesced"] == 2
    assert gateway.next_timer_ns() is None


def test_a_token_that_is_wanted_again_and_again_waits_longer_each_time() -> None:
    gateway = Gateway(ask_again=AskAgain(min_ns=NS_PER_S, max_ns=8 * NS_PER_S))
    now_ns, waits = 0, []
    for _ in range(6):
        asked = give(gateway, wanted(), now_ns=now_ns)
        if not asked:
            due_ns = gateway.next_timer_ns()
            assert due_ns is not None
            waits.append((due_ns - now_ns) // NS_PER_S)
            now_ns = due_ns
            asked = list(gateway.on_timer(now_ns))
        assert [type(msg) for msg in asked] == [FetchBooks]
        give(gateway, body(book()), now_ns=now_ns)
    assert waits == [1, 2, 4, 8, 8]


@pytest.mark.parametrize("answer", [body(status=404), body(), body(book("12")), body(book(asks=5))])
def test_an_answer_without_the_book_is_asked_for_again_later(answer: RestBody) -> None:
    gateway = Gateway()
    give(gateway, wanted())
    assert give(gateway, answer) == []
    due_ns = gateway.next_timer_ns()
    assert due_ns == 5 + NS_PER_S // 2
    (again,) = gateway.on_timer(due_ns)
    assert isinstance(again, FetchBooks) and again.token_ids == ("11",)


def test_a_book_from_the_stream_ends_the_wait() -> None:
    gateway = Gateway(mirror=False)
    give(gateway, wanted(), frame(book()))
    assert gateway.next_timer_ns() is None


def test_everything_from_outside_is_recorded_and_nothing_else() -> None:
    recorded: list[Message] = []
    gateway = Gateway(record=recorded.append)
    outside = [
        LinkEvent(ts_ns=1, link_id="ws-1", state="up"),
        FrameSent(ts_ns=1, link_id="ws-1", data=b"PING"),
        frame(b"PONG"),
        body(book()),
        UNIVERSE,
    ]
    give(gateway, outside[0], wanted(), *outside[1:], FeedEnded(ts_ns=9, reason="x"))
    assert recorded == outside


def test_messages_that_come_ready_made_pass_through() -> None:
    delta = BookDelta(ts_ns=1, token_id="m/yes", market="m", seq=1)
    assert type(delta) in STREAM["feed"].carries
    assert give(Gateway(), delta) == [delta]


def test_the_end_of_the_feed_is_told() -> None:
    gateway = Gateway()
    (status,) = give(gateway, FeedEnded(ts_ns=9, reason="closed normally"))
    assert gateway.ended and gateway.end_reason == "closed normally"
    assert isinstance(status, FeedStatus) and status.state == "closed"


def test_a_generic_snapshot_that_names_nothing_is_the_token_that_was_asked_for() -> None:
    gateway = Gateway(market="mkt-1", ask_again=AskAgain(max_ns=0))
    asked = give(gateway, BookWanted(ts_ns=1, token_id="mkt-1/no", market="mkt-1", cause="gap", last_seq=3))
    provider = fake_snapshots(4, [("0.4", "1")])
    (found,) = give(gateway, *provider.take(asked[0], 5))
    assert isinstance(found, VenueBook)
    assert (found.token_id, found.seq, found.source, found.bids) == ("mkt-1/no", 4, "fake", (("0.4", "1"),))


def test_a_recording_is_played_in_lockstep(tmp_path: Path) -> None:
    from pipeline.bus.compose import Lockstep

    file = tmp_path / "x.jsonl"
    file.write_text('{"type":"snapshot","seq":1,"bids":[[0.40,100.0]],"asks":[]}\n{"type":"delta","seq":2}\n')
    gateway, heard = Gateway(market="mkt-1", mirror=False, strict=True), []
    plan = StagePlan(gateway, [Playback(open_frames(file).messages())])
    run = Lockstep([plan], tap=lambda arrival: heard.append(arrival.message))
    run.start()
    run.run(lambda: gateway.ended)
    assert [type(msg) for msg in heard if msg.key == "mkt-1/yes"] == [VenueBook, BookDelta]
    assert gateway.counts()["messages"] == 2


def test_a_gateway_is_built_for_each_kind_of_venue(tmp_path: Path) -> None:
    (tmp_path / "frames.jsonl").write_text(json.dumps(book()) + "\n")
    sections = {
        "fake": (["market_ws", "books"], "ws://127.0.0.1:8765/ws/market"),
        "polymarket": (["market_ws", "books"], "wss://ws-subscriptions-clob.polymarket.com/ws/market"),
        "generic": (["generic_ws"], "wss://ws-subscriptions-clob.polymarket.com/ws/market"),
        "recording": (["playback"], str(tmp_path / "frames.jsonl")),
    }
    for name, (edges, source) in sections.items():
        values = {
            "venue": {"name": name, "recording": str(tmp_path / "frames.jsonl")},
            "bus": {"state_dir": str(tmp_path / name)},
        }
        plan = build(Config(Settings()).with_values(values, "test"), "s1")
        plan.close()
        assert ([edge.name for edge in plan.edges], plan.source) == (edges, source)
        assert (tmp_path / name / "runs" / "s1" / "recording").is_dir() == (name != "recording")


def test_its_timer_is_what_it_would_work_out_anew_whatever_came() -> None:
    gateway = Gateway(ask_again=AskAgain(), watch=FeedWatch(LivenessRules()))
    up = LinkEvent(ts_ns=1, link_id="ws-1", state="up", token_ids=("11", "12"))
    steps: list[Message | None] = [
        UNIVERSE,
        up,
        frame([book(), book("12")]),
        frame(change()),
        wanted(),
        frame(change()),
        wanted("12"),
    ]
    steps += [frame(b"{"), frame(change()), body(book()), None, frame(change()), body(token_ids=("12",)), None, frame(book("12"))]
    seen: set[int | None] = set()
    for number, msg in enumerate(steps * 3, 1):
        now_ns = number * NS_PER_S
        if msg is None:
            list(gateway.on_timer(now_ns))
        else:
            give(gateway, msg, now_ns=now_ns)
        told_ns = gateway.next_timer_ns()
        gateway._is_due_known = False
        assert told_ns == gateway.next_timer_ns()
        seen.add(told_ns)
    assert len(seen) > 5


def test_its_timer_is_right_after_a_book_that_another_link_has_told_already() -> None:
    watch = FeedWatch(LivenessRules(spot_check_ns=0))
    gateway = Gateway(ask_again=AskAgain(), watch=watch)
    give(gateway, UNIVERSE, now_ns=1)
    for link_id in ("ws-1", "ws-2"):
        give(gateway, LinkEvent(ts_ns=1, link_id=link_id, state="up", token_ids=("11", "12")), now_ns=1)
    assert len(give(gateway, frame(book()), now_ns=5)) == 1
    now_ns = NS_PER_S // 2
    give(gateway, BookWanted(ts_ns=now_ns, token_id="11", market="0x1", cause=FROZEN), now_ns=now_ns)
    while (due_ns := gateway.next_timer_ns()) != watch.remedies.next_ns():
        assert due_ns is not None
        list(gateway.on_timer(due_ns))
        now_ns = due_ns
    again = msgspec.structs.replace(frame(book()), link_id="ws-2", ts_ns=now_ns)
    assert give(gateway, again, now_ns=now_ns) == []
    assert watch.remedies.next_ns() is None
    assert gateway.next_timer_ns() == watch.next_ns() != due_ns
