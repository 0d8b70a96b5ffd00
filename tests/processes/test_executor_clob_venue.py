"""The executor, its edge and the fake venue over loopback: each fault of trading there ends with both sides agreeing."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

import httpx
import pytest

from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput
from pipeline.base.settings import ExecutionSection, PolymarketSection, Settings, VenueSection
from pipeline.base.units import NS_PER_S, ONE_E6, parse_e6
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.server import FakeVenueServer
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.edges import VenueReply, VenueRequest
from pipeline.messages.market import BookSnapshot, Level, Market, MarketUniverse
from pipeline.messages.orders import CancelOrder, Decision, PlaceOrder
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderIntent, OrderRecord
from pipeline.trading.limits import Limits
from pipeline.venue.clob.wallet import offline_wallet
from pipeline.venue.clob_edge import ClobEdge, user_url
from pipeline.venue.relayers import relayer_of
from processes.executor import Executor

LIMITS = Limits(max_order_e6=10**10, max_open_orders=10**6, max_total_e6=10**12)
DURABLE = (OrderRecord, OrderIntent, FillRecord, AuditRecord, HaltRecord)


@pytest.fixture(scope="module")
def server() -> Iterator[FakeVenueServer]:
    clock = SystemClock()
    with FakeVenueServer(FakeExchange(ExchangePlan(rate_per_s=1), clock.now_ns()), clock).running() as running:
        yield running


class Rig:
    """An executor and its edge in one event loop."""

    def __init__(self, server: FakeVenueServer, journal: Iterable[Message] = ()) -> None:
        self.server, self.clock, self.journal = server, SystemClock(), list(journal)
        addresses = PolymarketSection(clob_url=server.url, ws_url=server.ws_url)
        venue = VenueSection(name="fake", rest_timeout_ms=700, reconnect_min_ms=50, reconnect_max_ms=100)
        relayer, mode = relayer_of(Settings(polymarket=addresses, venue=venue, execution=ExecutionSection(relayer="clob")))
        self.stage = Executor(relayer, LIMITS, mode, books_wait_ns=0)
        self.edge = ClobEdge(addresses, venue, offline_wallet(), self.clock, random.Random(1))
        self.markets = tuple(listing.market for listing in server.source.listings())
        self.replies: list[VenueReply] = []
        self.requests: list[VenueRequest] = []
        self.placed = 0
        self._news = asyncio.Event()

    async def __aenter__(self) -> Rig:
        self.stage.recover(list(self.journal))
        self._feed(self.stage.start(self.clock.now_ns()))
        self._task = asyncio.create_task(self.edge.run(self.hear))
        self.hear(MarketUniverse(ts_ns=self.clock.now_ns(), markets=self.markets))
        self.hear(Committed(ts_ns=self.clock.now_ns(), producer="executor", seq=0))
        self.hear(book(self.clock.now_ns(), self.markets[1]))
        await self.until(lambda: self.stage.readiness.accepts)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _feed(self, messages: Iterable[Message]) -> None:
        for msg in messages:
            if isinstance(msg, DURABLE):
                self.journal.append(msg)
            elif isinstance(msg, VenueRequest):
                self.requests.append(msg)
                self.edge.take(msg)

    def hear(self, msg: Message) -> None:
        if isinstance(msg, VenueReply):
            self.replies.append(msg)
        self._feed(self.stage.handle(msg, self.clock.now_ns()))
        self._news.set()

    async def until(self, done: Callable[[], bool], seconds: float = 5) -> None:
        """Let time go on until something holds."""
        end_ns = self.clock.now_ns() + int(seconds * NS_PER_S)
        while not done():
            assert self.clock.now_ns() < end_ns, self._standing()
            if self._task.done():
                self._task.result()
            due_ns = self.stage.next_timer_ns()
            if due_ns is not None and due_ns <= self.clock.now_ns():
                self._feed(self.stage.on_timer(self.clock.now_ns()))
                continue
            self._news.clear()
            wait_s = 0.02 if due_ns is None else min(0.02, (due_ns - self.clock.now_ns()) / NS_PER_S)
            try:
                await asyncio.wait_for(self._news.wait(), max(wait_s, 0.001))
            except TimeoutError:
                continue

    def _standing(self) -> object:
        orders = [*self.stage.ledger.open.values(), *self.stage.ledger._closed.values()]
        return [(order.status, order.reason, order.filled_e6) for order in orders], self.requests[-3:], self.replies[-3:]

    def place(self, kind: str = "GTC", price_e6: int = 20_000, shares: int = 60, plan: str = "") -> str:
        self.placed += 1
        name, now_ns = f"{now_ns_text(self)}-mine-{self.placed}", self.clock.now_ns()
        market = self.markets[1]
        self.hear(
            PlaceOrder(
                ts_ns=now_ns,
                client_order_id=name,
                token_id=market.token_ids[0],
                market=market.market_id,
                side="BUY",
                price_e6=price_e6,
                size_e6=shares * ONE_E6,
                order_type=kind,  # type: ignore[arg-type]
                post_only=kind == "GTC",
                expires_ns=now_ns + 2 * NS_PER_S,
                decision=Decision(plan or name, "mine", "why", intents=2 if plan else 1),
            )
        )
        return name

    def cancel(self, name: str) -> None:
        now_ns = self.clock.now_ns()
        self.hear(
            CancelOrder(
                ts_ns=now_ns, client_order_id=name, expires_ns=now_ns + NS_PER_S, decision=Decision(f"c-{name}", "mine", "why")
            )
        )

    def status(self, name: str) -> str:
        order = self.stage.ledger.order(name)
        return "" if order is None else order.status

    def filled(self, name: str) -> int:
        order = self.stage.ledger.order(name)
        return 0 if order is None else order.filled_e6 // ONE_E6

    async def admin(self, path: str, method: str = "POST") -> Any:
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.request(method, f"{self.server.url}/admin/{path}")
            assert answer.status_code == 200, answer.text
            return answer.json()

    async def fault(self, name: str, **options: int) -> None:
        query = "&".join(f"{key}={value}" for key, value in options.items())
        await self.admin(f"fault/{name}?{query}")

    async def fill(self, name: str, shares: int | None = None) -> None:
        intent = next(msg for msg in self.journal if isinstance(msg, OrderIntent) and msg.client_order_id == name)
        await self.admin(f"fill/{intent.venue_order_id}" + (f"?shares={shares}" if shares else ""))


def book(ts_ns: int, market: Market) -> BookSnapshot:
    """A book that no order of these tests crosses."""
    return BookSnapshot(
        ts_ns=ts_ns,
        token_id=market.token_ids[0],
        market=market.market_id,
        tick_size_e6=parse_e6(market.tick_size or "0.01"),
        bids=(Level(10_000, ONE_E6),),
        asks=(Level(990_000, ONE_E6),),
        seq=1,
        venue_ns=ts_ns,
        state="VERIFIED",
        basis="hash",
        full_depth=True,
    )


def now_ns_text(rig: Rig) -> str:
    """A session of each rig's own, so that no two orders of this file are the same one."""
    return f"s{id(rig):x}"


def run(server: FakeVenueServer, scene: Callable[[Rig], Coroutine[Any, Any, None]], journal: Iterable[Message] = ()) -> None:
    async def play() -> None:
        async with Rig(server, journal) as rig:
            await scene(rig)

    asyncio.run(play())


def test_an_order_rests_fills_in_part_and_is_cancelled(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "live")
        await rig.fill(name, 20)
        await rig.until(lambda: rig.filled(name) == 20)
        rig.cancel(name)
        await rig.until(lambda: rig.status(name) == "cancelled")
        # The venue counts what traded of it: nothing late is expected, and nothing is held back, though nobody waited for that.
        await rig.until(lambda: rig.stage.ledger.reserves.cash_e6 == 0, seconds=3)
        texts = [bytes(str(msg), "utf-8") for msg in rig.journal] + [reply.body for reply in rig.replies]
        credentials = rig.edge._known()
        for secret in (credentials.key, credentials.secret, credentials.passphrase):
            assert not any(secret.encode() in text for text in texts)

    run(server, scene)


def test_an_order_that_takes_ends_with_what_it_got(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        name = rig.place("FAK", 990_000, 10)
        await rig.until(lambda: not rig.stage.ledger.open)
        assert rig.status(name) in ("matched", "cancelled") and rig.filled(name) >= 9
        await rig.until(lambda: rig.stage.ledger.portfolio.inventory_e6("mine", rig.markets[1].token_ids[0]) > 0)

    run(server, scene)


def test_an_answer_that_is_lost_before_the_fill_is_found_again(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        await rig.fault("ack-lost-then-filled", seconds=1)
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "matched")
        assert rig.filled(name) == 60
        assert [reply.sent for reply in rig.replies if not reply.status] == [True]

    run(server, scene)


def test_an_answer_that_comes_after_the_fill_does_no_harm(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        await rig.fault("ack-late-after-fill-event", seconds=1)
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "matched" and any(not reply.status for reply in rig.replies))
        assert (rig.status(name), rig.filled(name)) == ("matched", 60)

    run(server, scene)


def test_trades_told_twice_are_booked_once(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "live")
        await rig.fault("duplicate-trade-messages", count=3)
        await rig.fill(name)
        await rig.until(lambda: rig.status(name) == "matched")
        fills = {msg.trade_id for msg in rig.journal if isinstance(msg, FillRecord)}
        assert (rig.filled(name), len(fills)) == (60, 1)

    run(server, scene)


def test_a_trade_that_fails_on_chain_is_taken_back(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "live")
        await rig.fault("trade-failed", count=1)
        await rig.fill(name)
        await rig.until(lambda: rig.filled(name) == 60)
        await rig.until(lambda: rig.filled(name) == 0, 8)
        assert rig.stage.ledger.portfolio.inventory_e6("mine", rig.markets[1].token_ids[0]) == 0

    run(server, scene)


def test_a_refusal_inside_a_batch_refuses_one_order(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        rig.stage.desk.batch_wait_ns = 1_000_000
        await rig.fault("reject-inside-batch", count=1)
        first, second = rig.place(plan="both"), rig.place(plan="both")
        await rig.until(lambda: rig.status(second) == "live")
        assert rig.status(first) == "rejected"
        rig.cancel(second)
        await rig.until(lambda: not rig.stage.ledger.open)

    run(server, scene)


def test_a_restart_of_the_engine_takes_no_order_with_it_and_what_may_only_rest_rests_afterwards(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        before = rig.place()
        await rig.until(lambda: rig.status(before) == "live")
        await rig.fault("restart-then-post-only", seconds=1)
        refused = rig.place()
        await rig.until(lambda: rig.status(refused) == "rejected")
        assert rig.stage.desk.venue.state == "restarting"
        await rig.until(lambda: rig.stage.desk.venue.state == "post_only")
        assert rig.status(before) == "live"
        taking, resting = rig.place("FAK", 990_000, 10), rig.place()
        await rig.until(lambda: rig.status(resting) == "live")
        assert (rig.status(taking), rig.filled(taking)) == ("rejected", 0)
        for name in (before, resting):
            rig.cancel(name)
        await rig.until(lambda: not rig.stage.ledger.open)
        hashes = {msg.venue_order_id for msg in rig.journal if isinstance(msg, OrderIntent)}
        there = {order["id"]: order["status"] for order in await rig.admin("orders", "GET") if order["id"] in hashes}
        assert sorted(there.values()) == ["CANCELED", "CANCELED"]

    run(server, scene)


def test_orders_that_the_heartbeat_took_with_it_are_cancelled_here_too(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "live")
        await rig.until(lambda: any(ask.kind == "heartbeat" for ask in rig.requests))
        await rig.fault("heartbeat-expired")
        await rig.until(lambda: rig.status(name) == "cancelled")

    run(server, scene)


def test_a_cancel_of_an_order_that_filled_meanwhile_finds_the_fill(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "live")
        await rig.fault("cancel-of-filled-order", count=1)
        rig.cancel(name)
        await rig.until(lambda: rig.status(name) == "matched")
        assert rig.filled(name) == 60

    run(server, scene)


def test_fills_that_a_broken_user_channel_did_not_tell_are_read_afterwards(server: FakeVenueServer) -> None:
    async def scene(rig: Rig) -> None:
        name = rig.place()
        await rig.until(lambda: rig.status(name) == "live")
        await rig.fault("user-channel-gap", seconds=1, count=1)
        await rig.until(lambda: rig.status(name) == "matched")
        assert rig.filled(name) == 60

    run(server, scene)


def test_a_restart_adopts_what_the_journal_knows_and_cancels_the_rest(server: FakeVenueServer) -> None:
    journal: list[Message] = []

    async def before(rig: Rig) -> None:
        known, stray = rig.place(), rig.place()
        await rig.until(lambda: {rig.status(known), rig.status(stray)} == {"live"})
        journal.extend(msg for msg in rig.journal if msg.key != stray)
        await rig.fill(known, 20)

    async def after(rig: Rig) -> None:
        (order,) = rig.stage.ledger.open.values()
        assert (order.status, order.filled_e6) == ("partially_filled", 20 * ONE_E6)
        assert [msg.outcome for msg in rig.journal if isinstance(msg, AuditRecord) and not msg.strategy] == ["cancelled"]
        rig._feed(rig.stage.wind_up(rig.clock.now_ns()))
        await rig.until(lambda: rig.stage.is_wound_up)
        open_there = [order for order in await rig.admin("orders", "GET") if order["status"] == "LIVE"]
        assert open_there == []

    run(server, before)
    run(server, after, journal)


def test_a_venue_that_is_not_on_this_machine_gets_no_order() -> None:
    with pytest.raises(BadInput, match="only to a venue on this machine"):
        relayer_of(Settings(execution=ExecutionSection(relayer="clob")))
    assert user_url("ws://127.0.0.1:1/ws/market") == "ws://127.0.0.1:1/ws/user"
