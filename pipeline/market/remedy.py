"""What is done about a token that the feed does not tell the truth about: subscribe to it again first, open its link again second.

A token that froze again soon after its subscription was renewed, or whose renewed subscription was not answered, costs its whole link;
that is done ever more rarely while it does not help, as it disturbs every other token of the link.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.base.units import NS_PER_S
from pipeline.market.liveness import Liveness
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


@dataclass
class _Case:
    """A token's last renewal: when, on which link, and whether a book answered it."""

    renewed_ns: int
    link_id: str
    answered: bool = False


@dataclass
class _Reopened:
    at_ns: int
    wait_ns: int


class Remedies:
    """The tokens under treatment."""

    def __init__(self, liveness: Liveness) -> None:
        self._liveness = liveness
        self._cases: dict[str, _Case] = {}
        self._open: dict[str, _Case] = {}
        self._reopened: dict[str, _Reopened] = {}
        self.resubscribed = self.reconnected = 0

    def frozen(self, token_id: str, now_ns: int) -> list[Message]:
        """The feed is behind the venue about a token: what to ask of the websocket edge."""
        links = self._liveness.links_of(token_id)
        if not links or token_id in self._open:
            return []
        link_id = links[0]
        if (
            any(case.link_id == link_id for case in self._open.values())
            and self._liveness.heard_ns(token_id) < now_ns - ANSWER_NS
        ):
            return []  # the link is being tested already; whoever asks again gets its turn
        case = self._cases.get(token_id)
        if case is not None and now_ns - case.renewed_ns < RELAPSE_NS and case.link_id == link_id:
            reopened = self._reconnect(link_id, f"token {token_id} froze again", now_ns)
            if reopened:
                self._cases.pop(token_id)
                return reopened
        self._cases[token_id] = self._open[token_id] = _Case(now_ns, link_id)
        self.resubscribed += 1
        return [Resubscribe(ts_ns=now_ns, token_ids=(token_id,), link_id=link_id)]

    def book_came(self, token_id: str, now_ns: int) -> None:
        """The feed sent a whole book."""
        case = self._open.pop(token_id, None)
        if case is not None:
            case.answered = True
            self._liveness.check_soon(token_id, (now_ns + wait_s * NS_PER_S for wait_s in AGAIN_S))

    def link_down(self, link_id: str) -> None:
        """A link was lost: its tokens are subscribed to afresh when it opens."""
        for token_id in [token_id for token_id, case in self._open.items() if case.link_id == link_id]:
            del self._open[token_id]

    def next_ns(self) -> int | None:
        """When ``overdue`` has something next."""
        return min(case.renewed_ns for case in self._open.values()) + ANSWER_NS if self._open else None

    def overdue(self, now_ns: int) -> list[Message]:
        """Links that did not answer a renewed subscription are opened again."""
        out: list[Message] = []
        for token_id, case in list(self._open.items()):
            if now_ns - case.renewed_ns >= ANSWER_NS:
                del self._open[token_id]
                out += self._reconnect(case.link_id, f"no book of {token_id} came after its subscription was renewed", now_ns)
        return out

    def _reconnect(self, link_id: str, reason: str, now_ns: int) -> list[Message]:
        """Open a link again, unless that was done too lately."""
        last = self._reopened.get(link_id)
        if last is not None and now_ns - last.at_ns < last.wait_ns:
            return []
        calm = last is None or now_ns - last.at_ns > 4 * last.wait_ns
        wait_ns = FIRST_WAIT_NS if calm or last is None else min(2 * last.wait_ns, LONGEST_WAIT_NS)
        self._reopened[link_id] = _Reopened(now_ns, wait_ns)
        self.reconnected += 1
        link = self._liveness.links.get(link_id)
        if link is not None:
            link.ending = True
        return [Reconnect(ts_ns=now_ns, link_id=link_id, reason=reason)]
