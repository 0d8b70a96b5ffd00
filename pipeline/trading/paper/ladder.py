"""The displayed sizes of one token, at every depth that was ever told. What a book tells is kept, and entered when somebody reads."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from pipeline.base.units import ONE_E6, same_price_e6
from pipeline.messages.market import BookSnapshot, Level, State
from pipeline.trading.paper.order import BID
from pipeline.trading.paper.queue import Fall
from pipeline.trading.policy import tops_of

Change = tuple[int, int, int, int]
"""(side, price, size before, size after): one level of a book that changed, as the market's first token shows it."""
Entry = tuple[int, int, list[Change]]
"""(when we were told, the venue's time, the levels that are different since)."""

IN_TOLD = 4
"""``told`` holds so many things of each book: when we were told, the venue's time, the changed bids and the changed asks."""
LEAST_TOLD = 16 * IN_TOLD


class Ladder:
    """Sizes by price, a dict a side. Whole with the first full book, then kept by the changed levels of each snapshot.

    Inside, sides and prices are the token's own; what is asked and told is in the orientation of the market's first token. A level that
    is gone may be kept with size 0. ``state`` is the state under which a further book of this token may simply be appended to ``told``,
    None if there is none; ``limit`` is how long ``told`` may grow. The top that each snapshot states is compared only when somebody asks
    (``settle``): it differs only where a message was lost. Of the snapshots only the newest is kept.
    """

    __slots__ = ("_sizes", "is_agreed", "limit", "newest", "outcome", "state", "told")

    def __init__(self, outcome: int = 0) -> None:
        self.outcome = outcome
        self.newest: BookSnapshot | None = None
        self.is_agreed = True
        self.state: State | None = None
        self.told: list[int | tuple[Level, ...]] = []
        self.limit = LEAST_TOLD
        self._sizes: tuple[dict[int, int], dict[int, int]] = ({}, {})

    # --- reading: of what has been entered ----------------------------------------------------------------------------

    @property
    def tick_e6(self) -> int:
        """The price grid; 0 before any book."""
        return 0 if self.newest is None else self.newest.tick_size_e6

    @property
    def venue_ns(self) -> int:
        """The venue's time of the newest book; 0 before any."""
        return 0 if self.newest is None else self.newest.venue_ns

    @property
    def tops(self) -> tuple[int, int]:
        """The best bid and the best ask that the newest book states; 0 and 1 for an empty side."""
        book = self.newest
        if book is None:
            return (0, ONE_E6)
        bid_e6, ask_e6 = tops_of(book)
        return (ONE_E6 - ask_e6, ONE_E6 - bid_e6) if self.outcome else (bid_e6, ask_e6)

    @property
    def sizes(self) -> tuple[dict[int, int], dict[int, int]]:
        """The sizes by price of the bids and of the asks."""
        bids, asks = (dict(self.levels(side)) for side in (0, 1))
        return bids, asks

    def size(self, side: int, price_e6: int) -> int:
        """Shares displayed at a price; 0 if none."""
        if self.outcome:
            return self._sizes[1 - side].get(ONE_E6 - price_e6, 0)
        return self._sizes[side].get(price_e6, 0)

    def levels(self, side: int) -> list[tuple[int, int]]:
        """(price, shares) of a side, best first."""
        own = self._sizes[side ^ self.outcome]
        found = sorted([level for level in own.items() if level[1]], reverse=(side ^ self.outcome) == BID)
        return [(ONE_E6 - price, size) for price, size in found] if self.outcome else found

    @property
    def first_ns(self) -> int:
        """When we were told the first of ``told``."""
        return self.told[0]  # type: ignore[return-value]

    @property
    def last_ns(self) -> int:
        """When we were told the last of ``told``."""
        return self.told[-IN_TOLD]  # type: ignore[return-value]

    # --- entering -----------------------------------------------------------------------------------------------------

    def take(self, book: BookSnapshot) -> list[Change]:
        """Follow a snapshot at once; the levels that are different now. Nothing may be left in ``told``."""
        self.newest, self.is_agreed = book, book.full_depth
        changes: list[Change] = []
        if book.full_depth:
            self.newest = book.cut_to(1)
            self._replace(0, book.bids, changes)
            self._replace(1, book.asks, changes)
        else:
            self._apply(0, book.changed_bids, changes)
            self._apply(1, book.changed_asks, changes)
        return changes

    def enter(self) -> Iterator[Entry]:
        """Enter what was told, book by book; what each changed."""
        told, self.told, self.limit = self.told, [], LEAST_TOLD
        for at in range(0, len(told), IN_TOLD):
            now_ns, venue_ns, bids, asks = told[at : at + IN_TOLD]
            changes: list[Change] = []
            if bids:
                self._apply(0, bids, changes)  # type: ignore[arg-type]
            if asks:
                self._apply(1, asks, changes)  # type: ignore[arg-type]
            yield now_ns, venue_ns, changes  # type: ignore[misc]

    def enter_falls(self) -> list[Fall]:
        """Enter what was told; what went down."""
        told, self.told, self.limit = self.told, [], LEAST_TOLD
        outcome, (own_bids, own_asks) = self.outcome, self._sizes
        falls: list[Fall] = []
        each: Iterator[Any] = iter(told)
        for now_ns, venue_ns, bids, asks in zip(each, each, each, each, strict=True):
            for level in bids:
                price, new = level.price_e6, level.size_e6
                fell = own_bids.get(price, 0) - new
                own_bids[price] = new
                if fell > 0:
                    falls.append((now_ns, venue_ns, outcome, ONE_E6 - price if outcome else price, fell))
            for level in asks:
                price, new = level.price_e6, level.size_e6
                fell = own_asks.get(price, 0) - new
                own_asks[price] = new
                if fell > 0:
                    falls.append((now_ns, venue_ns, 1 - outcome, ONE_E6 - price if outcome else price, fell))
        return falls

    def put(self, own_side: int, level: Level) -> None:
        """Enter one changed level at once, of which nothing is left in ``told``."""
        self._sizes[own_side][level.price_e6] = level.size_e6

    def pass_over(self, before_ns: int | None = None) -> None:
        """Enter what was told before ``before_ns`` (None: all) where nobody asks what it changed."""
        told = self.told
        count = len(told)
        if before_ns is not None:
            count = bisect_left(told[::IN_TOLD], before_ns) * IN_TOLD
        if count:
            for own_side, sizes in enumerate(self._sizes):
                changed: Iterable[Level] = chain.from_iterable(told[own_side + 2 : count : IN_TOLD])  # type: ignore[arg-type]
                for level in changed:
                    sizes[level.price_e6] = level.size_e6
            self._purge()
            del told[:count]
        self.limit = 2 * len(told) + LEAST_TOLD

    def settle(self) -> list[Change]:
        """Agree with the top that the newest book states; the levels that were different. Nothing may be left in ``told``."""
        changes: list[Change] = []
        if not self.is_agreed and self.newest is not None:
            self._agree(0, self.newest.bids, changes)
            self._agree(1, self.newest.asks, changes)
        self.is_agreed = True
        return changes

    def mirrored(self) -> Ladder:
        """The same token's levels, now that it is known to be the other one of its market."""
        self.pass_over()
        self.settle()
        other = Ladder(1 - self.outcome)
        bids, asks = self._sizes
        other._sizes = (dict(bids), dict(asks))
        other.newest = self.newest
        return other

    # --- inside -------------------------------------------------------------------------------------------------------

    def _apply(self, own_side: int, levels: Iterable[Level], changes: list[Change]) -> None:
        sizes, outcome = self._sizes[own_side], self.outcome
        for level in levels:
            price, new = level.price_e6, level.size_e6
            old = sizes.get(price, 0)
            if new != old:
                sizes[price] = new
                changes.append((own_side ^ outcome, ONE_E6 - price if outcome else price, old, new))

    def _replace(self, own_side: int, levels: Sequence[Level], changes: list[Change]) -> None:
        stated = {level.price_e6 for level in levels}
        self._apply(own_side, levels, changes)
        sizes = self._sizes[own_side]
        self._remove(own_side, [price for price in sizes if price not in stated], changes)
        kept = [(same_price_e6(price), size) for price, size in sizes.items()]
        sizes.clear()
        sizes.update(kept)

    def _agree(self, own_side: int, levels: Sequence[Level], changes: list[Change]) -> None:
        """A stated top is exact down to its last level."""
        self._apply(own_side, levels, changes)
        if not levels:
            return
        stated = {level.price_e6 for level in levels}
        if own_side == BID:
            worst = min(stated)
            beyond = [price for price in self._sizes[own_side] if price > worst and price not in stated]
        else:
            worst = max(stated)
            beyond = [price for price in self._sizes[own_side] if price < worst and price not in stated]
        self._remove(own_side, beyond, changes)

    def _remove(self, own_side: int, prices: Iterable[int], changes: list[Change]) -> None:
        sizes, outcome = self._sizes[own_side], self.outcome
        for price in prices:
            old = sizes.pop(price)
            if old:
                changes.append((own_side ^ outcome, ONE_E6 - price if outcome else price, old, 0))

    def _purge(self) -> None:
        """Forget levels that are gone, once they may be the most."""
        for sizes in self._sizes:
            if len(sizes) > 256 and 2 * sum(map(bool, sizes.values())) < len(sizes):
                kept = {price: size for price, size in sizes.items() if size}
                sizes.clear()
                sizes.update(kept)
