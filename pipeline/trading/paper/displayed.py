"""What is displayed of one market, and our own levels in it. What is kept until somebody asks reads as if it had been entered at once."""

from __future__ import annotations

from pipeline.base.units import ONE_E6
from pipeline.market.confidence import SHOWN
from pipeline.messages.market import BookSnapshot, Level, State
from pipeline.trading.paper.ladder import IN_TOLD, Ladder
from pipeline.trading.paper.order import ASK, BID, oriented_e6
from pipeline.trading.paper.queue import TRADE_LAG_NS, FillModel, Flow, OwnLevel

Reach = tuple[frozenset[int], frozenset[int], int, int]
"""As the followed book shows them: the prices of our levels among its bids and among its asks, then the best of our bids and the best of
our asks, which an ask or a bid of others reaches (below 0 and above 1 where we rest none)."""


class Displayed:
    """The books of both tokens as one, of which one is followed; and our levels, in the orientation of the first token.

    What a followed book changes of our levels is entered at once. The rest waits in its ladder until somebody reads, and what waits for
    longer than trades are told late is entered without a look at what went down.
    """

    def __init__(self, model: FillModel) -> None:
        self.model: FillModel = model
        self.ladders = [Ladder(0), Ladder(1)]
        self.states: list[State | None] = [None, None]
        self.levels: dict[tuple[int, int], OwnLevel] = {}
        self._followed: int | None = None
        self._reach: Reach | None = None
        """None where our levels, or what reaches them, have changed since it was worked out."""
        self._flow = Flow()

    @property
    def tick_e6(self) -> int:
        """The price grid that the followed book states; 0 before any."""
        return self.ladders[self._followed].tick_e6 if self._followed is not None else 0

    @property
    def _venue_ns(self) -> int:
        """The venue's time of the followed book."""
        return self.ladders[self._followed].venue_ns if self._followed is not None else 0

    # --- which book ------------------------------------------------------------------------------------------------

    def _chosen(self) -> int | None:
        """The token whose book is followed: the first one that shows what it holds."""
        if self.states[0] in SHOWN:
            return 0
        return 1 if self.states[1] in SHOWN else None

    def _doubt(self) -> None:
        """The next book of either token is looked at whole."""
        self._reach = None
        for ladder in self.ladders:
            ladder.state = None

    def _follow(self, now_ns: int) -> None:
        """Another book is followed: every level of ours takes its size."""
        assert self._followed is not None
        self._reach = None
        ladder = self.ladders[self._followed]
        ladder.settle()
        for level in list(self.levels.values()):
            new_e6 = ladder.size(level.side, level.price_e6)
            if new_e6 != level.shown_e6:
                self._resize(level.side, level.price_e6, level.shown_e6, new_e6, now_ns, ladder.venue_ns)

    # --- entering --------------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        """Enter what the books have told since somebody read. Of the followed one, each drop that a trade may still explain is kept."""
        for outcome, ladder in enumerate(self.ladders):
            if not ladder.told:
                continue
            if outcome != self._followed:
                ladder.pass_over()
                continue
            if not self._flow.awaits_drops(ladder.first_ns):
                # What changed of our levels was entered at once.
                last_ns = ladder.last_ns
                ladder.pass_over(last_ns - TRADE_LAG_NS)
                self._flow.note(ladder.enter_falls(), last_ns)
                continue
            for now_ns, venue_ns, changes in ladder.enter():
                for side, price_e6, old_e6, new_e6 in changes:
                    self._resize(side, price_e6, old_e6, new_e6, now_ns, venue_ns)

    def _touch(self, ladder: Ladder, book: BookSnapshot, now_ns: int) -> None:
        """Enter at once what the newest of the followed books changed of our levels; the rest of it waits like the others."""
        if self._flow.awaits_drops(ladder.first_ns):
            self._enter()
            return
        others: list[tuple[Level, ...]] = []
        outcome = ladder.outcome
        for own_side, changed in ((BID, book.changed_bids), (ASK, book.changed_asks)):
            waits: list[Level] = []
            side = own_side ^ outcome
            for shown in changed:
                price_e6 = ONE_E6 - shown.price_e6 if outcome else shown.price_e6
                level = self.levels.get((side, price_e6))
                if level is None:
                    waits.append(shown)
                    continue
                ladder.put(own_side, shown)
                if shown.size_e6 != level.shown_e6:
                    self._resize(side, price_e6, level.shown_e6, shown.size_e6, now_ns, book.venue_ns)
            others.append(tuple(waits) if waits else ())
        if others == [(), ()]:
            del ladder.told[-IN_TOLD:]
        else:
            ladder.told[-2:] = others

    def _shorten(self, outcome: int) -> None:
        """Enter what nobody will ask for: of the followed book what no trade explains any more."""
        ladder = self.ladders[outcome]
        if outcome != self._followed:
            ladder.pass_over()
        elif not self._flow.awaits_drops(ladder.first_ns):
            ladder.pass_over(ladder.last_ns - TRADE_LAG_NS)
        else:
            ladder.limit = 2 * len(ladder.told)

    def _settle(self) -> Ladder | None:
        """The followed ladder, agreed with the top that its book stated last; our levels with it."""
        if self._followed is None:
            return None
        self._enter()
        ladder = self.ladders[self._followed]
        for side, price_e6, _, new_e6 in ladder.settle():
            level = self.levels.get((side, price_e6))
            if level is not None:
                level.correct(new_e6)
                self._forget(level)
        return ladder

    # --- our levels ------------------------------------------------------------------------------------------------

    def _resize(self, side: int, price_e6: int, old_e6: int, new_e6: int, now_ns: int, venue_ns: int) -> None:
        drop = self._flow.fell(side, price_e6, old_e6 - new_e6, now_ns, venue_ns) if new_e6 < old_e6 else None
        level = self.levels.get((side, price_e6))
        if level is not None:
            level.resize(new_e6, drop, self.model)
            self._forget(level)

    def _level(self, side: int, price_e6: int) -> OwnLevel:
        """A level of ours, made with the displayed size if there is none."""
        level = self.levels.get((side, price_e6))
        if level is None:
            ladder = self._settle()
            shown_e6 = 0 if ladder is None else ladder.size(side, price_e6)
            level = self.levels[side, price_e6] = OwnLevel(side, price_e6, shown_e6)
            self._reach = None
        return level

    def _forget(self, level: OwnLevel) -> None:
        if level.is_idle and self.levels.pop((level.side, level.price_e6), None) is not None:
            self._reach = None

    def _reached_by(self) -> Reach:
        """What of the followed book concerns our levels."""
        followed = self._followed or 0
        prices: tuple[set[int], set[int]] = (set(), set())
        best = [-1, ONE_E6 + 1]
        for level in self.levels.values():
            own_side, price_e6 = level.side ^ followed, oriented_e6(level.price_e6, followed)
            prices[own_side].add(price_e6)
            if level.orders:
                best[own_side] = max(best[BID], price_e6) if own_side == BID else min(best[ASK], price_e6)
        return frozenset(prices[BID]), frozenset(prices[ASK]), best[BID], best[ASK]
