"""The feed on trial: gateway and book builder against an exchange whose true books are known, with faults on the way.

Lockstep and simulated time: no socket, no waiting. After every event of the venue, once its frames have arrived, the book that stands
published is held against the venue's own; and every book published as proved is compared level by level, as text, with the book that
the venue had under that hash.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from random import Random

from pipeline.base.clock import EventClock
from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, Stage, StagePlan
from pipeline.fake_venue import wire
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.market import FakeMarket
from pipeline.fake_venue.scenarios import Fault, Faults
from pipeline.fake_venue.simulated_link import LinkRules, SimulatedVenue
from pipeline.fake_venue.wire import Frame
from pipeline.market.liveness import LivenessRules
from pipeline.market.watch import FeedWatch
from pipeline.messages.market import BookSnapshot, MarketResolved
from pipeline.messages.orders import PlaceOrder
from pipeline.messages.records import BookStateChanged
from processes import book_builder
from processes.gateway import Gateway
from processes.scheduler import Scheduler

START_NS = 1_780_000_000 * NS_PER_S
TRADED = ("VERIFIED", "QUIET")
"""The states in which a book is traded on with real money."""
FOLLOW_UP_NS = 500 * NS_PER_MS
"""How long after its fault is over, and its books are right again, a token may still be in doubt because of it."""
QUIET_S = 30
"""The mean time between two changes of a quiet market."""
KEPT = 400
"""How many states of each token's true book are remembered: many seconds of the busiest."""


class TrueToken(wire.TokenText):
    """A token of the venue that remembers what its book was under each hash."""

    def __init__(self, token: wire.TokenText) -> None:
        super().__init__(token.condition_id, token.token_id, token.bids, token.asks)
        self.hash = token.hash
        self.number = 0
        self.at: dict[str, tuple[int, list[str], list[str]]] = {self.hash: (0, list(self.bids), list(self.asks))}
        self._order: deque[str] = deque([self.hash])

    def rehash(self, timestamp: str, tail: str) -> str:
        found = super().rehash(timestamp, tail)
        self.number += 1
        self.at[found] = (self.number, list(self.bids), list(self.asks))
        self._order.append(found)
        if len(self._order) > KEPT:
            self.at.pop(self._order.popleft(), None)
        return found


@dataclass
class Incident:
    """What one fault did to one token. ``exposed_ns``: how long a wrong book stood as fit to trade on."""

    fault: str
    token_id: str
    struck_ns: int
    exposed_ns: int = 0
    alarm_ns: int = 0
    alarm: str = ""
    healed_ns: int = 0


@dataclass
class Started:
    """A fault that was started, under which name it is told, and until when it strikes."""

    name: str
    kind: str
    at_ns: int
    until_ns: int
    token_id: str | None


@dataclass(frozen=True)
class TrialPlan:
    """The exchange, the links, and the settings of the stages. The last ``quiet_markets`` of the single ones change twice a minute."""

    seed: int = 1
    rate_per_s: int = 1_490
    binary_markets: int = 12
    event_markets: int = 6
    quiet_markets: int = 4
    tokens_per_socket: int = 12
    settings: dict[str, dict[str, object]] = field(default_factory=dict)


class FeedTrial:
    """One run. ``start`` faults between two calls of ``run_to``; then read what happened."""

    def __init__(self, plan: TrialPlan | None = None, traders: Sequence[Stage] = ()) -> None:
        self.plan = plan = plan or TrialPlan()
        config = Config(Settings()).with_values(plan.settings, "trial")
        shape = ExchangePlan(
            seed=plan.seed, rate_per_s=plan.rate_per_s, binary_markets=plan.binary_markets, event_markets=plan.event_markets
        )
        self.exchange = FakeExchange(shape, START_NS)
        self.true: dict[str, TrueToken] = {}
        for market in self.exchange.markets:
            self._look_at(market)
        self._hush(self.exchange.markets[plan.binary_markets - plan.quiet_markets : plan.binary_markets])
        self.faults = Faults(self.exchange)
        rules = LinkRules(tokens_per_socket=plan.tokens_per_socket)
        self.venue = SimulatedVenue(self.exchange, self.faults, Random(plan.seed), rules, self)
        settings = config.settings
        self.gateway = Gateway(watch=FeedWatch(LivenessRules.from_settings(settings.ingestion, settings.venue)))
        self.builder = book_builder.build(config)
        markets = [listing.market for listing in self.exchange.listings()]
        scheduler = Scheduler(settings.ingestion, markets=markets, source="trial", venue="fake")
        self.lockstep = Lockstep(
            [StagePlan(self.gateway, [self.venue]), self.builder, scheduler, *traders], EventClock(START_NS), tap=self._on_message
        )
        self.published: dict[str, BookSnapshot] = {}
        self.incidents: list[Incident] = []
        self.started: list[Started] = []
        self.checked = 0
        self.wrong: list[str] = []
        """Books published as proved that were not the venue's. Must stay empty."""
        self.false_alarms: list[str] = []
        """States worse than QUIET without a fault that could explain them. Must stay empty."""
        self.unexplained: list[str] = []
        """Stretches in which a wrong book was fit to trade on, without a fault. Must stay empty."""
        self.bad_orders: list[str] = []
        """Orders in a market neither of whose books was fit to trade on. Must stay empty."""
        self.orders = 0
        self.alarms: Counter[tuple[str, str]] = Counter()
        self.ended: set[str] = set()
        self._twins = {token_id: market.spec.token_ids for market in self.exchange.markets for token_id in market.spec.token_ids}
        self._told: dict[str, str] = {}
        self._open: dict[str, Incident] = {}
        self._exposed: dict[str, int] = {}
        self._excused_ns: dict[str, tuple[int, str]] = {}
        self.lockstep.start()

    # --- running ---------------------------------------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.lockstep.clock.now_ns()

    def run_to(self, at_ns: int) -> None:
        """Let everything happen up to ``at_ns`` after the start."""
        self.lockstep.run(to_ns=START_NS + at_ns)

    def start(self, name: str, label: str = "", **options: object) -> Started:
        """Start a fault, which is told under its name or another one."""
        told = self.faults.start(name, self.exchange.now_ns, {key: str(value) for key, value in options.items()})
        until_ns = told["at_ns"] + int(told.get("seconds", 0)) * NS_PER_S
        fault = Started(label or name, name, told["at_ns"], until_ns, told.get("token"))
        self.started.append(fault)
        if "frames" in told and fault.token_id is not None and name != "new-market-flood":
            found = self.exchange.market_of(fault.token_id)
            assert found is not None
            for token_id in found[0].spec.token_ids:
                self._strike(token_id, fault.name, self.now_ns + self.venue.rules.latency_ns)
        return fault

    def finish(self) -> None:
        """Count what is still wrong."""
        for token_id in list(self._exposed):
            self._end_exposure(token_id, self.now_ns)

    # --- what really happened --------------------------------------------------------------------------------------

    def _look_at(self, market: FakeMarket) -> None:
        yes, no = market.tokens
        market.tokens = (TrueToken(yes), TrueToken(no))
        for token in market.tokens:
            assert isinstance(token, TrueToken)
            self.true[token.token_id] = token

    def _hush(self, quiet: Sequence[FakeMarket]) -> None:
        """Let some markets change about every 30 seconds: what is lost of them is found by spot checks only."""
        busy = sum(market.spec.weight for market in self.exchange.markets if market not in quiet)
        for market in quiet:
            market.spec = replace(market.spec, weight=busy / self.plan.rate_per_s / QUIET_S)  # type: ignore[arg-type]

    def happened(self, frames: Sequence[Frame], now_ns: int) -> object:
        token_ids = {token_id for frame in frames for token_id in frame.token_ids}
        return {token_id: self.true[token_id].hash for token_id in token_ids if token_id in self.true}

    def told(self, what: object, now_ns: int) -> None:
        assert isinstance(what, dict)
        for token_id, digest in what.items():
            self._told[token_id] = digest
            self._compare(token_id, now_ns)

    def struck(self, frame: Frame, link_id: str, faults: Sequence[Fault], due_ns: int) -> None:
        for fault in faults:
            label = self._label(fault)
            for token_id in frame.token_ids:
                if fault.name != "freeze-one-token" or token_id == fault.token_id:
                    self._strike(token_id, label, due_ns)

    def _label(self, fault: Fault) -> str:
        """The name under which a fault was started."""
        for started in reversed(self.started):
            if (started.kind, started.at_ns, started.token_id) == (fault.name, fault.started_ns, fault.token_id):
                return started.name
        return fault.name

    def _strike(self, token_id: str, name: str, due_ns: int) -> None:
        """A token is struck. What a fault that takes nothing away began is told under one that does, where both strike."""
        incident = self._open.get(token_id)
        if incident is not None and incident.fault in HARMLESS and not incident.alarm_ns and token_id not in self._exposed:
            incident.fault, incident.struck_ns = name, due_ns
        elif incident is None and token_id not in self.ended:
            self._open[token_id] = incident = Incident(name, token_id, due_ns)
            self.incidents.append(incident)

    # --- what is published -----------------------------------------------------------------------------------------

    def _on_message(self, arrival: Arrival) -> None:
        msg = arrival.message
        kind = type(msg)
        if kind is BookSnapshot:
            self._on_book(msg)  # type: ignore[arg-type]
        elif kind is BookStateChanged:
            self._on_state(msg)  # type: ignore[arg-type]
        elif kind is MarketResolved:
            assert isinstance(msg, MarketResolved)
            self.ended.update(msg.token_ids)
        elif kind is PlaceOrder and arrival.stream == "command":
            assert isinstance(msg, PlaceOrder)
            self.orders += 1
            books = [self.published.get(token_id) for token_id in self._twins[msg.token_id]]
            if not any(book is not None and book.state in TRADED for book in books):
                states = ", ".join("no book" if book is None else book.state for book in books)
                self.bad_orders.append(f"{msg.client_order_id} on {states}")

    def _on_book(self, book: BookSnapshot) -> None:
        token_id = book.token_id
        true = self.true.get(token_id)
        if true is None:
            return
        self.published[token_id] = book
        if book.state == "VERIFIED" and book.basis == "hash":
            self._check(book, true)
        if book.state not in TRADED:
            self._end_exposure(token_id, book.ts_ns)
        elif token_id in self._open and self._is_right(token_id, book):
            self._heal(token_id, book.ts_ns)

    def _check(self, book: BookSnapshot, true: TrueToken) -> None:
        """A book that is said to be proved must be the one that the venue had under its hash."""
        self.checked += 1
        known = true.at.get(book.hash or "")
        kept = self.builder.shelf.hashed[book.token_id].book
        assert kept is not None
        if known is None:
            self.wrong.append(f"{book.token_id} at {book.ts_ns}: {book.hash} is no hash of the venue's last {KEPT} books")
        elif kept.hash == book.hash:
            bids = kept.bids.fragments()
            asks = kept.asks.fragments()[::-1]
            if (bids, asks) != known[1:]:
                self.wrong.append(f"{book.token_id} at {book.ts_ns}: levels differ from the venue's under {book.hash}")

    def _on_state(self, change: BookStateChanged) -> None:
        token_id, now_ns = change.token_id, change.ts_ns
        self.alarms[change.new, change.reason.partition(":")[0]] += 1
        if change.new in TRADED or token_id not in self.true:
            return
        self._end_exposure(token_id, now_ns)
        incident = self._open.get(token_id)
        if incident is not None:
            if incident.fault in HARMLESS and change.reason.startswith("link "):
                incident.fault = self._excuse(token_id, now_ns) or incident.fault
            if not incident.alarm_ns:
                incident.alarm_ns, incident.alarm = now_ns, change.new
            if change.new == "DEAD" and token_id in self.ended:
                self._heal(token_id, now_ns)
            return
        if change.old is None or token_id in self.ended:
            return
        excuse = self._excuse(token_id, now_ns)
        if excuse:
            self._strike(token_id, excuse, now_ns)
            self._open[token_id].alarm_ns, self._open[token_id].alarm = now_ns, change.new
        else:
            self.false_alarms.append(f"{token_id} at {(now_ns - START_NS) / NS_PER_S:.3f} s: {change.new}: {change.reason}")

    def _excuse(self, token_id: str, now_ns: int) -> str:
        """A fault of sockets that may be felt by a token that lost nothing, or one whose books have just been right again."""
        for fault in reversed(self.started):
            if fault.token_id is None and fault.name in SOCKET_FAULTS and now_ns < fault.until_ns + SOCKET_FAULTS[fault.name]:
                return fault.name
        until_ns, name = self._excused_ns.get(token_id, (0, ""))
        return name if now_ns <= until_ns else ""

    # --- the comparison --------------------------------------------------------------------------------------------

    def _compare(self, token_id: str, now_ns: int) -> None:
        """What stands published against what the venue has told by now."""
        book = self.published.get(token_id)
        if book is None or token_id in self.ended:
            return
        right = self._is_right(token_id, book)
        if book.state not in TRADED:
            return
        if right:
            self._end_exposure(token_id, now_ns)
            if token_id in self._open:
                self._heal(token_id, now_ns)
        elif token_id not in self._exposed:
            self._exposed[token_id] = now_ns
            if token_id not in self._open:
                excuse = self._excuse(token_id, now_ns)
                if excuse:
                    self._strike(token_id, excuse, now_ns)
                else:
                    at_s = (now_ns - START_NS) / NS_PER_S
                    self.unexplained.append(f"{token_id} at {at_s:.3f} s: {book.state} under {book.hash}")

    def _is_right(self, token_id: str, book: BookSnapshot) -> bool:
        """Whether a published book has the levels that the venue has told, or ones that it told later over HTTP."""
        told = self._told.get(token_id)
        if told is None or book.hash == told:
            return True
        at = self.true[token_id].at
        ours, theirs = at.get(book.hash or ""), at.get(told)
        return ours is not None and theirs is not None and (ours[0] > theirs[0] or ours[1:] == theirs[1:])

    def _end_exposure(self, token_id: str, now_ns: int) -> None:
        since_ns = self._exposed.pop(token_id, None)
        if since_ns is not None and token_id in self._open:
            self._open[token_id].exposed_ns += now_ns - since_ns

    def _heal(self, token_id: str, now_ns: int) -> None:
        """The published book is right and trusted; what strikes later only is not healed by that."""
        incident = self._open[token_id]
        self._end_exposure(token_id, now_ns)
        if now_ns < incident.struck_ns:
            return
        del self._open[token_id]
        incident.healed_ns = now_ns
        self._excused_ns[token_id] = (now_ns + FOLLOW_UP_NS, incident.fault)


HARMLESS = (
    "crossing-burst",
    "duplicate",
    "late-trade",
    "mass-cancel-batch",
    "reorder-across-tokens",
    "swap-entries",
    "tick-change",
)
"""Faults after which every book is whole again: no alarm may come of them."""
SOCKET_FAULTS = {
    "silent-socket": 30 * NS_PER_S,
    "reconnect-storm": 40 * NS_PER_S,
    "slow-consumer-close": 10 * NS_PER_S,
    "list-frame-432kB": 10 * NS_PER_S,
    "ghost-rest-book": 5 * NS_PER_S,
}
"""Faults that strike whole sockets or answers, and how long after their end a book may still be in doubt because of them."""
