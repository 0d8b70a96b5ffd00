"""Named faults: each does what its name says, to whom it says, and ends by itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.base.units import NS_PER_S
from pipeline.fake_venue import wire
from pipeline.fake_venue.exchange import FakeExchange
from pipeline.fake_venue.scenarios import FAULTS, FEED_FAULTS, OPTIONS, Faults, UnknownFault
from pipeline.fake_venue.wire import Frame

LINK = 1


def sent(faults: Faults, frames: list[Frame], link: int = LINK) -> list[str]:
    """What a link gets of some frames, with what falls due on the way."""
    texts: list[str] = []
    for frame in frames:
        if faults.active(frame.ts_ns):
            texts.extend(faults.due(link, frame.ts_ns))
            texts.extend(faults.outgoing(link, frame, frame.ts_ns))
        else:
            texts.append(frame.text)
    return texts


def after(exchange: FakeExchange, seconds: int = 5) -> list[Frame]:
    return exchange.advance(exchange.now_ns + seconds * NS_PER_S)


def run(exchange: FakeExchange, name: str, seconds: int = 5, **options: Any) -> tuple[list[str], list[str]]:
    """The texts with and without a fault."""
    faults = Faults(exchange)
    faults.start(name, exchange.now_ns, {key: str(value) for key, value in options.items()})
    frames = after(exchange, seconds)
    return [frame.text for frame in frames], sent(faults, frames)


def test_every_fault_can_be_started_by_its_name(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    for name in FAULTS:
        assert faults.start(name, exchange.now_ns, {})["fault"] == name


def test_an_unknown_name_and_an_unfit_option_are_refused(exchange: FakeExchange) -> None:
    with pytest.raises(UnknownFault, match="known are"):
        Faults(exchange).start("rain", exchange.now_ns, {})
    with pytest.raises(ValueError, match="count=many"):
        Faults(exchange).start("drop-frame", exchange.now_ns, {"count": "many"})


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("drop-frame", {"seconds": "3"}, "drop-frame takes no seconds; it takes token, link, count"),
        ("silent-socket", {"token": "1"}, "silent-socket takes no token"),
        ("freeze-one-token", {"token": "12"}, "token 12 has no open book here"),
        ("tick-change", {"token": "12"}, "token 12 has no open book here"),
    ],
)
def test_an_option_that_a_fault_does_not_take_is_refused(
    exchange: FakeExchange, name: str, options: dict[str, str], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Faults(exchange).start(name, exchange.now_ns, options)


def test_every_fault_says_what_it_takes() -> None:
    assert set(OPTIONS) == set(FAULTS)
    assert len(FAULTS) == 20


def test_drop_frame_loses_as_many_changes_as_asked(exchange: FakeExchange) -> None:
    whole, got = run(exchange, "drop-frame", count=3)
    assert len(got) == len(whole) - 3
    assert [text for text in whole if text in set(got)] == got


def test_duplicate_sends_one_change_twice(exchange: FakeExchange) -> None:
    whole, got = run(exchange, "duplicate")
    assert len(got) == len(whole) + 1 and set(got) == set(whole)


def test_swap_entries_sends_the_change_again_turned_round(exchange: FakeExchange) -> None:
    whole, got = run(exchange, "swap-entries")
    (more,) = set(got) - set(whole)
    before = json.loads(got[got.index(more) - 1])
    assert json.loads(more)["price_changes"] == before["price_changes"][::-1]


def test_wrong_hash_changes_nothing_else(exchange: FakeExchange) -> None:
    whole, got = run(exchange, "wrong-hash")
    ((at, text),) = [(i, text) for i, text in enumerate(got) if text != whole[i]]
    for made, true in zip(json.loads(text)["price_changes"], json.loads(whole[at])["price_changes"], strict=True):
        assert made["hash"] != true["hash"] and {**made, "hash": ""} == {**true, "hash": ""}


def test_truncated_frame_is_not_json(exchange: FakeExchange) -> None:
    whole, got = run(exchange, "truncated-frame")
    (cut,) = set(got) - set(whole)
    with pytest.raises(ValueError):
        json.loads(cut)


def test_any_two_faults_may_strike_one_frame(exchange: FakeExchange) -> None:
    frame = next(frame for frame in after(exchange, 1) if frame.kind == wire.PRICE_CHANGE)
    token = frame.token_ids[0]
    for first in FEED_FAULTS:
        for second in FEED_FAULTS:
            faults = Faults(exchange)
            for name in (first, second):
                faults.start(name, exchange.now_ns, {"token": token} if "token" in OPTIONS[name] else {})
            assert all(isinstance(text, str) for text in faults.outgoing(LINK, frame, frame.ts_ns))


def test_freeze_one_token_takes_its_entries_and_leaves_all_others(exchange: FakeExchange) -> None:
    token = exchange.markets[0].spec.token_ids[0]
    other = exchange.markets[0].spec.token_ids[1]
    _, got = run(exchange, "freeze-one-token", token=token)
    assert not any(token in text for text in got)
    assert any(other in text for text in got)


def test_a_frozen_token_thaws_where_it_is_subscribed_to_again(exchange: FakeExchange) -> None:
    token = exchange.markets[0].spec.token_ids[0]
    faults = Faults(exchange)
    faults.start("freeze-one-token", exchange.now_ns, {"token": token})
    faults.renewed(1, [token])
    faults.renewed(2, exchange.markets[1].spec.token_ids)
    frames = after(exchange, 2)
    assert sent(faults, frames, link=1) == [frame.text for frame in frames]
    assert not any(token in text for text in sent(faults, frames, link=2))


def test_a_frozen_tokens_market_is_still_said_to_be_resolved(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    token = exchange.markets[0].spec.token_ids[0]
    faults.start("freeze-one-token", exchange.now_ns, {"token": token})
    (frame,) = exchange.resolve(exchange.markets[0], 0, exchange.now_ns)
    assert faults.outgoing(LINK, frame, exchange.now_ns) == [frame.text]


def test_what_was_held_back_is_not_told_to_a_silent_link(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    faults.start("late-trade", exchange.now_ns, {})
    frames = after(exchange, 20)
    trade = next(frame for frame in frames if frame.kind == wire.LAST_TRADE)
    assert faults.outgoing(LINK, trade, trade.ts_ns) == []
    faults.start("silent-socket", trade.ts_ns, {})
    assert faults.due(LINK, trade.ts_ns + 3 * NS_PER_S) == []
    assert faults.opening(LINK, trade.token_ids) is None


def test_silent_socket_is_silent_on_its_link_only_and_for_its_time(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    faults.start("silent-socket", exchange.now_ns, {"link": "1", "seconds": "2"})
    frames = after(exchange, 2)
    assert sent(faults, frames, link=1) == []
    assert faults.is_silent(1) and not faults.is_silent(2)
    assert sent(faults, frames, link=2) == [frame.text for frame in frames]
    later = after(exchange, 1)
    assert sent(faults, later, link=1) == [frame.text for frame in later]


def test_reorder_keeps_the_order_within_a_market(exchange: FakeExchange) -> None:
    whole, got = run(exchange, "reorder-across-tokens", count=20)
    assert sorted(got) == sorted(whole) and got != whole

    def of(texts: list[str], market: str) -> list[str]:
        return [text for text in texts if market in text]

    for market in exchange.markets:
        assert of(got, market.spec.condition_id) == of(whole, market.spec.condition_id)


def test_a_frame_that_is_held_back_comes_however_long_its_fault_waited_for_it(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    faults.start("reorder-across-tokens", exchange.now_ns, {})
    after(exchange, 60)
    frame = next(frame for frame in after(exchange, 1) if frame.kind == wire.PRICE_CHANGE)
    assert faults.active(frame.ts_ns)
    assert faults.outgoing(LINK, frame, frame.ts_ns) == []
    assert faults.active(frame.ts_ns + NS_PER_S)
    assert faults.due(LINK, frame.ts_ns + NS_PER_S) == [frame.text]


def test_late_trade_comes_2900_ms_later(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    faults.start("late-trade", exchange.now_ns, {})
    frames = after(exchange, 20)
    trade = next(frame for frame in frames if frame.kind == wire.LAST_TRADE)
    got = sent(faults, frames)
    due = next(i for i, frame in enumerate(frames) if frame.ts_ns >= trade.ts_ns + 2_900_000_000)
    assert got.index(trade.text) == due - 1


def test_the_same_frame_is_struck_on_every_link(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    faults.start("drop-frame", exchange.now_ns, {})
    for frame in after(exchange, 1):
        if faults.active(frame.ts_ns):
            assert faults.outgoing(1, frame, frame.ts_ns) == faults.outgoing(2, frame, frame.ts_ns)


def test_ghost_rest_book_is_0_01_against_0_99_and_old(exchange: FakeExchange) -> None:
    faults, token = Faults(exchange), exchange.markets[0].spec.token_ids[0]
    true = faults.rest_book(token)
    faults.start("ghost-rest-book", exchange.now_ns, {})
    ghost = faults.rest_book(token)
    assert true is not None and ghost is not None
    assert (ghost["bids"][0]["price"], ghost["asks"][0]["price"]) == ("0.01", "0.99")
    assert int(ghost["timestamp"]) < int(true["timestamp"])


def test_a_long_list_frame_is_as_long_as_the_longest_seen_and_still_json(exchange: FakeExchange) -> None:
    faults, token = Faults(exchange), exchange.markets[0].spec.token_ids[0]
    faults.start("list-frame-432kB", exchange.now_ns, {})
    text = faults.opening(LINK, [token])
    assert text is not None
    assert 432_179 <= len(text) < 440_000
    assert json.loads(text)[0]["asset_id"] == token
    assert faults.opening(LINK, [token]) == exchange.list_frame([token])


def test_a_storm_closes_links_again_and_again(exchange: FakeExchange) -> None:
    faults, start = Faults(exchange), exchange.now_ns
    faults.start("reconnect-storm", start, {"seconds": "3"})
    closed = []
    for tenth in range(40):
        now_ns = start + tenth * NS_PER_S // 10
        faults.active(now_ns)
        closed += [link for link in (1, 2) if faults.closes(link, now_ns)]
    assert closed.count(1) >= 3 and closed.count(2) >= 3


def test_slow_consumer_close_strikes_once(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    faults.start("slow-consumer-close", exchange.now_ns, {"link": "2"})
    assert faults.closes(1, exchange.now_ns) is None
    assert faults.closes(2, exchange.now_ns) == (1013, "slow consumer: send buffer full")
    assert faults.closes(2, exchange.now_ns) is None
    faults.start("slow-consumer-close", exchange.now_ns, {})
    faults.swept()
    assert faults.closes(3, exchange.now_ns) is None


def test_a_flood_is_as_large_as_asked(exchange: FakeExchange) -> None:
    faults = Faults(exchange)
    assert faults.start("new-market-flood", exchange.now_ns, {"count": "3"})["frames"] == 3
    assert len(faults.injected()) == 3


@pytest.mark.parametrize(
    ("name", "kind", "least"),
    [
        ("crossing-burst", wire.PRICE_CHANGE, 4),
        ("mass-cancel-batch", wire.PRICE_CHANGE, 8),
        ("tick-change", wire.TICK_CHANGE, 2),
        ("market-resolved", wire.RESOLVED, 1),
        ("market-split", wire.RESOLVED, 1),
        ("new-market-flood", wire.NEW_MARKET, 50),
    ],
)
def test_faults_in_the_market_itself_make_their_frames(exchange: FakeExchange, name: str, kind: str, least: int) -> None:
    after(exchange, 1)
    faults = Faults(exchange)
    faults.start(name, exchange.now_ns, {})
    assert sum(frame.kind == kind for frame in faults.injected()) >= least
    assert faults.injected() == []
