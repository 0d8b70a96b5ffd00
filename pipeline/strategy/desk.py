"""One quoting strategy at work: when to decide, what to send so that its targets rest, and what to tell about it."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from pipeline.base.units import NS_PER_S, format_e6
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Market, MarketUniverse
from pipeline.messages.orders import VENUE_MODES, Decision, ExecSnapshot, Fill, OpenOrder, OrderUpdate
from pipeline.messages.records import PortfolioRow
from pipeline.strategy.account import Account
from pipeline.strategy.base import Habits, Strategy, Targets, View, stands_still
from pipeline.strategy.marks import mark_e6, portfolio_row
from pipeline.strategy.own_orders import without_own
from pipeline.strategy.quoting import Quoting
from pipeline.strategy.signals import Signals
from pipeline.strategy.telling import opportunity, seen_by
from pipeline.trading.diff import Changes, diff_quotes
from pipeline.trading.pacing import in_terms_of, pace
from pipeline.trading.policy import USUAL, FeedPolicy, heard_ns, other_token, quoted_tokens
from pipeline.trading.portfolio import Holding
from pipeline.trading.venue_state import POSSIBLE

REJECT_PAUSE_NS = 2 * NS_PER_S
"""After a rejection a market is left alone for so long: what was refused once is likely to be refused again."""

ASIDE = "left to a plan of another strategy"
"""Why nothing rests in a market where a plan would meet our own quotes."""


class QuoteDesk:
    """Run one strategy over all followed markets. Pure: messages in, messages out, time from ``now_ns``.

    A market is decided on when its book, its orders or its positions change, at most once in ``min_requote_interval_ns``; a refusal
    pulls at once. What a decision cannot do yet is done by a wake-up. Desks ``beside`` this one have orders that are ours as well.
    """

    def __init__(self, strategy: Strategy, session_id: str, ttl_ns: int, policy: FeedPolicy = USUAL) -> None:
        self.strategy, self.policy, self.habits = strategy, policy, Habits.of(strategy)
        self.account = Account(strategy.name, session_id, ttl_ns)
        self.beside: tuple[QuoteDesk, ...] = ()
        self.decisions = 0
        self._markets: dict[str, Market] = {}
        self._quoted: dict[str, tuple[Market, str]] = {}
        self._books: dict[str, BookSnapshot] = {}
        self._quoting: dict[str, Quoting] = {}
        self._heap: list[tuple[int, str]] = []
        self._aside: frozenset[str] = frozenset()
        self._frame_ns = 0
        self._closed = False
        self._max_mid_jump_e6, self._requote_ns = self.habits.max_mid_jump_e6, strategy.min_requote_interval_ns

    # --- what comes in ---------------------------------------------------------------------------------------------

    def on_universe(self, universe: MarketUniverse, now_ns: int) -> Iterator[Message]:
        """The followed markets, whole. A market that left is pulled."""
        left = self._quoted
        self._markets = {token_id: market for market in universe.markets for token_id in market.token_ids}
        self._quoted = {
            token_id: (market, other_token(market, token_id)) for market in universe.markets for token_id in quoted_tokens(market)
        }
        for token_id in sorted(left.keys() - self._quoted.keys()):
            market_id = left[token_id][0].market_id
            changes = Changes(cancels=self.account.orders(market_id, now_ns))
            if changes and self.account.may_command:
                plan = self._plan(market_id, Targets(reason="market left the universe"), now_ns, len(changes))
                yield from self._commands(market_id, changes, plan, now_ns)
        for token_id in self._quoted:
            yield from self._evaluate(token_id, now_ns)

    def on_book(self, book: BookSnapshot, now_ns: int) -> Iterable[Message]:
        """A book changed. While its market waits for its next decision, only what may not wait is looked for."""
        token_id = book.token_id
        before = self._books.get(token_id)
        self._books[token_id] = book
        if token_id not in self._quoted:
            if token_id in self._markets and (before is None or before.state != book.state):
                # The other outcome is the same book: it matters only if it is trusted differently.
                return self._prompted(other_token(self._markets[token_id], token_id), book, now_ns)
            return ()
        quoting = self._quoting.get(token_id) or self._kept(token_id)
        signals = quoting.signals
        if signals is None:
            signals = quoting.signals = Signals()
        bids, asks = book.bids, book.asks
        if not bids or not asks:
            return self._prompted(token_id, book, now_ns)
        bid_e6, ask_e6 = bids[0].price_e6, asks[0].price_e6
        if 0 < self._max_mid_jump_e6 < signals.on_top(bid_e6, ask_e6, now_ns):
            quoting.jumped_ns = now_ns + self.habits.jump_pause_ns
        elif before is not None and before.state == book.state and before.bids and before.asks and bid_e6 < ask_e6:
            # A book that may be traded on as much as the one before, as far as a glance tells.
            if now_ns < quoting.next_quote_ns:
                if quoting.wake_ns is None:
                    self._wake_at(token_id, quoting.next_quote_ns)
                return ()
            if (
                bid_e6 == before.bids[0].price_e6
                and ask_e6 == before.asks[0].price_e6
                and now_ns < quoting.decided_ns + self._requote_ns
                and before.tick_size_e6 == book.tick_size_e6
            ):
                # What changed lies deeper in the book: it is looked at as often as quotes may change, not with every book.
                return ()
        return self._prompted(token_id, book, now_ns)

    def _prompted(self, token_id: str, book: BookSnapshot, now_ns: int) -> Sequence[Message]:
        """Decide because of a book; the decision says which frame it came with."""
        self._frame_ns = book.frame_ns
        said = self._evaluate(token_id, now_ns)
        self._frame_ns = 0
        return said

    def on_snapshot(self, snapshot: ExecSnapshot, now_ns: int) -> Iterator[Message]:
        """All that the executor holds."""
        self.account.load(snapshot, now_ns)
        for token_id in self._quoted:
            yield from self._evaluate(token_id, now_ns)

    def on_update(self, update: OrderUpdate, now_ns: int) -> Sequence[Message]:
        """One of our orders changed."""
        self.account.update(update)
        token_id = self._quoted_of(update.token_id)
        if update.status == "rejected":
            self._kept(token_id).next_quote_ns = now_ns + REJECT_PAUSE_NS
        return self._evaluate(token_id, now_ns)

    def on_fill(self, fill: Fill, now_ns: int) -> Iterator[Message]:
        """One of our orders traded."""
        if self.account.fill(fill):
            yield self._portfolio_row(self.account.portfolio.holding(fill.strategy, fill.token_id, fill.market), now_ns)
            token_id = self._quoted_of(fill.token_id)
            signals = self._kept(token_id).signals
            if fill.liquidity == "maker" and signals is not None:
                signals.on_trade(*in_terms_of(token_id, fill), now_ns)
            yield from self._merge(token_id, now_ns)
            yield from self._evaluate(token_id, now_ns)

    def on_halt(self, halted: bool, now_ns: int) -> Iterator[Message]:
        """Trading was stopped, or goes on."""
        self.account.halted = halted
        for token_id in self._quoted:
            yield from self._evaluate(token_id, now_ns)

    def stand_aside(self, markets: frozenset[str], now_ns: int) -> Iterator[Message]:
        """Leave these markets, and only these, to another strategy: nothing rests in them."""
        changed = self._aside ^ markets
        self._aside = markets
        for token_id, (market, _) in self._quoted.items():
            if market.market_id in changed:
                yield from self._evaluate(token_id, now_ns)

    def forget(self, now_ns: int) -> None:
        """The executor is a new one, or its words were lost."""
        self.account.forget()

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        return {f"{self.strategy.name}_decisions": self.decisions}

    def next_wake_ns(self) -> int | None:
        """When ``wake`` wants to be called next."""
        return self._heap[0][0] if self._heap else None

    def wake(self, now_ns: int) -> Sequence[Message]:
        """Decide again where it was put off."""
        heap = self._heap
        said: list[Message] = []
        while heap:
            due_ns, token_id = heap[0]
            quoting = self._kept(token_id)
            if quoting.wake_ns != due_ns:  # an earlier one came in its place
                heapq.heappop(heap)
            elif due_ns <= now_ns:
                heapq.heappop(heap)
                quoting.wake_ns = None
                said += self._evaluate(token_id, now_ns)
            else:
                break
        return said

    def portfolio_rows(self, now_ns: int) -> Iterator[Message]:
        """Every position ever traded, at its present mark."""
        for holding in self.account.portfolio:
            yield self._portfolio_row(holding, now_ns)

    def close(self, now_ns: int) -> Iterator[Message]:
        """Cancel everything that rests, and decide nothing any more."""
        self._closed = True
        if self.account.may_command:
            plan = self._plan("", Targets(reason="strategy stopped"), now_ns, intents=1)
            yield self.account.cancel_all(plan, now_ns)

    # --- deciding --------------------------------------------------------------------------------------------------

    def view(self, token_id: str, now_ns: int) -> View | None:
        """What the strategy may know of a quoted token; None before its book was seen."""
        book = self._books.get(token_id)
        quoted = self._quoted.get(token_id)
        if book is None or quoted is None:
            return None
        return self._view(quoted, book, self.account.orders(quoted[0].market_id, now_ns), now_ns)

    def _view(self, quoted: tuple[Market, str], book: BookSnapshot, orders: Sequence[OpenOrder], now_ns: int) -> View:
        market, complement_id = quoted
        token_id, account = book.token_id, self.account
        inventory = account.portfolio.inventory_e6
        complement = self._books.get(complement_id)
        if account.mode in VENUE_MODES:
            # Only a venue displays our orders; a simulated one takes them from the books as they are.
            own = [order for desk in (self, *self.beside) for order in desk.account.displayed(market.market_id, now_ns)]
            book = without_own(book, own)
            complement = without_own(complement, own) if complement is not None else None
        signals = self._kept(token_id).signals or _NONE
        return View(
            market=market,
            book=book,
            now_ns=now_ns,
            mode=account.mode,
            complement_id=complement_id,
            complement=complement,
            inventory_e6=inventory(account.strategy, token_id),
            complement_inventory_e6=inventory(account.strategy, complement_id) if complement_id else 0,
            exposure_e6=account.exposure_elsewhere_e6(market.market_id) + self._held_e6(market.market_id),
            orders=tuple([order for order in orders if order.token_id in (token_id, complement_id)]) if orders else (),
            policy=self.policy,
            jump_e6=signals.jump_e6,
            volatility_e6=signals.volatility_e6,
            markout_e6=signals.markout_e6,
        )

    def _free_e6(self, market: str, now_ns: int, token_id: str) -> int:
        return self.account.free_e6(market, token_id, now_ns)

    def _held_e6(self, market: str) -> int:
        held_e6 = 0
        for holding in self.account.portfolio.in_market(market):
            if holding.cost_e6 > 0:
                held_e6 += holding.cost_e6
        return held_e6

    def _evaluate(self, token_id: str, now_ns: int) -> Sequence[Message]:
        """Decide on one market, unless that is put off; what the decision takes, and what is told about it."""
        account, quoted = self.account, self._quoted.get(token_id)
        if quoted is None or self._closed or not account.may_command:
            return ()
        book = self._books.get(token_id)
        if book is None:
            return ()
        quoting = self._kept(token_id)
        put_off_ns = quoting.next_quote_ns
        market_id = quoted[0].market_id
        orders = account.orders(market_id, now_ns)
        if now_ns < put_off_ns and not orders:
            self._wake_at(token_id, put_off_ns)
            return ()
        view = self._view(quoted, book, orders, now_ns)
        refused = self._refusal(token_id, view)
        if not refused and now_ns < put_off_ns:
            self._wake_at(token_id, put_off_ns)
            return ()
        targets = Targets(reason=refused) if refused else self.strategy.decide(view)
        quoting.decided_ns = now_ns
        tick = view.book.tick_size_e6
        kept_still = bool(refused) and (stands_still(view) or not POSSIBLE[account.venue_state])
        wanted = (
            Changes() if kept_still else diff_quotes(targets.quotes, view.orders, self.strategy.min_change_ticks * tick, tick)
        )
        said: Sequence[Message] = ()
        if wanted:
            free = partial(self._free_e6, market_id, now_ns) if account.sells_only_what_is_held else None
            leaving = account.leaving(market_id)
            wanted, later_ns = pace(token_id, wanted, view.orders, leaving, self.habits.min_quote_lifetime_ns, now_ns, free)
            if later_ns:
                self._wake_at(token_id, later_ns)
        standing = "" if targets.quotes else targets.reason
        told = quoting.standing != standing
        if wanted or told:
            plan = self._plan(seen_by(view, targets), targets, now_ns, len(wanted))
            if wanted:
                quoting.next_quote_ns = now_ns + self.strategy.min_requote_interval_ns
                said = self._commands(market_id, wanted, plan, now_ns)
            if told:
                quoting.standing = standing
                said = [*said, opportunity(view.market, targets, plan, now_ns)]
        if targets.quotes:
            self._wake_at(token_id, heard_ns(view.book) + self.strategy.max_book_age_ns + 1)
        answer_due_ns = account.answer_due_ns(market_id, now_ns)
        if answer_due_ns is not None:
            self._wake_at(token_id, answer_due_ns)
        return said

    def _refusal(self, token_id: str, view: View) -> str:
        """Why nothing may rest, from the desk's own point of view first."""
        if "rest" not in POSSIBLE[self.account.venue_state]:
            return f"venue is {self.account.venue_state}"
        if view.market.market_id in self._aside:
            return ASIDE
        reason = self.strategy.refusal(view)
        jumped_ns = self._kept(token_id).jumped_ns
        if reason or view.now_ns >= jumped_ns:
            return reason
        self._wake_at(token_id, jumped_ns)
        return f"mid moved by more than {format_e6(self.habits.max_mid_jump_e6)} within a second"

    def _merge(self, token_id: str, now_ns: int) -> Iterator[Message]:
        """Turn matched pairs of both outcomes back into dollars, as far as they are not offered for sale."""
        least = self.habits.merge_from_e6
        market, complement_id = self._quoted.get(token_id, (None, ""))
        if not least or market is None or not complement_id or self._closed or not self.account.may_command:
            return
        pairs = min(self.account.free_e6(market.market_id, held, now_ns) for held in (token_id, complement_id))
        if pairs >= least and pairs > 0:
            targets = Targets(reason=f"merge {format_e6(pairs)} pairs of both outcomes", expected_profit_e6=0)
            plan = self._plan(f'{{"pairs":"{format_e6(pairs)}"}}', targets, now_ns, intents=1)
            yield self.account.merge(market.market_id, (token_id, complement_id), pairs, plan, now_ns)

    def _plan(self, seen: str, targets: Targets, now_ns: int, intents: int) -> Decision:
        """A decision under its own name: the hash of who decided, when, on what and for what."""
        text = f"{self.account.session_id}|{self.strategy.name}|{now_ns}|{seen}|{targets}"
        return Decision(
            plan_id=hashlib.blake2b(text.encode(), digest_size=8).hexdigest(),
            strategy=self.strategy.name,
            reason=targets.reason,
            seen=seen,
            decided_ns=now_ns,
            expected_profit_e6=targets.expected_profit_e6,
            intents=intents,
            frame_ns=self._frame_ns,
        )

    def _commands(self, market: str, changes: Changes, decision: Decision, now_ns: int) -> list[Message]:
        """The commands of one decision, cancels first."""
        self.decisions += 1
        said: list[Message] = [self.account.cancel(order, decision, now_ns) for order in changes.cancels]
        said += [self.account.place(quote, market, decision, now_ns) for quote in changes.places]
        return said

    # --- inside ----------------------------------------------------------------------------------------------------

    def _portfolio_row(self, holding: Holding, now_ns: int) -> PortfolioRow:
        return portfolio_row(holding, self.account.mode, mark_e6(holding.token_id, self._books, self._markets), now_ns)

    def _quoted_of(self, token_id: str) -> str:
        """The token under which a market is quoted: itself, or the other outcome."""
        if token_id in self._quoted or token_id not in self._markets:
            return token_id
        return other_token(self._markets[token_id], token_id)

    def _kept(self, token_id: str) -> Quoting:
        """What is kept of a token, made where it is new."""
        quoting = self._quoting.get(token_id)
        if quoting is None:
            quoting = self._quoting[token_id] = Quoting()
        return quoting

    def _wake_at(self, token_id: str, due_ns: int) -> None:
        """One wake-up a token is kept; an earlier one replaces it."""
        quoting = self._kept(token_id)
        if quoting.wake_ns is None or due_ns < quoting.wake_ns:
            quoting.wake_ns = due_ns
            heapq.heappush(self._heap, (due_ns, token_id))


_NONE = Signals()
