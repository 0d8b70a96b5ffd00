"""The executor at a venue that speaks the CLOB's protocol: one intent has at most one effect there, whatever is lost and whoever dies."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.executor_world import World, ready
from benchmarks.scripted_clob import T
from pipeline.base.halt_file import HaltWord
from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6
from pipeline.messages.edges import VenueReply
from pipeline.messages.orders import CancelEverything, ExecSnapshot
from pipeline.messages.records import AuditRecord, OrderIntent

# --- one fault after the other ---------------------------------------------------------------------------------------


def test_the_intent_is_on_disk_before_the_request_leaves() -> None:
    world = ready()
    world.die_after = 1
    name = world.place()
    assert [type(msg).__name__ for msg in world.journal if msg.key == name][:2] == ["OrderRecord", "OrderIntent"]
    assert not world.venue.taken
    world.settle()
    world.check()
    assert world.status(name) in ("rejected", "live")


def test_no_command_is_taken_before_the_venue_was_compared() -> None:
    world = World()
    world.place()
    assert not any(isinstance(msg, OrderIntent) for msg in world.journal)
    snapshot = [msg for msg in world.said if isinstance(msg, ExecSnapshot)][-1]
    assert (snapshot.accepts, snapshot.reason) == (False, "reconciling with the venue")
    world.flow()
    assert [msg for msg in world.said if isinstance(msg, ExecSnapshot)][-1].accepts


def test_a_lost_answer_to_an_order_that_then_fills_is_found_by_its_hash() -> None:
    world = ready()
    name = world.place()
    world.deliver(fate="answer lost")
    world.back = [msg for msg in world.back if isinstance(msg, VenueReply)]
    world.venue.fill(world.venue.live()[0], 10 * ONE_E6)
    world.venue.frames.clear()
    world.settle()
    assert (world.status(name), world.filled(name)) == ("matched", 10)
    world.check()


def test_an_answer_that_comes_after_the_fill_changes_nothing() -> None:
    world = ready()
    name = world.place()
    ask = world.wire.pop()
    late = world.arrive(ask)
    world.venue.fill(world.venue.live()[0], 10 * ONE_E6)
    world.flow()
    assert (world.status(name), world.filled(name)) == ("matched", 10)
    world.back.append(late)
    world.settle()
    assert world.status(name) == "matched"
    world.check()


def test_an_order_that_never_arrived_is_sent_again_as_the_identical_body() -> None:
    world = ready()
    name = world.place()
    body = world.wire[0].body
    world.deliver(fate="lost")
    world.flow()
    assert world.status(name) == "unknown"
    world.settle(5)
    assert [ask.body for ask in world.sent if ask.kind == "place"] == [body, body]
    assert world.status(name) == "live"
    world.check()


def test_a_taker_order_that_never_arrived_is_not_sent_again_when_its_time_is_over() -> None:
    world = ready()
    name = world.place("FAK")
    world.now_ns += 3 * NS_PER_S
    world.deliver(fate="lost")
    world.settle()
    assert (world.status(name), dict(world.venue.taken)) == ("rejected", {})
    world.check()


def test_what_arrives_after_it_was_given_up_is_cancelled() -> None:
    world = ready()
    name = world.place()
    world.deliver(fate="late")
    world.cancel(name)
    for _ in range(20):
        world.tick(500 * NS_PER_MS)
        world.flow()
    assert world.status(name) == "rejected"
    world.haunt(0)
    assert len(world.venue.live()) == 1
    world.settle()
    assert not world.venue.live()
    world.check()


def test_a_duplicate_is_an_order_that_was_taken() -> None:
    world = ready()
    name = world.place()
    world.deliver(fate="late")
    for _ in range(3):
        world.tick(1_000 * NS_PER_MS)
        while world.back or any(ask.kind != "place" for ask in world.wire):
            number = next((i for i, ask in enumerate(world.wire) if ask.kind != "place"), None)
            world.hear_back() if world.back else world.deliver(number or 0)
    assert [ask.kind for ask in world.wire] == ["place"]
    world.haunt(0)
    world.settle()
    assert (world.status(name), sum(world.venue.taken.values())) == ("live", 1)
    world.check()


def test_a_trade_told_twice_is_booked_once() -> None:
    world = ready()
    name = world.place()
    world.flow()
    world.venue.fill(world.venue.live()[0], 4 * ONE_E6)
    world.venue.frames *= 3
    world.flow()
    assert world.filled(name) == 4
    world.settle()
    world.check()


def test_a_trade_that_fails_is_taken_back_and_stays_so() -> None:
    world = ready()
    name = world.place()
    world.flow()
    world.venue.fill(world.venue.live()[0], 4 * ONE_E6)
    matched = list(world.venue.frames)
    world.flow()
    world.venue.move(0, "FAILED")
    world.venue.frames += matched
    world.flow()
    assert world.filled(name) == 0
    world.begin()
    world.settle()
    world.check()


def test_a_refusal_inside_an_answer_with_status_200_refuses_that_order_alone() -> None:
    world = World()
    world.stage.desk.batch_wait_ns = 5 * NS_PER_MS
    world.flow()
    first, second = world.place(plan="both"), world.place(plan="both")
    (ask,) = world.wire
    assert ask.path == "/orders"
    world.venue.orders[json.loads(ask.body)[0]["hash"]] = {}
    status, body = world.venue.answer(ask)
    world.venue.orders = {name: order for name, order in world.venue.orders.items() if order}
    body[0]["errorMsg"] = "not enough balance / allowance"
    world.wire.clear()
    world.back.append(VenueReply(ts_ns=T, request_id=ask.request_id, status=status, body=json.dumps(body).encode()))
    world.settle()
    assert (world.status(first), world.status(second)) == ("rejected", "live")
    world.check()


def test_a_restart_of_the_engine_and_the_post_only_time_after_it_are_understood() -> None:
    world = ready()
    world.venue.refusal = (425, "")
    first = world.place()
    world.flow()
    assert (world.status(first), world.stage.desk.venue.state) == ("rejected", "restarting")
    world.tick(2 * NS_PER_S)
    world.venue.refusal = (503, '{"error":"post-only","code":"post_only_mode","retry_after_seconds":60}')
    second = world.place("FAK")
    world.flow()
    assert (world.status(second), world.stage.desk.venue.state) == ("rejected", "post_only")
    world.venue.refusal = None
    third = world.place()
    world.flow()
    assert world.status(third) == "live"
    world.check()


def test_orders_that_vanished_with_the_heartbeat_are_reconciled_to_cancelled() -> None:
    world = ready()
    name = world.place()
    world.flow()
    world.venue.expire_all()
    for _ in range(4):
        world.tick(5 * NS_PER_S)
        while world.wire:
            world.deliver(fate="lost")
        while world.back:
            world.hear_back()
    world.settle()
    assert world.status(name) == "cancelled"
    world.check()


def test_heartbeats_go_on_with_the_id_that_the_venue_expects() -> None:
    world = ready()
    world.venue.beats.append("another")
    for _ in range(8):
        world.tick(1 * NS_PER_S)
        world.flow()
    assert len(world.venue.beats) > 2
    assert world.relayer.beat.heartbeat_id == world.venue.beats[-1]


def test_a_cancel_of_a_filled_order_finds_the_fill() -> None:
    world = ready()
    name = world.place()
    world.flow()
    world.venue.fill(world.venue.live()[0], 10 * ONE_E6)
    world.venue.frames.clear()
    world.cancel(name)
    world.settle()
    assert (world.status(name), world.filled(name)) == ("matched", 10)
    world.check()


def test_a_user_channel_that_comes_back_brings_the_fills_that_were_missed() -> None:
    world = ready()
    name = world.place()
    world.flow()
    world.venue.fill(world.venue.live()[0], 3 * ONE_E6)
    world.venue.frames.clear()
    world.lose_frames()
    world.flow()
    assert world.filled(name) == 3
    world.check()


def test_an_order_that_the_journal_does_not_know_is_cancelled_and_reported() -> None:
    world = ready()
    stray = {"hash": "0xstray", "token": "1", "side": "BUY", "price": "0.1", "size": ONE_E6, "type": "GTC", "matched": 0}
    world.venue.orders["0xstray"] = {**stray, "status": "LIVE"}
    world.begin()
    world.flow()
    assert world.venue.orders["0xstray"]["status"] == "CANCELED"
    reports = [msg for msg in world.journal if isinstance(msg, AuditRecord) and msg.plan_id == "stray-0xstray"]
    assert len(reports) == 1


def test_at_the_end_every_order_is_cancelled_and_its_answer_awaited() -> None:
    world = ready()
    world.place()
    world.flow()
    late = world.place()
    world._feed(world.stage.wind_up(world.now_ns))
    assert not world.stage.is_wound_up
    world.flow()
    assert world.stage.is_wound_up
    assert not world.venue.live()
    assert world.status(late) == "cancelled"
    world.check()


def test_a_halt_that_was_said_while_nobody_heard_it_cancels_what_is_at_the_venue() -> None:
    world = ready()
    name = world.place()
    world.flow()
    word = HaltWord(True, "night", world.now_ns + 1, cancel=True)
    world.now_ns += 2
    world.begin(lambda: word)
    world.settle()
    assert (world.status(name), world.venue.live()) == ("cancelled", [])
    assert world.stage.desk.halt.reason == "night"


def test_the_operator_cancels_everything_in_one_request() -> None:
    world = ready()
    names = [world.place() for _ in range(3)]
    world.flow()
    world._hear(CancelEverything(ts_ns=world.now_ns, reason="test"))
    assert [ask.path for ask in world.wire] == ["/cancel-all"]
    world.flow()
    assert {world.status(name) for name in names} == {"cancelled"}
    world.check()


# --- all faults at once ----------------------------------------------------------------------------------------------

NUMBER = st.integers(0, 7)
FATES = st.sampled_from(["ok", "ok", "ok", "answer lost", "lost", "late"])
OPS = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from(["GTC", "GTC", "FAK", "FOK"])),
        st.tuples(st.just("cancel"), NUMBER),
        st.tuples(st.just("deliver"), NUMBER, FATES),
        st.tuples(st.just("deliver"), NUMBER, FATES),
        st.tuples(st.just("hear"), NUMBER, st.booleans()),
        st.tuples(st.just("hear"), NUMBER, st.booleans()),
        st.tuples(st.just("fill"), NUMBER, st.integers(1, 10)),
        st.tuples(st.just("move"), NUMBER, st.sampled_from(["MINED", "CONFIRMED", "RETRYING", "FAILED", "FAILED"])),
        st.tuples(st.just("tick"), st.sampled_from([50, 300, 1_000, 6_000])),
        st.tuples(st.just("haunt"), NUMBER),
        st.tuples(st.just("lose frames")),
        st.tuples(st.just("die"), st.integers(0, 6)),
        st.tuples(st.just("flow")),
    ),
    max_size=40,
)


@settings(max_examples=60)
@given(OPS)
def test_whatever_dies_and_is_lost_an_intent_has_at_most_one_effect_and_all_ends_reconciled(ops: list[Any]) -> None:
    world = ready()
    for op in ops:
        match op:
            case ("place", kind):
                world.place(kind)
            case ("cancel", number):
                world.cancel(f"s1-mine-{number % max(world.placed, 1) + 1}")
            case ("deliver", number, fate):
                world.deliver(number, fate)
            case ("hear", number, keep):
                world.hear_back(number, keep)
            case ("fill", number, shares):
                live = world.venue.live()
                if live:
                    world.venue.fill(live[number % len(live)], shares * ONE_E6)
            case ("move", number, status):
                if world.venue.trades:
                    world.venue.move(number % len(world.venue.trades), status)
            case ("tick", ms):
                world.tick(ms * NS_PER_MS)
            case ("haunt", number):
                world.haunt(number)
            case ("lose frames",):
                world.lose_frames()
            case ("die", steps):
                world.die_after = steps
            case _:
                world.flow()
    world.die_after = None
    world.settle()
    world.check()
