"""What was signed and may have left: each intent is journalled before it is sent, and has at most one effect at the venue.

An intent is *prepared* (in the journal), *sent*, then *acknowledged* or *refused*; with no answer it is *unknown*. An unknown one is
looked up by the hash that its order has at the venue. It is sent again only as the identical body, which the venue takes once.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.messages.orders import TradeStatus
from pipeline.messages.records import OrderIntent
from pipeline.trading.orders import TRADE_TRANSITIONS

IntentState = Literal["prepared", "sent", "acknowledged", "refused", "unknown"]
IntentEvent = Literal["send", "acknowledge", "refuse", "lose"]

TRANSITIONS: dict[tuple[IntentState, IntentEvent], IntentState] = {
    ("prepared", "send"): "sent",
    ("prepared", "lose"): "unknown",
    ("prepared", "refuse"): "refused",
    ("sent", "acknowledge"): "acknowledged",
    ("sent", "refuse"): "refused",
    ("sent", "lose"): "unknown",
    ("unknown", "send"): "sent",
    ("unknown", "acknowledge"): "acknowledged",
    ("unknown", "refuse"): "refused",
    ("unknown", "lose"): "unknown",
    ("acknowledged", "acknowledge"): "acknowledged",
}
"""What is not in it changes nothing. ``refused`` is the end: whatever still turns up at the venue is cancelled there."""

LOOKS = 3
"""How often the venue must say that it does not know an order, before that is believed."""
FIRST_WAIT_NS = 250 * NS_PER_MS
LONGEST_WAIT_NS = 30 * NS_PER_S
RESENDS = 2
RESTING_NS = 10 * NS_PER_S
"""How long after its making an order that rests is still worth sending again; one that takes, until its command expires."""
REMEMBERED = 20_000
"""Intents, and fills, that are remembered after their end."""

KEPT = 2_000
"""Ended intents that a checkpoint holds: trades of theirs may still be told, or fail."""

Verdict = Literal["look", "resend", "give_up"]
EndKind = Literal["cancelled", "expired"]


@dataclass(frozen=True, slots=True)
class Ending:
    """How an order ended at the venue, with the shares that had traded by then, or the trades that belong to it.

    ``counted``: the venue itself said how many shares; otherwise it is what was heard so far.
    """

    kind: EndKind
    reason: str
    matched_e6: int = 0
    trade_ids: frozenset[str] = frozenset()
    counted: bool = False


@dataclass(slots=True, eq=False)
class Intent:
    """One order as far as the venue told of it.

    ``matched_e6`` counts the shares of all its trades, ``booked_e6`` those of trades that did not fail. ``wanted``: nobody asked to
    cancel it. ``told_e6``: the venue has said that so many are traded, and their trades are missing. ``told_end``: whoever holds the
    order knows that it is over; trades that came before may still be told.
    """

    record: OrderIntent
    state: IntentState = "prepared"
    wanted: bool = True
    sends: int = 0
    looks: int = 0
    missing: int = 0
    look_ns: int | None = None
    looking: bool = False
    cancel_ns: int | None = None
    cancelling: bool = False
    acknowledged_ns: int = 0
    told_e6: int = 0
    matched_e6: int = 0
    booked_e6: int = 0
    ending: Ending | None = None
    told_end: bool = False

    @property
    def name(self) -> str:
        return self.record.client_order_id

    @property
    def venue_order_id(self) -> str:
        return self.record.venue_order_id

    @property
    def is_open(self) -> bool:
        """The order may be, or come to be, at the venue as far as its owner knows."""
        return not self.told_end and self.state != "refused"

    @property
    def is_settled(self) -> bool:
        """What became of it is known: it is over, or rests at the venue."""
        return not self.is_open or (self.state == "acknowledged" and self.ending is None and not self.looking)

    def on(self, event: IntentEvent) -> bool:
        """Take an event; False, and nothing changes, if the table does not allow it."""
        state = TRANSITIONS.get((self.state, event))
        if state is None:
            return False
        self.state = state
        return True

    def look_at(self, due_ns: int) -> None:
        """Look the order up at ``due_ns``, or earlier if that was meant already."""
        self.look_ns = due_ns if self.look_ns is None else min(self.look_ns, due_ns)

    def look_later(self, now_ns: int) -> None:
        """Look again, after a wait that doubles."""
        self.look_ns = now_ns + min(FIRST_WAIT_NS << min(self.looks, 10), LONGEST_WAIT_NS)
        self.looks += 1

    def found(self) -> None:
        """The venue knows it: what was counted on the way is forgotten."""
        self.looks = self.missing = 0
        self.look_ns = None

    def not_found(self, now_ns: int) -> Verdict:
        """The venue said that it does not know the order. What to do, after it has said so often enough."""
        self.missing += 1
        if self.missing < LOOKS:
            return "look"
        if self.state == "unknown" and self.may_be_sent_again(now_ns):
            return "resend"
        return "give_up"

    def may_be_sent_again(self, now_ns: int) -> bool:
        """It is still wanted, and an effect now would be the one that was meant."""
        record = self.record
        until_ns = max(record.expires_ns, record.ts_ns + RESTING_NS) if record.post_only else record.expires_ns
        return self.wanted and self.sends <= RESENDS and now_ns <= until_ns and not self.matched_e6

    def has_all_trades(self, known: set[str]) -> bool:
        """The trades that led to the ending have been told."""
        ending = self.ending
        return ending is not None and self.matched_e6 >= ending.matched_e6 and ending.trade_ids <= known


class IntentLedger:
    """All intents by our id and by the venue's, and what is known of the status of each trade of each order."""

    def __init__(self) -> None:
        self._by_name: dict[str, Intent] = {}
        self._by_hash: dict[str, Intent] = {}
        self._open: dict[str, Intent] = {}
        self._trades: dict[tuple[str, str], TradeStatus] = {}
        self._unsettled: dict[tuple[str, str], int] = {}

    def prepare(self, record: OrderIntent) -> Intent:
        """Take an intent in. Raises ValueError for an id that another intent has: nothing may have two effects."""
        if record.client_order_id in self._by_name or record.venue_order_id in self._by_hash:
            raise ValueError(f"{record.client_order_id}: an intent of this id, or of this hash, exists already")
        intent = Intent(record)
        self._by_name[record.client_order_id] = self._by_hash[record.venue_order_id] = intent
        self._open[record.client_order_id] = intent
        return intent

    def named(self, client_order_id: str) -> Intent | None:
        """The intent of one of our ids."""
        return self._by_name.get(client_order_id)

    def hashed(self, venue_order_id: str) -> Intent | None:
        """The intent of an order at the venue."""
        return self._by_hash.get(venue_order_id)

    @property
    def hashes(self) -> Container[str]:
        """The orders at the venue that are ours."""
        return self._by_hash

    def live(self) -> Iterator[Intent]:
        """The intents whose orders may be at the venue or of which something is still asked, oldest first."""
        self._sweep()
        return iter(list(self._open.values()))

    def trade_ids(self, intent: Intent) -> set[str]:
        """The trades of an order that are known."""
        wanted = intent.ending.trade_ids if intent.ending is not None else frozenset[str]()
        return {trade_id for trade_id in wanted if (trade_id, intent.name) in self._trades}

    def trade(self, intent: Intent, trade_id: str, size_e6: int, status: TradeStatus, now_ns: int) -> Literal["", "new", "moved"]:
        """Enter what was told of a trade: whether it is ``new``, ``moved`` on to another status, or tells nothing ("")."""
        key = (trade_id, intent.name)
        known = self._trades.get(key)
        if known is not None and status not in TRADE_TRANSITIONS[known]:
            return ""
        self._trades[key] = status
        if status in ("confirmed", "failed"):
            self._unsettled.pop(key, None)
        else:
            self._unsettled.setdefault(key, now_ns)
        if known is None:
            intent.matched_e6 += size_e6
            intent.booked_e6 += size_e6 if status != "failed" else 0
            while len(self._trades) > REMEMBERED:
                del self._trades[next(iter(self._trades))]
            return "new" if status != "failed" else ""
        if status == "failed":
            intent.booked_e6 -= size_e6
        return "moved"

    def oldest_doubt_ns(self) -> int | None:
        """Since when something is not final: the first told trade that may still fail, or the oldest open intent."""
        times = [*self._unsettled.values(), *(intent.record.ts_ns for intent in self._open.values() if intent.is_open)]
        return min(times, default=None)

    def kept(self) -> tuple[OrderIntent, ...]:
        """What is to be remembered over a restart: the open ones whole, the newest of the others without their bodies."""
        ended = [intent.record for intent in self._by_name.values() if not intent.is_open][-KEPT:]
        bare = tuple(msgspec.structs.replace(record, body="") for record in ended)
        return (*bare, *(intent.record for intent in self._by_name.values() if intent.is_open))

    def _sweep(self) -> None:
        over = [
            name for name, intent in self._open.items() if not intent.is_open and intent.look_ns is None and not intent.looking
        ]
        for name in over:
            if self._open[name].cancel_ns is None and not self._open[name].cancelling:
                del self._open[name]
        while len(self._by_name) > REMEMBERED:
            name = next(iter(self._by_name))
            if name in self._open:
                return
            del self._by_hash[self._by_name.pop(name).venue_order_id]

    def watch(self, intent: Intent) -> None:
        """Something is asked of an intent that was over."""
        self._open[intent.name] = intent
