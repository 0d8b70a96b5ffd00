"""One market on paper: the displayed book of both its tokens as one, and our orders in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pipeline.base.units import ONE_E6
from pipeline.market.confidence import SHOWN
from pipeline.messages.market import BookSnapshot, Level, State, TradePrint
from pipeline.trading.paper.displayed import Displayed, Reach
from pipeline.trading.paper.ladder import Change, Ladder
from pipeline.trading.paper.order import ASK, BID, Execution, PaperOrder, executed, oriented_e6
from pipeline.trading.paper.queue import FillModel, OwnLevel

HELD_TRADES = 1_000
NOTHING: Sequence[Execution] = ()


class PaperMarket(Displayed):
    """Match our orders against the books and trades of others. YES at p and NO at one minus p are one liquidity, never used twice.

    Nothing fills while a book is not one of the ``allowed`` states: trades wait while a book is PENDING, and are forgotten if it turns
    out to be wrong. Of two tokens the first one's book is followed, the other one's only where the first cannot be trusted.
    """

    def __init__(self, model: FillModel, allowed: frozenset[State]) -> None:
        super().__init__(model)
        self.allowed = allowed
        self.orders: dict[str, PaperOrder] = {}
        self._held: list[tuple[int, int, int, int]] = []

    # --- reading ---------------------------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether there is a book that may be traded on: one is allowed, and none waits for an explanation."""
        states = self.states
        return (states[0] in self.allowed or states[1] in self.allowed) and "PENDING" not in states

    @property
    def state(self) -> str:
        """The states of the books in words, for a refusal."""
        known = [state for state in self.states if state is not None]
        return " and ".join(dict.fromkeys(known)) if known else "unknown"

    def available_e6(self, order: PaperOrder) -> int:
        """The displayed shares that an order could take now, at its price or better, less what we took already."""
        return sum(size for _, size in self._takeable(order.side_at, order.at_e6))

    # --- the market of others --------------------------------------------------------------------------------------

    def on_book(self, book: BookSnapshot, outcome: int, now_ns: int) -> Sequence[Execution]:
        """A book changed: move the queues, and trade what it reaches. What meets none of our levels is only kept, until somebody reads."""
        ladder = self.ladders[outcome]
        if book.state != ladder.state or book.full_depth:
            return self._turned(book, outcome, now_ns)
        bids, asks, told = book.changed_bids, book.changed_asks, ladder.told
        ladder.newest, ladder.is_agreed = book, False
        told += (now_ns, book.venue_ns, bids, asks)
        if len(told) > ladder.limit:
            self._shorten(outcome)
        if not self.levels:
            return NOTHING
        if self._reach is not None:
            if outcome != self._followed:
                return NOTHING
            own_bids, own_asks, best_bid, best_ask = self._reach
            for level in bids:
                if level.price_e6 >= best_ask or level.price_e6 in own_bids:
                    break
            else:
                for level in asks:
                    if level.price_e6 <= best_bid or level.price_e6 in own_asks:
                        break
                else:
                    return NOTHING
        reach = self._reach
        if outcome == self._followed:
            self._touch(ladder, book, now_ns)
        if reach is not None and reach is self._reach and not _crosses(reach, bids, asks):
            return NOTHING
        return self._met(now_ns)

    def on_trade(self, trade: TradePrint, outcome: int, now_ns: int) -> list[Execution]:
        """Somebody traded: at our price it moves the queue, at a worse one it went through us."""
        at_e6 = oriented_e6(trade.price_e6, outcome)
        taken_side = ASK if (trade.side == "BUY") == (outcome == 0) else BID
        if self.is_ready:
            self._enter()
            return self._trade(taken_side, at_e6, trade.size_e6, now_ns, trade.venue_ns)
        if "PENDING" in self.states and len(self._held) < HELD_TRADES:
            self._held.append((taken_side, at_e6, trade.size_e6, trade.venue_ns))
        return []

    def forget(self, outcome: int) -> None:
        """A token's book is not known any more, until it comes again."""
        self._enter()
        self.states[outcome] = None
        self._doubt()
        if self._chosen() is None:
            self._followed = None
            self._held.clear()

    def adopt(self, ladder: Ladder, state: State | None) -> None:
        """Take in the book of the other token, which was kept alone until its market was known."""
        self._enter()
        self._doubt()
        self.ladders[1] = ladder.mirrored()
        self.states[1] = state

    # --- our orders ------------------------------------------------------------------------------------------------

    def take(self, order: PaperOrder) -> list[Execution]:
        """Trade at once against what is displayed, best price first, up to the order's price. It is remembered as taken."""
        done: list[Execution] = []
        other = 1 - order.side_at
        for price_e6, available_e6 in list(self._takeable(order.side_at, order.at_e6)):
            size_e6 = min(order.remaining_e6, available_e6)
            if not size_e6:
                break
            self._level(other, price_e6).taken_e6 += size_e6
            done.append(executed(order, price_e6, size_e6, "taker"))
        return done

    def rest(self, order: PaperOrder) -> None:
        """Join the back of a level."""
        self._enter()
        self._level(order.side_at, order.at_e6).join(order, self._flow.number, self._venue_ns)
        self.orders[order.name] = order
        self._reach = None

    def remove(self, name: str) -> PaperOrder | None:
        """Take an order out; None if it does not rest here."""
        order = self.orders.pop(name, None)
        if order is not None:
            level = self.levels[order.side_at, order.at_e6]
            level.orders.remove(order)
            self._forget(level)
            self._reach = None
        return order

    # --- inside ----------------------------------------------------------------------------------------------------

    def _turned(self, book: BookSnapshot, outcome: int, now_ns: int) -> Sequence[Execution]:
        """A whole book, or one under another state than before: which of the two is followed may change."""
        self._enter()
        ladder = self.ladders[outcome]
        self.states[outcome] = book.state
        changes: Iterable[Change] = ()
        if book.state in SHOWN:
            changes = ladder.take(book)
        else:
            ladder.is_agreed = True  # its last top is history
        followed = self._chosen()
        if followed is None:
            self._held.clear()
            self._followed = None
            self._doubt()
            return NOTHING
        if followed != self._followed:
            self._followed = followed
            self._follow(now_ns)
        elif followed == outcome:
            for side, price_e6, old_e6, new_e6 in changes:
                self._resize(side, price_e6, old_e6, new_e6, now_ns, book.venue_ns)
        for known, state in zip(self.ladders, self.states, strict=True):
            known.state = state if state in SHOWN else None
        return self._met(now_ns)

    def _met(self, now_ns: int) -> Sequence[Execution]:
        """What waited for a book that may be traded on, and what the book reaches."""
        done: Sequence[Execution] = NOTHING
        if (self.orders or self._held) and self.is_ready:
            done = [*self._release(now_ns), *self._crossed()]
        if self._reach is None and not done and self.levels:
            self._reach = self._reached_by()
        return done

    def _trade(self, side: int, price_e6: int, size_e6: int, now_ns: int, venue_ns: int) -> list[Execution]:
        """A taker of others took ``size_e6`` of ``side`` down to this price: our better orders first, then the queue."""
        done: list[Execution] = []
        better = [at for own, at in self.levels if own == side and (at > price_e6 if side == BID else at < price_e6)]
        levels = [self.levels[side, at] for at in sorted(better, reverse=side == BID)]
        own_level = self.levels.get((side, price_e6))
        for part in self._flow.traded(side, price_e6, size_e6, now_ns, venue_ns):
            left_e6 = part.size_e6
            for level in levels:
                swept = level.sweep(left_e6, part)
                left_e6 -= sum(execution.size_e6 for execution in swept)
                done += swept
            if own_level is not None and left_e6:
                done += own_level.trade(part, left_e6)
        for touched in (*levels, own_level):
            if touched is not None:
                self._forget(touched)
        self._clear(done)
        return done

    def _release(self, now_ns: int) -> Iterator[Execution]:
        """The trades that waited for their book."""
        held, self._held = self._held, []
        for side, price_e6, size_e6, venue_ns in held:
            yield from self._trade(side, price_e6, size_e6, now_ns, venue_ns)

    def _crossed(self) -> list[Execution]:
        """Orders of others that arrived at or through our price trade with ours, at our price, as far as they are displayed."""
        assert self._followed is not None
        bid_e6, ask_e6 = self.ladders[self._followed].tops
        reached = [
            level for (side, at), level in self.levels.items() if level.orders and (at >= ask_e6 if side == BID else at <= bid_e6)
        ]
        if not reached:
            return []
        self._settle()
        done: list[Execution] = []
        for level in sorted(reached, key=lambda level: -level.price_e6 if level.side == BID else level.price_e6):
            done += self._cross(level)
        self._clear(done)
        return done

    def _cross(self, level: OwnLevel) -> list[Execution]:
        done: list[Execution] = []
        for price_e6, available_e6 in list(self._takeable(level.side, level.price_e6)):
            swept = level.sweep(available_e6)
            if not swept:
                break
            self._level(1 - level.side, price_e6).taken_e6 += sum(execution.size_e6 for execution in swept)
            done += swept
        self._forget(level)
        return done

    def _takeable(self, side: int, limit_e6: int) -> Iterator[tuple[int, int]]:
        """(price, shares) that an order of ``side`` could take up to its limit, best first, less what we took."""
        ladder = self._settle()
        if ladder is None:
            return
        other = 1 - side
        best_e6 = ladder.tops[other]
        if 0 < best_e6 < ONE_E6 and (best_e6 > limit_e6 if side == BID else best_e6 < limit_e6):
            return
        for price_e6, shown_e6 in ladder.levels(other):
            if price_e6 > limit_e6 if side == BID else price_e6 < limit_e6:
                return
            level = self.levels.get((other, price_e6))
            available = shown_e6 if level is None else level.available_e6
            if available > 0:
                yield price_e6, available

    def _clear(self, done: Iterable[Execution]) -> None:
        for execution in done:
            self._reach = None
            if not execution.order.remaining_e6:
                self.orders.pop(execution.order.name, None)


def _crosses(reach: Reach, bids: Iterable[Level], asks: Iterable[Level]) -> bool:
    """Whether a changed level is one that trades with ours."""
    _, _, best_bid, best_ask = reach
    return any(level.price_e6 >= best_ask for level in bids) or any(level.price_e6 <= best_bid for level in asks)
