"""The Dutch Book desk: watch the sets, weigh what looks cheap, carry out what is worth it, and tell all of it."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator

from pipeline.base.units import NS_PER_S
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Market, MarketUniverse
from pipeline.messages.orders import Decision, ExecSnapshot, Fill, OrderUpdate, PlanState
from pipeline.strategy.account import Account
from pipeline.strategy.converting import conversion
from pipeline.strategy.dutch_check import Found, book_of, weigh
from pipeline.strategy.dutch_claims import Claims
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.strategy.dutch_runs import Run, Told, adopted, begun, ended, unexplained
from pipeline.strategy.dutch_telling import set_opportunity, set_seen
from pipeline.strategy.event_sets import FORMS, EventSet, sets_of
from pipeline.strategy.marks import mark_e6, portfolio_row
from pipeline.trading.multileg_value import Form
from pipeline.trading.policy import USUAL, FeedPolicy

REFUSED_EVERY_NS = 10 * NS_PER_S
"""One kind of refusal of one set is told so often."""
HOPELESS_NS = 60 * NS_PER_S
"""A set that may not be traded whatever the prices is looked at so often, to tell what it seemed to offer."""
COOL_NS = NS_PER_S
"""After a plan its set is left alone for so long: the books have to show what was taken."""
CLEAR_NS = NS_PER_S
"""How long our own quotes in the way of a plan may take to go."""
REMEMBERED_PLANS = 10_000


class DutchDesk:
    """Pure: messages in, messages out, time from ``now_ns``. One plan a set at a time; no plan is carried out twice.

    ``has_quotes`` says whether other strategies have orders in a market; ``claims`` are the markets that they are to leave.
    """

    def __init__(
        self,
        rules: DutchRules,
        session_id: str,
        ttl_ns: int,
        policy: FeedPolicy = USUAL,
        has_quotes: Callable[[str], bool] = lambda market: False,
    ) -> None:
        self.rules, self.policy = rules, policy
        self.account = Account(rules.name, session_id, ttl_ns)
        self.has_quotes = has_quotes
        self.decisions = 0
        self.refused = 0
        self._ttl_ns = ttl_ns
        self._markets: dict[str, Market] = {}
        self._books: dict[str, BookSnapshot] = {}
        self._sets: dict[str, EventSet] = {}
        self._set_of: dict[str, EventSet] = {}
        self._first_rules: dict[str, str] = {}
        self._runs: dict[str, Run] = {}
        self._claims = Claims()
        self._told: dict[tuple[str, Form], Told] = {}
        self._taken: dict[str, None] = {}
        self._found: dict[str, PlanState] = {}
        self._words_lost = True
        self._heap: list[tuple[int, str]] = []
        self._cheap: set[str] = set()
        self._closed = False
        self._frame_ns = 0

    # --- what comes in ---------------------------------------------------------------------------------------------

    def on_universe(self, universe: MarketUniverse, now_ns: int) -> Iterator[Message]:
        """The followed markets, whole. Plans under way go on with what they bought."""
        for market in universe.markets:
            self._first_rules.setdefault(market.market_id, market.first_rules_hash or market.rules_hash)
        self._markets = {token_id: market for market in universe.markets for token_id in market.token_ids}
        found = sets_of(universe.markets, self._first_rules, self.rules.allow_other)
        self._sets = {each.name: each for each in found}
        self._set_of = {token_id: each for each in found for form in FORMS for token_id in each.tokens(form)}
        for token_id, each in self._set_of.items():
            if token_id in self._books:
                each.note(self._books[token_id])
        yield from self._adopt(now_ns)
        for each in found:
            yield from self._look(each, now_ns)

    def on_book(self, book: BookSnapshot, now_ns: int) -> Iterator[Message] | tuple[()]:
        """A book changed."""
        token_id = book.token_id
        self._books[token_id] = book
        event = self._set_of.get(token_id)
        if event is None:
            return ()
        event.note(book)
        if event.name in self._runs:
            return self._advance(self._runs[event.name], now_ns)
        if now_ns < event.quiet_until_ns:
            return ()
        cheap = event.looks_cheap("NO") or event.looks_cheap("YES")
        if cheap or event.name in self._cheap:
            # Also once after it was cheap, so that what was waited for is given up.
            (self._cheap.add if cheap else self._cheap.discard)(event.name)
            return self._prompted(event, book, now_ns)
        return ()

    def _prompted(self, event: EventSet, book: BookSnapshot, now_ns: int) -> Iterator[Message]:
        """Weigh a set because of a book; a decision says which frame it came with."""
        self._frame_ns = book.frame_ns
        yield from self._look(event, now_ns)
        self._frame_ns = 0

    def on_snapshot(self, snapshot: ExecSnapshot, now_ns: int) -> Iterator[Message]:
        """All that the executor holds."""
        self.account.load(snapshot, now_ns)
        for plan_id in snapshot.plan_ids:
            self._remember(plan_id)
        if self.account.ready:
            yield from self._reconcile(snapshot, now_ns)
        for event in self._sets.values():
            yield from self._look(event, now_ns)
            if event.name not in self._runs:
                yield from conversion(event, self.account, self.rules, now_ns)

    def on_update(self, update: OrderUpdate, now_ns: int) -> Iterator[Message]:
        """One of our orders changed."""
        self.account.update(update)
        for run in [run for run in self._runs.values() if run.machine.on_update(update)]:
            yield from self._advance(run, now_ns)

    def on_fill(self, fill: Fill, now_ns: int) -> Iterator[Message]:
        """One of our orders traded."""
        if not self.account.fill(fill):
            return
        holding = self.account.portfolio.holding(fill.strategy, fill.token_id, fill.market)
        yield portfolio_row(holding, self.account.mode, mark_e6(fill.token_id, self._books, self._markets), now_ns)
        for run in [run for run in self._runs.values() if run.machine.on_fill(fill)]:
            yield from self._advance(run, now_ns)

    def on_halt(self, halted: bool, now_ns: int) -> Iterator[Message]:
        """Trading was stopped, or goes on."""
        self.account.halted = halted
        if halted:
            yield from self._stop_runs("trading was halted", now_ns)

    def forget(self, now_ns: int) -> None:
        """The executor is a new one, or its words were lost: what is under way waits for the snapshot that tells where it stands."""
        self.account.forget()
        self._words_lost = True

    def next_wake_ns(self) -> int | None:
        """When ``wake`` wants to be called next."""
        return self._heap[0][0] if self._heap else None

    def wake(self, now_ns: int) -> Iterator[Message]:
        """Deadlines of plans, and books that were waited for."""
        while self._heap and self._heap[0][0] <= now_ns:
            _, name = heapq.heappop(self._heap)
            if name in self._runs:
                yield from self._advance(self._runs[name], now_ns)
            elif name in self._sets:
                yield from self._look(self._sets[name], now_ns)

    def poke(self, now_ns: int) -> Iterator[Message]:
        """Our own quotes have changed somewhere: a set that waits for them to go may be free."""
        for name in self._claims.names():
            if name in self._sets:
                yield from self._look(self._sets[name], now_ns)

    def portfolio_rows(self, now_ns: int) -> Iterator[Message]:
        """Every position ever traded, at its present mark."""
        for holding in self.account.portfolio:
            yield portfolio_row(holding, self.account.mode, mark_e6(holding.token_id, self._books, self._markets), now_ns)

    def close(self, now_ns: int) -> Iterator[Message]:
        """End the plans as they stand: nobody watches over them any more."""
        self._closed = True
        yield from self._stop_runs("strategy stopped", now_ns)

    @property
    def claims(self) -> frozenset[str]:
        """The markets that other strategies are to leave; another object after every change."""
        return self._claims.markets

    @property
    def is_busy(self) -> bool:
        """A plan is under way."""
        return bool(self._runs)

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        return {f"{self.rules.name}_decisions": self.decisions, f"{self.rules.name}_refused": self.refused}

    # --- weighing --------------------------------------------------------------------------------------------------

    def _look(self, event: EventSet, now_ns: int) -> Iterator[Message]:
        """Weigh both forms of a set as its books stand."""
        if self._closed or not self.account.may_command or event.name in self._runs:
            return
        claim = self._claims.of(event.name)
        if claim is not None and now_ns > claim.until_ns:
            self._claims.release(event.name)
        cheap = False
        for form in FORMS:
            if event.tokens(form) and event.looks_cheap(form) and event.name not in self._runs:
                cheap = True
                yield from self._weigh(event, form, now_ns)
            elif (event.name, form) in self._told:
                self._told[event.name, form].kinds.pop("recheck", None)
        if not cheap:
            self._claims.release(event.name)

    def _weigh(self, event: EventSet, form: Form, now_ns: int) -> Iterator[Message]:
        told = self._told.setdefault((event.name, form), Told())
        if now_ns < told.quiet_until_ns:
            return
        found = weigh(event, form, self._books, self.account, self.rules, self.policy, now_ns)
        if found.plan_id and found.plan_id in self._taken:
            return
        if found.kind == "hopeless":
            told.quiet_until_ns = now_ns + HOPELESS_NS
            if all(event.refusals.get(each, "") for each in FORMS if event.tokens(each)):
                event.quiet_until_ns = told.quiet_until_ns
        if found.recheck_ns and not told.kinds.get("recheck"):
            # The other outcome's book may come in the next message: only what lasts is told.
            told.kinds["recheck"] = now_ns + found.recheck_ns
            self._wake_at(event.name, told.kinds["recheck"])
            return
        if found.recheck_ns and now_ns < told.kinds["recheck"]:
            return
        told.kinds.pop("recheck", None)
        if found.refusal:
            yield from self._refuse(event, found, told, now_ns)
            return
        markets = frozenset(order.market for order in found.plan.orders)
        if any(self.has_quotes(market) for market in sorted(markets)):
            yield from self._wait_for_quotes(event, found, markets, told, now_ns)
            return
        yield from self._start(event, found, now_ns)

    def _refuse(self, event: EventSet, found: Found, told: Told, now_ns: int) -> Iterator[Message]:
        self.refused += 1
        last = told.kinds.get(found.kind)
        if last is None or now_ns >= last + REFUSED_EVERY_NS:
            told.kinds[found.kind] = now_ns
            yield set_opportunity(event, found, self.rules.name, now_ns)

    def _wait_for_quotes(
        self, event: EventSet, found: Found, markets: frozenset[str], told: Told, now_ns: int
    ) -> Iterator[Message]:
        """Our own quotes lie on the way: ask for them to go, and refuse if they do not in time."""
        claim = self._claims.of(event.name)
        if claim is None:
            last = told.kinds.get("claim")
            if last is not None and now_ns < last + CLEAR_NS + COOL_NS:
                return
            told.kinds["claim"] = now_ns
            self._claims.put(event.name, markets, now_ns + CLEAR_NS)
            self._wake_at(event.name, now_ns + CLEAR_NS)
        elif now_ns >= claim.until_ns:
            self._claims.release(event.name)
            refused = found.refused("quotes", "our own quotes did not leave the markets of the set in time")
            yield from self._refuse(event, refused, told, now_ns)
        elif not markets <= claim.markets:
            self._claims.widen(event.name, markets)

    # --- carrying out ----------------------------------------------------------------------------------------------

    def _start(self, event: EventSet, found: Found, now_ns: int) -> Iterator[Message]:
        self.decisions += 1
        self._remember(found.plan_id)
        rules = self.rules
        decision = Decision(
            plan_id=found.plan_id,
            strategy=rules.name,
            reason=found.why,
            seen=set_seen(event, found, self._books, self.account.venue_state),
            decided_ns=now_ns,
            expected_profit_e6=found.plan.profit_e6 - found.miss_cost_e6,
            intents=0,
            frame_ns=self._frame_ns,
        )
        run = begun(event, found, decision, rules, self._ttl_ns)
        self._carry(run)
        yield set_opportunity(event, found, self.rules.name, now_ns)
        yield from self._advance(run, now_ns)

    def _carry(self, run: Run) -> None:
        """A plan is under way from here on: our quotes leave its markets."""
        self._runs[run.event.name] = run
        self._claims.put(run.event.name, frozenset(leg.market for leg in run.machine.legs), run.machine.give_up_ns)

    def _advance(self, run: Run, now_ns: int) -> Iterator[Message]:
        """Send the next order of a plan, if there is one, and tell its end."""
        machine = run.machine

        def tradable(token_id: str) -> BookSnapshot | None:
            return book_of(token_id, self._books, self.policy.allowed(self.account.mode), self.rules.max_book_age_ns, now_ns)

        if self.account.may_command:
            quote = machine.step(tradable, now_ns)
            if quote is not None:
                market = next(leg.market for leg in machine.legs if leg.token_id == quote.token_id)
                command = self.account.place(quote, market, run.decision, now_ns)
                machine.sent(command.client_order_id)
                yield command
        if machine.outcome:
            self._drop(run, now_ns)
            yield ended(run, now_ns)
            yield from conversion(run.event, self.account, self.rules, now_ns)
            return
        due_ns = machine.next_wake_ns(now_ns) if self.account.may_command else None
        if due_ns is not None and due_ns != run.wakes_ns:
            run.wakes_ns = due_ns
            self._wake_at(run.event.name, due_ns)

    def _reconcile(self, snapshot: ExecSnapshot, now_ns: int) -> Iterator[Message]:
        """Learn from the executor where each plan stands: those under way here, and those of a desk that is gone."""
        told = {state.plan_id: state for state in snapshot.plans if state.strategy == self.rules.name}
        for run in list(self._runs.values()):
            state = told.pop(run.decision.plan_id, None)
            if state is not None:
                run.machine.reconcile(state.orders)
            elif run.decision.plan_id in snapshot.plan_ids:
                # Its orders are known and its end is on record: the executor has told it when it stopped.
                self._drop(run, now_ns)
                continue
            if self._words_lost:
                run.machine.give_more_time(now_ns + self.rules.unwind_ns)
            yield from self._advance(run, now_ns)
        self._words_lost = False
        self._found = told
        yield from self._adopt(now_ns)
        if snapshot.halted:
            yield from self._stop_runs("trading was halted", now_ns)

    def _adopt(self, now_ns: int) -> Iterator[Message]:
        """Carry on the plans that another desk began, once it is known which sets they belong to; end those that cannot be explained."""
        if not self._markets or not self.account.ready:
            return
        for plan_id, state in list(self._found.items()):
            del self._found[plan_id]
            event = next((self._set_of[order.token_id] for order in state.orders if order.token_id in self._set_of), None)
            run = None if event is None or event.name in self._runs else adopted(state, event, self.rules, self._ttl_ns, now_ns)
            if run is None:
                yield unexplained(state, self.rules.name, now_ns)
                continue
            self._remember(plan_id)
            self._carry(run)
            yield from self._advance(run, now_ns)

    def _stop_runs(self, reason: str, now_ns: int) -> list[Message]:
        told: list[Message] = []
        for run in list(self._runs.values()):
            run.machine.stop(reason)
            self._drop(run, now_ns)
            told.append(ended(run, now_ns))
        return told

    # --- inside ----------------------------------------------------------------------------------------------------

    def _drop(self, run: Run, now_ns: int) -> None:
        """A plan is under way no more: its set is left alone for a moment."""
        del self._runs[run.event.name]
        for form in FORMS:
            told = self._told.setdefault((run.event.name, form), Told())
            told.quiet_until_ns = max(told.quiet_until_ns, now_ns + COOL_NS)
        self._claims.release(run.event.name)
        self._wake_at(run.event.name, now_ns + COOL_NS)

    def _remember(self, plan_id: str) -> None:
        self._taken[plan_id] = None
        while len(self._taken) > REMEMBERED_PLANS:
            del self._taken[next(iter(self._taken))]

    def _wake_at(self, name: str, due_ns: int) -> None:
        heapq.heappush(self._heap, (due_ns, name))
