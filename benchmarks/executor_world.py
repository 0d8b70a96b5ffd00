"""An executor beside a scripted venue, moved on by hand: every death, loss and delay is the trial's choice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable

from benchmarks.scripted_clob import DURABLE, LIMITS, MARKET, ScriptedVenue, T, signed
from pipeline.base.halt_file import HaltWord
from pipeline.base.units import NS_PER_MS, NS_PER_S, ONE_E6
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.edges import LinkEvent, RawFrame, VenueReply, VenueRequest
from pipeline.messages.market import BookSnapshot, Level, MarketUniverse, Side
from pipeline.messages.orders import CancelOrder, Decision, OrderType, PlaceOrder
from pipeline.messages.records import FillRecord, OrderIntent
from pipeline.venue.clob_relayer import ClobRelayer
from processes.executor import Executor


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
