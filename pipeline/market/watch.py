"""The watch over a live feed: every sign of life goes in, and what is to be done about the missing ones comes out. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.base.units import NS_PER_S
from pipeline.market.liveness import Liveness, LivenessRules
from pipeline.market.remedy import Remedies
from pipeline.messages import Message
from pipeline.messages.control import FROZEN
from pipeline.messages.edges import SPOT_CHECK, FetchBooks, LinkEvent, Reconnect
from pipeline.messages.market import Market, MarketResolved, NewMarket, VenueBook, VenuePriceChange

STATUS_NS = 5 * NS_PER_S
"""How often the links say that they are up."""

ASLEEP_NS = NS_PER_S
"""Called so much later than it wanted, the watch itself was asleep: it judges nobody before what waits has been heard."""


class FeedWatch:
    """Liveness and remedies as the gateway uses them. Returned are requests to the gateway's edges."""

    def __init__(self, rules: LivenessRules) -> None:
        self.liveness = Liveness(rules)
        self.remedies = Remedies(self.liveness)
        self._rules = rules
        self._markets: dict[str, str] = {}
        self._status_ns: int | None = None
        self._awake_ns = 0
        self._counts = dict.fromkeys(("spot_checks_asked", "tokens_doubted", "links_given_up", "unfollowed"), 0)

    # --- what comes ------------------------------------------------------------------------------------------------

    def follow(self, token_ids: Sequence[str], markets: Iterable[Market], now_ns: int) -> None:
        """The tokens that are followed from here on."""
        self._markets = {}
        twins: dict[str, str] = {}
        for market in markets:
            self._markets.update(dict.fromkeys(market.token_ids, market.market_id))
            if len(market.token_ids) == 2:
                first, second = market.token_ids
                twins[first], twins[second] = second, first
        self.liveness.follow(token_ids, twins, now_ns)
        if self._status_ns is None:
            self._status_ns = now_ns + STATUS_NS

    def about_followed(self, found: list[Message]) -> list[Message]:
        """Without what is about tokens that nobody follows: nothing is kept of them, whatever a live feed names."""
        markets = self._markets
        kept = [
            msg
            for msg in found
            if msg.key in markets
            or type(msg) is NewMarket
            or (type(msg) is MarketResolved and any(token_id in markets for token_id in msg.token_ids))
        ]
        self._counts["unfollowed"] += len(found) - len(kept)
        return kept

    def frame(self, link_id: str, ts_ns: int, found: Sequence[Message], is_data: bool) -> None:
        """A frame came on a link, and what it says. ``is_data``: it is more than an answer to PING."""
        self.liveness.frame(link_id, ts_ns, is_data)
        for msg in found:
            if type(msg) is VenuePriceChange:
                self.liveness.change(msg.token_id, ts_ns)
            elif type(msg) is VenueBook:
                self.liveness.change(msg.token_id, ts_ns)
                self.remedies.book_came(msg.token_id, ts_ns)

    def link(self, event: LinkEvent) -> None:
        """A link changed its state."""
        if event.state == "up":
            self.liveness.link_up(event.link_id, event.token_ids, event.ts_ns)
        elif event.state in ("down", "closed"):
            self.liveness.link_down(event.link_id)
            self.remedies.link_down(event.link_id)

    def wanted(self, token_id: str, cause: str, now_ns: int) -> list[Message]:
        """A fresh book is wanted: what to ask of the websocket edge for it; nothing where the REST interface is to be asked."""
        if cause == FROZEN:
            return self.remedies.frozen(token_id, now_ns)
        return self.remedies.wanted(token_id, now_ns)

    # --- time ------------------------------------------------------------------------------------------------------

    def next_ns(self) -> int | None:
        """When ``on_timer`` has something to do next."""
        times = [self.liveness.next_ns(), self.remedies.next_ns(), self._status_ns]
        due_ns = min((at_ns for at_ns in times if at_ns is not None), default=None)
        return due_ns if due_ns is None or due_ns > self._awake_ns else self._awake_ns

    def on_timer(self, now_ns: int) -> list[Message]:
        """Spot checks whose turn it is or that a doubt asks for, and links to open again."""
        due_ns = self.next_ns()
        if due_ns is not None and now_ns - due_ns > ASLEEP_NS:
            self._awake_ns = now_ns + ASLEEP_NS
            return []
        out = self.remedies.overdue(now_ns)
        found = self.liveness.look(now_ns)
        for link_id, reason in found.dead:
            self._counts["links_given_up"] += 1
            out.append(Reconnect(ts_ns=now_ns, link_id=link_id, reason=reason))
        self._counts["tokens_doubted"] += len(found.doubted)
        wanted = dict.fromkeys([*found.doubted, *self.liveness.turns(now_ns)])
        tokens = list(wanted)
        for start in range(0, len(tokens), self._rules.per_request):
            chosen = tuple(tokens[start : start + self._rules.per_request])
            self._counts["spot_checks_asked"] += len(chosen)
            markets = tuple(self._markets.get(token_id, "") for token_id in chosen)
            out.append(FetchBooks(ts_ns=now_ns, token_ids=chosen, markets=markets, cause=SPOT_CHECK))
        return out

    def status_due(self, now_ns: int) -> bool:
        """Whether the links are to say now how they are; asked whenever time has passed."""
        if self._status_ns is None or now_ns < self._status_ns:
            return False
        self._status_ns = now_ns + STATUS_NS
        return True

    def counts(self) -> dict[str, int]:
        """Totals since the start."""
        done = self.remedies
        return {**self._counts, "tokens_resubscribed": done.resubscribed, "links_reopened": done.reconnected}
