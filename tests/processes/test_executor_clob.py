"""The executor at a venue that speaks the CLOB's protocol: one intent has at most one effect there, whatever is lost and whoever dies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.base.halt_file import HaltWord
from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6, format_e6
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.edges import LinkEvent, RawFrame, VenueReply, VenueRequest
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse, Outcome, Side
from pipeline.messages.orders import CancelEverything, CancelOrder, Decision, ExecSnapshot, OrderType, PlaceOrder
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderIntent, OrderRecord
from pipeline.trading.limits import Limits
from pipeline.venue.clob_relayer import ClobRelayer
from processes.executor import Executor

T = 1_790_000_000_000_000_000
LIMITS = Limits(max_order_e6=10**10, max_open_orders=10**6, max_total_e6=10**12)
MARKET = Market("m", (Outcome("1", "Yes"), Outcome("2", "No")), tick_size="0.01", min_order_size="1")
DURABLE = (OrderRecord, OrderIntent, FillRecord, AuditRecord, HaltRecord)


def signed(order: PlaceOrder, market: Market, tick: str, now_ns: int) -> tuple[str, str]:
    """A stand-in for a signature: the hash is the order's own, and the body tells all."""
    order_hash = "0x" + sha256(f"{order.client_order_id} {now_ns}".encode()).hexdigest()
    told = {
        "hash": order_hash,
        "token": order.token_id,
        "side": order.side,
        "price": format_e6(order.price_e6),
        "size": order.size_e6,
        "type": order.order_type,
    }
    return order_hash, json.dumps(told)


class ScriptedVenue:
    """A venue in memory. ``taken`` counts how often each order took effect. ``refusal`` answers every order and cancel while it is set."""

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, Any]] = {}
        self.trades: list[dict[str, Any]] = []
        self.taken: Counter[str] = Counter()
        self.frames: list[bytes] = []
        self.refusal: tuple[int, str] | None = None
        self.crossing = True
        self.beats: list[str] = []

    # --- requests --------------------------------------------------------------------------------------------------

    def answer(self, ask: VenueRequest) -> tuple[int, Any]:
        if ask.kind == "heartbeat":
            return self._beat(json.loads(ask.body)["heartbeat_id"])
        if self.refusal is not None and ask.kind in ("place", "cancel", "cancel_all"):
            return self.refusal[0], json.loads(self.refusal[1] or "{}")
        match ask.kind:
            case "place":
                told = json.loads(ask.body)
                if isinstance(told, list):
                    return 200, [self._entry(self._place(order)) for order in told]
                status, reply = self._place(told)
                return status, reply
            case "cancel":
                told = json.loads(ask.body)
                return 200, self._cancel(told if isinstance(told, list) else [told["orderID"]])
            case "cancel_all":
                return 200, self._cancel([name for name, order in self.orders.items() if order["status"] == "LIVE"])
            case "order":
                order = self.orders.get(ask.path.rpartition("/")[2])
                return (200, self._shown(order)) if order is not None else (404, {"error": "not found"})
            case "open_orders":
                live = [self._shown(order) for order in self.orders.values() if order["status"] == "LIVE"]
                return 200, {"data": live, "next_cursor": "LTE="}
            case _:
                return 200, {"data": [*self.trades], "next_cursor": "LTE="}

    def _beat(self, name: str) -> tuple[int, Any]:
        expected = self.beats[-1] if self.beats else ""
        if name != expected:
            return 400, {"error_msg": "Invalid Heartbeat ID", "heartbeat_id": expected}
        self.beats.append(f"beat-{len(self.beats)}")
        return 200, {"heartbeat_id": self.beats[-1]}

    def _entry(self, answered: tuple[int, Any]) -> Any:
        status, reply = answered
        return reply if status == 200 else {"success": True, "errorMsg": reply["error"], "orderID": ""}

    def _place(self, told: dict[str, Any]) -> tuple[int, Any]:
        name = told["hash"]
        if name in self.orders:
            return 400, {"error": f"order {name} is invalid. Duplicated."}
        takes = told["type"] in ("FAK", "FOK")
        if takes and not self.crossing:
            return 400, {"error": "no orders found to match with FAK order"}
        self.taken[name] += 1
        self.orders[name] = {**told, "matched": 0, "status": "LIVE"}
        if not takes:
            self._tell_order(name, "PLACEMENT")
            return 200, {"success": True, "errorMsg": "", "orderID": name, "status": "live", "tradeIDs": []}
        size = told["size"] if told["type"] == "FOK" else told["size"] // 2
        trade_id = self.fill(name, size, taker=True)
        if self.orders[name]["status"] == "LIVE":
            self.orders[name]["status"] = "MATCHED"
        return 200, {"success": True, "errorMsg": "", "orderID": name, "status": "matched", "tradeIDs": [trade_id]}

    def _cancel(self, names: list[str]) -> Any:
        gone, kept = [], {}
        for name in names:
            if name in self.orders and self.orders[name]["status"] == "LIVE":
                self.orders[name]["status"] = "CANCELED"
                self._tell_order(name, "CANCELLATION")
                gone.append(name)
            else:
                kept[name] = "order can't be found - already canceled or matched"
        return {"canceled": gone, "not_canceled": kept}

    # --- what happens there ----------------------------------------------------------------------------------------

    def live(self) -> list[str]:
        return [name for name, order in self.orders.items() if order["status"] == "LIVE"]

    def expire_all(self) -> None:
        for name in self.live():
            self.orders[name]["status"] = "CANCELED"

    def fill(self, name: str, size: int, taker: bool = False) -> str:
        order = self.orders[name]
        size = min(size, order["size"] - order["matched"])
        order["matched"] += size
        if order["matched"] == order["size"]:
            order["status"] = "MATCHED"
        other = "SELL" if order["side"] == "BUY" else "BUY"
        trade = {
            "event_type": "trade",
            "type": "TRADE",
            "id": f"t{len(self.trades)}",
            "status": "MATCHED",
            "market": "m",
            "asset_id": order["token"],
            "side": order["side"] if taker else other,
            "size": format_e6(size),
            "price": order["price"],
            "taker_order_id": name if taker else "0xother",
            "match_time": str(T // NS_PER_S),
            "maker_orders": [
                {
                    "order_id": "0xother" if taker else name,
                    "matched_amount": format_e6(size),
                    "price": order["price"],
                    "asset_id": order["token"],
                }
            ],
        }
        self.trades.append(trade)
        self._tell(trade)
        return str(trade["id"])

    def move(self, number: int, status: str) -> None:
        """A trade goes on to another status, unless it is final."""
        if self.trades[number]["status"] not in ("CONFIRMED", "FAILED"):
            self.trades[number] = {**self.trades[number], "status": status}
            self._tell(self.trades[number])

    def held_e6(self, name: str) -> int:
        """What the trades that did not fail gave an order."""
        total = 0
        for trade in self.trades:
            ours = trade["taker_order_id"] == name or trade["maker_orders"][0]["order_id"] == name
            if ours and trade["status"] != "FAILED":
                total += round(float(trade["size"]) * ONE_E6)
        return total

    def _shown(self, order: dict[str, Any]) -> dict[str, Any]:
        return {
            "id": order["hash"],
            "status": order["status"],
            "market": "m",
            "asset_id": order["token"],
            "side": order["side"],
            "original_size": format_e6(order["size"]),
            "size_matched": format_e6(order["matched"]),
            "price": order["price"],
            "order_type": order["type"],
        }

    def _tell_order(self, name: str, kind: str) -> None:
        self._tell({"event_type": "order", "type": kind, **self._shown(self.orders[name])})

    def _tell(self, told: Any) -> None:
        self.frames.append(json.dumps(told).encode())


class Died(Exception):
    """The executor's process is gone."""


class World:
    """An executor, its journal, the wire to the venue and what is on its way back. The test moves each thing on by hand."""

    def __init__(self) -> None:
        self.venue = ScriptedVenue()
        self.journal: list[Message] = []
        self.segment: list[Message] = []  # a checkpoint and what follows, as a start reads it
        self.heard = 0
        self.said: list[Message] = []
        self.wire: list[VenueRequest] = []
        self.sent: list[VenueRequest] = []
        self.ghosts: list[VenueRequest] = []
        self.back: list[Message] = []
        self.now_ns = T
        self.placed = 0
        self.die_after: int | None = None
        self.begin()

    # --- life ------------------------------------------------------------------------------------------------------

    def begin(self, standing: Callable[[], HaltWord | None] = lambda: None) -> None:
        """Start a process on the journal. What was on its way to the old one is lost, what it had sent may still arrive."""
        self.ghosts += self.wire
        self.wire, self.back, self.die_after = [], [], None
        self.relayer = ClobRelayer(signed)
        self.stage = Executor(self.relayer, LIMITS, "offline", books_wait_ns=0, standing=standing)
        self.stage.recover(list(self.segment))
        self.segment = [self.stage.checkpoint(self.now_ns)]
        self._feed(self.stage.start(self.now_ns))
        self._hear(MarketUniverse(ts_ns=self.now_ns, markets=(MARKET,)))
        self._hear(Committed(ts_ns=self.now_ns, producer="executor", seq=0))
        self._hear(book(self.now_ns))

    def _feed(self, messages: Iterable[Message]) -> None:
        """Carry what the stage says as a runner does: a durable record is on disk before the stage goes on."""
        for msg in messages:
            if isinstance(msg, DURABLE):
                self.journal.append(msg)
                self.segment.append(msg)
            elif isinstance(msg, VenueRequest):
                self.wire.append(msg)
                self.sent.append(msg)
            else:
                self.said.append(msg)
            if self.die_after is not None:
                self.die_after -= 1
                if self.die_after < 0:
                    raise Died

    def _hear(self, msg: Message) -> None:
        try:
            self._feed(self.stage.handle(msg, self.now_ns))
        except Died:
            self.begin()
        self.heard += 1
        if self.heard % 5 == 0:
            self.segment = [self.stage.checkpoint(self.now_ns)]

    def tick(self, ns: int) -> None:
        end_ns = self.now_ns + ns
        while (due_ns := self.stage.next_timer_ns()) is not None and due_ns <= end_ns:
            self.now_ns = max(self.now_ns, due_ns)
            try:
                self._feed(self.stage.on_timer(self.now_ns))
            except Died:
                self.begin()
        self.now_ns = end_ns

    # --- commands --------------------------------------------------------------------------------------------------

    def place(self, kind: OrderType = "GTC", shares: int = 10, side: Side = "BUY", plan: str = "") -> str:
        self.placed += 1
        name = f"s1-mine-{self.placed}"
        self._hear(
            PlaceOrder(
                ts_ns=self.now_ns,
                client_order_id=name,
                token_id="1",
                market="m",
                side=side,
                price_e6=450_000,
                size_e6=shares * ONE_E6,
                order_type=kind,
                post_only=kind == "GTC",
                expires_ns=self.now_ns + 2 * NS_PER_S,
                decision=Decision(plan or f"p{self.placed}", "mine", "why", intents=2 if plan else 1),
            )
        )
        return name

    def cancel(self, name: str) -> None:
        self._hear(
            CancelOrder(
                ts_ns=self.now_ns,
                client_order_id=name,
                expires_ns=self.now_ns + 2 * NS_PER_S,
                decision=Decision(f"c{name}", "mine", "why"),
            )
        )

    # --- the wire --------------------------------------------------------------------------------------------------

    def arrive(self, ask: VenueRequest) -> VenueReply:
        status, body = self.venue.answer(ask)
        for frame in self.venue.frames:
            self.back.append(RawFrame(ts_ns=self.now_ns, link_id="user", data=frame))
        self.venue.frames.clear()
        return VenueReply(ts_ns=self.now_ns, request_id=ask.request_id, status=status, body=json.dumps(body).encode())

    def deliver(self, number: int = 0, fate: str = "ok") -> None:
        """One request reaches the venue, or does not, and its answer is on its way back, or is lost."""
        if not self.wire:
            return
        ask = self.wire.pop(number % len(self.wire))
        lost = VenueReply(ts_ns=self.now_ns, request_id=ask.request_id, status=0, error="timed out")
        if fate == "ok":
            reply = self.arrive(ask)
            self.back.append(reply)
        elif fate == "answer lost":
            self.arrive(ask)
            self.back.append(lost)
        else:
            if fate == "late":
                self.ghosts.append(ask)
            self.back.append(lost)

    def haunt(self, number: int) -> None:
        """A request whose sender gave it up arrives after all."""
        if self.ghosts:
            self.arrive(self.ghosts.pop(number % len(self.ghosts)))

    def hear_back(self, number: int = 0, keep: bool = False) -> None:
        """Something of what is on its way reaches the executor; a frame may come twice."""
        if self.back:
            number %= len(self.back)
            msg = self.back[number]
            if not (keep and isinstance(msg, RawFrame)):
                del self.back[number]
            self._hear(msg)

    def lose_frames(self) -> None:
        """The user channel breaks, and comes back."""
        self.back = [msg for msg in self.back if not isinstance(msg, RawFrame)]
        for state in ("down", "up"):
            self._hear(LinkEvent(ts_ns=self.now_ns, link_id="user", state=state))

    def flow(self) -> None:
        """Everything on its way arrives, in order."""
        for frame in self.venue.frames:
            self.back.append(RawFrame(ts_ns=self.now_ns, link_id="user", data=frame))
        self.venue.frames.clear()
        while self.wire or self.back:
            if self.back:
                self.hear_back()
            else:
                self.deliver()

    def settle(self, seconds: int = 45) -> None:
        """Peace: all that was sent arrives at last, and time goes on."""
        while self.ghosts:
            self.haunt(0)
        self._hear(LinkEvent(ts_ns=self.now_ns, link_id="user", state="up"))
        self.flow()
        for _ in range(seconds * 2):
            self.tick(500 * NS_PER_MS)
            self.flow()

    # --- what must hold --------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Venue, executor and journal agree, and no intent took effect twice."""
        assert all(count == 1 for count in self.venue.taken.values()), self.venue.taken
        intents = {msg.venue_order_id: msg for msg in self.journal if isinstance(msg, OrderIntent)}
        assert len(intents) == sum(isinstance(msg, OrderIntent) for msg in self.journal)
        assert set(self.venue.orders) <= set(intents)
        ours = {order.client_order_id: order for order in self.stage.ledger.open.values()}
        live = {intents[name].client_order_id for name in self.venue.live()}
        assert set(ours) == live, (set(ours) ^ live, [o.status for o in ours.values()])
        booked: Counter[str] = Counter()
        for msg in self.journal:
            if isinstance(msg, FillRecord):
                key = (msg.trade_id, msg.client_order_id)
                booked[msg.client_order_id] += -msg.size_e6 if msg.reverses else msg.size_e6 * (key not in self._seen)
                self._seen.add(key)
        for name, intent in intents.items():
            held = self.venue.held_e6(name) if name in self.venue.orders else 0
            assert booked[intent.client_order_id] == held, (intent.client_order_id, booked[intent.client_order_id], held)
        for records in (self.journal, self.segment):
            again = Executor(ClobRelayer(signed), LIMITS, "offline")
            again.recover(list(records))
            assert again.ledger.shown() == self.stage.ledger.shown()
            assert again.ledger.portfolio.shown() == self.stage.ledger.portfolio.shown()

    @property
    def _seen(self) -> set[tuple[str, str]]:
        self.__dict__.setdefault("seen", set())
        found: set[tuple[str, str]] = self.__dict__["seen"]
        return found

    def status(self, name: str) -> str:
        order = self.stage.ledger.order(name)
        assert order is not None
        return order.status

    def filled(self, name: str) -> int:
        order = self.stage.ledger.order(name)
        assert order is not None
        return order.filled_e6 // ONE_E6


def book(ts_ns: int) -> BookSnapshot:
    return BookSnapshot(
        ts_ns=ts_ns,
        token_id="1",
        market="m",
        tick_size_e6=10_000,
        bids=(Level(440_000, 100 * ONE_E6),),
        asks=(Level(460_000, 100 * ONE_E6),),
        seq=1,
        venue_ns=ts_ns,
        state="VERIFIED",
        basis="hash",
        full_depth=True,
    )


def ready() -> World:
    world = World()
    world.flow()
    assert world.stage.readiness.accepts
    return world


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
