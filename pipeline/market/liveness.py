"""Whether the feed lives, and which tokens to look at: quiet is told from dead without stopping anybody. Pure: time is passed in.

Three signs, none of which is a verdict: nothing at all comes on a link; nothing but answers to PING does, far beyond its usual
rate; one token is silent far beyond its usual rate while others of its link, or its market's other outcome, speak. The first ends
the link. The others have the tokens compared with the venue's REST books at once; else every token's turn comes once in a period.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pipeline.base.settings import IngestionSection, VenueSection
from pipeline.base.units import NS_PER_MS, NS_PER_S

LOOK_NS = NS_PER_S
"""How often everything is looked at."""
SLICES = 12
"""A period's spot checks are spread over so many requests, if there are tokens enough."""
TWIN_NS = 2 * NS_PER_S
"""Both outcomes of a market change in one frame: one that lags so far behind the other is looked at."""
TOKEN_SILENCE_NS = 10 * NS_PER_S
TOKEN_FACTOR = 20
LINK_SILENCE_NS = 3 * NS_PER_S
LINK_FACTOR = 30
SIBLING_NS = 2 * NS_PER_S
"""Others speak if one of them did within this time."""
LONGEST_DOUBT_NS = 300 * NS_PER_S
SAMPLE_NS = 100 * NS_PER_MS
"""Messages nearer than this to the last one are one: a burst says nothing about how often a token speaks."""


@dataclass(frozen=True)
class LivenessRules:
    """``spot_check_ns``: every token is compared once in this time (0: never); ``per_request`` books are asked for at once;
    ``link_silence_ns``: a link from which nothing at all came for so long is dead.
    """

    spot_check_ns: int = 30 * NS_PER_S
    per_request: int = 100
    link_silence_ns: int = 30 * NS_PER_S

    @classmethod
    def from_settings(cls, ingestion: IngestionSection, venue: VenueSection) -> LivenessRules:
        """The rules that ``[ingestion]`` and ``[venue]`` set."""
        return cls(ingestion.spot_check_s * NS_PER_S, venue.books_per_request, venue.link_silence_ms * NS_PER_MS)


@dataclass(slots=True)
class Pulse:
    """How often something speaks: when last, and the usual time between two of its messages (0: not known yet)."""

    heard_ns: int
    gap_ns: int = 0
    doubt_ns: int = 0
    """The silence at which it is looked at next; doubled each time, back to the usual once it speaks."""

    def beat(self, now_ns: int) -> None:
        gap = now_ns - self.heard_ns
        if gap >= SAMPLE_NS:
            self.gap_ns += (gap - self.gap_ns) >> 3 if self.gap_ns else gap
            self.doubt_ns = 0
        self.heard_ns = now_ns

    def is_odd(self, now_ns: int, factor: int, least_ns: int) -> bool:
        """Silent far beyond its habit; said once, then not before the silence has doubled."""
        silent = now_ns - self.heard_ns
        if silent <= max(self.doubt_ns, least_ns) or (not self.doubt_ns and silent <= factor * self.gap_ns):
            return False
        self.doubt_ns = min(2 * silent, silent + LONGEST_DOUBT_NS)
        return True


@dataclass
class LinkPulse:
    """One connection. ``pulse`` counts what is about tokens, ``frame_ns`` is when anything at all came."""

    pulse: Pulse
    frame_ns: int
    token_ids: tuple[str, ...] = ()
    up_ns: int = 0
    answered: bool = False
    """Whether something about tokens has come since it is up."""
    ending: bool = False


@dataclass
class Findings:
    """What one look found: tokens to compare at once, and links to end with the reason."""

    doubted: list[str] = field(default_factory=list)
    dead: list[tuple[str, str]] = field(default_factory=list)


class Liveness:
    """All links and tokens of the feed."""

    def __init__(self, rules: LivenessRules) -> None:
        self.rules = rules
        self.links: dict[str, LinkPulse] = {}
        self._tokens: dict[str, Pulse] = {}
        self._twins: dict[str, str] = {}
        self._turns: list[str] = []
        self._next_turn = 0
        self._turn_ns: int | None = None
        self._soon: dict[str, list[int]] = {}
        self._look_ns: int | None = None

    # --- what is heard ---------------------------------------------------------------------------------------------

    def follow(self, token_ids: Iterable[str], twins: Mapping[str, str], now_ns: int) -> None:
        """The tokens that are followed from here on, and each one's other outcome."""
        old = self._tokens
        self._tokens = {token_id: old.get(token_id) or Pulse(now_ns) for token_id in token_ids}
        self._twins = {token_id: twin for token_id, twin in twins.items() if token_id in self._tokens and twin in self._tokens}
        self._turns = sorted(self._tokens)
        self._next_turn = 0
        if self._look_ns is None:
            self._look_ns = now_ns + LOOK_NS
        if self._turn_ns is None and self.rules.spot_check_ns:
            self._turn_ns = now_ns + self._slice_ns()

    def frame(self, link_id: str, ts_ns: int, about_tokens: bool) -> None:
        """A frame came on a link; an answer to PING is not ``about_tokens``."""
        link = self.links.get(link_id)
        if link is None:
            return
        link.frame_ns = ts_ns
        if about_tokens:
            link.answered = True
            link.pulse.beat(ts_ns)

    def change(self, token_id: str, ts_ns: int) -> None:
        """The feed told a token's book, or a change of it."""
        pulse = self._tokens.get(token_id)
        if pulse is not None:
            pulse.beat(ts_ns)

    def link_up(self, link_id: str, token_ids: tuple[str, ...], now_ns: int) -> None:
        """A link is open and carries these tokens. Said again when only its tokens change."""
        link = self.links.get(link_id)
        if link is None:
            self.links[link_id] = LinkPulse(Pulse(now_ns), now_ns, token_ids, now_ns)
        else:
            link.token_ids = token_ids

    def link_down(self, link_id: str) -> None:
        """A link is closed."""
        self.links.pop(link_id, None)

    def check_soon(self, token_id: str, at_ns: Iterable[int]) -> None:
        """Have a token compared at these times as well."""
        self._soon[token_id] = sorted(at_ns)

    def heard_ns(self, token_id: str) -> int:
        """When the feed last told something of a token's book; 0 for one that is not followed."""
        pulse = self._tokens.get(token_id)
        return 0 if pulse is None else pulse.heard_ns

    def links_of(self, token_id: str) -> list[str]:
        """The open links that carry a token."""
        return [link_id for link_id, link in self.links.items() if token_id in link.token_ids]

    # --- what follows ----------------------------------------------------------------------------------------------

    def next_ns(self) -> int | None:
        """When ``due`` or ``look`` has something to do next."""
        if self._turn_ns is None or self._look_ns is None:
            return self._look_ns
        return min(self._turn_ns, self._look_ns)

    def turns(self, now_ns: int) -> list[str]:
        """The tokens whose spot check is due: a slice of all, so that each has its turn once a period."""
        if self._turn_ns is None or now_ns < self._turn_ns:
            return []
        self._turn_ns = max(self._turn_ns + self._slice_ns(), now_ns)
        count = -(-len(self._turns) // self._slices())
        chosen = self._turns[self._next_turn : self._next_turn + count]
        self._next_turn += count
        if self._next_turn >= len(self._turns):
            self._next_turn = 0
        return chosen

    def look(self, now_ns: int) -> Findings:
        """Look at every link and token, at most once a second."""
        found = Findings()
        if self._look_ns is None or now_ns < self._look_ns:
            return found
        self._look_ns = now_ns + LOOK_NS
        speaking: set[str] = set()
        doubted: dict[str, None] = {}
        for link_id, link in self.links.items():
            if not link.ending:
                self._look_at_link(link_id, link, now_ns, found, doubted)
            if now_ns - link.pulse.heard_ns <= SIBLING_NS:
                speaking.update(link.token_ids)
        if self.rules.spot_check_ns:
            for token_id in self._tokens:
                if self._is_doubted(token_id, token_id in speaking, now_ns):
                    doubted[token_id] = None
            found.doubted = list(doubted)
        return found

    def _look_at_link(self, link_id: str, link: LinkPulse, now_ns: int, found: Findings, doubted: dict[str, None]) -> None:
        silent, silent_ms = now_ns - link.frame_ns, (now_ns - link.pulse.heard_ns) // NS_PER_MS
        if silent > self.rules.link_silence_ns:
            link.ending = True
            found.dead.append((link_id, f"silent for {silent // NS_PER_MS} ms"))
        elif not link.answered:
            if now_ns - link.up_ns > self.rules.link_silence_ns // 3:
                link.ending = True
                found.dead.append((link_id, f"no book came {(now_ns - link.up_ns) // NS_PER_MS} ms after the subscription"))
        elif link.pulse.is_odd(now_ns, LINK_FACTOR, LINK_SILENCE_NS):
            if self._told_elsewhere(link, now_ns):
                link.ending = True
                found.dead.append((link_id, f"nothing came for {silent_ms} ms while another link tells of the same tokens"))
                return
            busiest = sorted(link.token_ids, key=lambda token_id: self._habit_ns(token_id))
            doubted.update(dict.fromkeys(busiest[: self.rules.per_request]))

    def _told_elsewhere(self, link: LinkPulse, now_ns: int) -> bool:
        """Whether another link that carries the same tokens speaks."""
        return any(
            other is not link and other.token_ids == link.token_ids and now_ns - other.pulse.heard_ns <= SIBLING_NS
            for other in self.links.values()
        )

    def _is_doubted(self, token_id: str, speaking: bool, now_ns: int) -> bool:
        soon = self._soon.get(token_id)
        if soon and soon[0] <= now_ns:
            del soon[0]
            if not soon:
                del self._soon[token_id]
            return True
        if not speaking:
            return False
        pulse = self._tokens[token_id]
        twin = self._tokens.get(self._twins.get(token_id, ""))
        if twin is not None and twin.heard_ns - pulse.heard_ns > TWIN_NS:
            return pulse.is_odd(now_ns, 0, TWIN_NS)
        return pulse.gap_ns > 0 and pulse.is_odd(now_ns, TOKEN_FACTOR, TOKEN_SILENCE_NS)

    def _habit_ns(self, token_id: str) -> int:
        pulse = self._tokens.get(token_id)
        return pulse.gap_ns if pulse is not None and pulse.gap_ns else LONGEST_DOUBT_NS

    def _slices(self) -> int:
        count = len(self._turns)
        return max(1, -(-count // self.rules.per_request), min(count, SLICES))

    def _slice_ns(self) -> int:
        return max(self.rules.spot_check_ns // self._slices(), NS_PER_S // 10)
