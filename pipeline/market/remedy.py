"""What is done about a token that the feed does not tell the truth about: subscribe to it again first, open its link again second.

A token that froze again soon after its subscription was renewed, or whose renewed subscription was not answered, costs its whole link;
that is done ever more rarely while it does not help, as it disturbs every other token of the link.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.units import NS_PER_S
from pipeline.market.liveness import LINK_SILENCE_NS, Liveness
from pipeline.messages import Message
from pipeline.messages.edges import Reconnect, Resubscribe

ANSWER_NS = 3 * NS_PER_S
"""A renewed subscription is answered by a list frame within this time."""
RELAPSE_NS = 60 * NS_PER_S
"""A token that freezes again within this time after it was renewed has not been healed by it."""
AGAIN_S = (3, 8, 18, 40)
"""When a renewed token is compared with the venue again, in seconds."""
FIRST_WAIT_NS = 30 * NS_PER_S
LONGEST_WAIT_NS = 1_800 * NS_PER_S
UNHEALED = 3
"""So many requests for a book in a row that brought none that heals: the feed is asked for one instead."""


@dataclass
class _Case:
    """A token's last renewal: when, and on which link."""

    renewed_ns: int
    link_id: str


@dataclass
class _Reopened:
    """When a link was opened again last, and how long nobody may do it again."""

    at_ns: int
    wait_ns: int


class Remedies:
    """The tokens under treatment."""

    def __init__(self, liveness: Liveness) -> None:
        self._liveness = liveness
        self._cases: dict[str, _Case] = {}
        self._open: dict[str, _Case] = {}
        self._reopened: dict[str, _Reopened] = {}
        self._asked: dict[str, tuple[int, int]] = {}
        self.resubscribed = self.reconnected = 0

    def frozen(self, token_id: str, now_ns: int) -> list[Message]:
        """The feed is behind the venue about a token: what to ask of the websocket edge."""
        links = self._liveness.links_of(token_id)
        if not links or token_id in self._open:
            return []
        link_id = links[0]
        link = self._liveness.links[link_id]
        silent = now_ns - link.pulse.heard_ns > LINK_SILENCE_NS
        if silent and any(case.link_id == link_id for case in self._open.values()):
            return self._reconnect(link_id, "several tokens are frozen and nothing comes", now_ns)
        case = self._cases.get(token_id)
        if case is not None and now_ns - case.renewed_ns < RELAPSE_NS and case.link_id == link_id:
            reopened = self._reconnect(link_id, f"token {token_id} froze again", now_ns)
            if reopened:
                return reopened
        return self._renew(token_id, link_id, now_ns)

    def wanted(self, token_id: str, now_ns: int) -> list[Message]:
        """A book is wanted and the REST interface is about to be asked; once that has failed too often, the feed is asked."""
        count, since_ns = self._asked.get(token_id, (0, now_ns))
        if now_ns - since_ns > RELAPSE_NS:
            count, since_ns = 0, now_ns
        self._asked[token_id] = (count + 1, since_ns)
        if (count + 1) % UNHEALED or token_id in self._open:
            return []
        links = self._liveness.links_of(token_id)
        return self._renew(token_id, links[0], now_ns) if links else []

    def book_came(self, token_id: str, now_ns: int) -> None:
        """The feed sent a whole book."""
        self._asked.pop(token_id, None)
        if self._open.pop(token_id, None) is not None:
            self._liveness.check_soon(token_id, (now_ns + wait_s * NS_PER_S for wait_s in AGAIN_S))

    def link_down(self, link_id: str) -> None:
        """A link was lost: its tokens are subscribed to afresh when it opens."""
        for token_id in [token_id for token_id, case in self._open.items() if case.link_id == link_id]:
            del self._open[token_id]
        for token_id in [token_id for token_id, case in self._cases.items() if case.link_id == link_id]:
            del self._cases[token_id]

    def next_ns(self) -> int | None:
        """When ``overdue`` has something next."""
        return next(iter(self._open.values())).renewed_ns + ANSWER_NS if self._open else None

    def overdue(self, now_ns: int) -> list[Message]:
        """Links that did not answer a renewed subscription are opened again."""
        out: list[Message] = []
        for token_id, case in list(self._open.items()):
            if now_ns - case.renewed_ns >= ANSWER_NS:
                del self._open[token_id]
                out += self._reconnect(case.link_id, f"no book of {token_id} came after its subscription was renewed", now_ns)
        return out

    def _renew(self, token_id: str, link_id: str, now_ns: int) -> list[Message]:
        self._cases[token_id] = self._open[token_id] = _Case(now_ns, link_id)
        self.resubscribed += 1
        links = [link_id, *(other for other in self._liveness.links_of(token_id) if other != link_id)]
        return [Resubscribe(ts_ns=now_ns, token_ids=(token_id,), link_id=name) for name in links]

    def _reconnect(self, link_id: str, reason: str, now_ns: int) -> list[Message]:
        """Open a link again, unless that was done too lately."""
        link, last = self._liveness.links.get(link_id), self._reopened.get(link_id)
        if link is None or link.ending or (last is not None and now_ns - last.at_ns < last.wait_ns):
            return []
        calm = last is None or now_ns - last.at_ns > 4 * last.wait_ns
        wait_ns = FIRST_WAIT_NS if calm or last is None else min(2 * last.wait_ns, LONGEST_WAIT_NS)
        self._reopened[link_id] = _Reopened(now_ns, wait_ns)
        self.reconnected += 1
        link.ending = True
        return [Reconnect(ts_ns=now_ns, link_id=link_id, reason=reason)]
