"""Several recordings as one, by the time of receipt.

Lines that two of them have from the same recorder are kept once. Links of different recorders that ran at the same time get names of
their own: what they tell twice is made one feed by whoever reads it, as live.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import msgspec

from pipeline.base.errors import BadInput
from pipeline.messages.market import Market
from pipeline.recording.checking import counted_of
from pipeline.recording.index import Index, read_index
from pipeline.recording.lines import Line, encode_line
from pipeline.recording.markets import RecordedMarkets
from pipeline.recording.reader import Recording

Numbered = tuple[int, int, int, Line]
"""(time that never steps back, part, number in the part, line)"""


@dataclass(eq=False)
class Part:
    """One of the recordings. It covers ``from_ns`` to ``to_ns``, for ``market_ids`` only where there are any."""

    recording: Recording
    index: Index
    from_ns: int
    to_ns: int
    last_ns: int
    market_ids: frozenset[str]
    renamed: dict[str, str] = field(default_factory=dict)
    links: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, recording: Recording) -> Part:
        """What a recording covers, by its index or by reading it. Raises BadInput if it has no line."""
        index = read_index(recording.path)
        spans = []
        for path in recording.segments:
            known = index.of(path.name.partition(".")[0])
            counted = counted_of(path) if known is None else known
            if counted.last_ns:
                spans.append((counted.first_ns, counted.last_ns))
        if not spans:
            raise BadInput(f"{recording.path}: holds no line; leave it out")
        first_ns, last_ns = min(first for first, _ in spans), max(last for _, last in spans)
        cut = index.made[-1] if index.made and index.made[-1].by == "cut" else None
        to_ns = max(last_ns, cut.to_ns) if cut else last_ns
        return cls(recording, index, first_ns, to_ns, last_ns, frozenset(cut.market_ids if cut else ()))

    def is_kin(self, other: Part) -> bool:
        """Whether both have lines of one recorder."""
        return not frozenset(self.index.origins).isdisjoint(other.index.origins)

    def covers(self, at_ns: int, market_ids: frozenset[str]) -> bool:
        """Whether its lines up to a moment are whole, for these markets (none: all)."""
        whole = not self.market_ids or (bool(market_ids) and market_ids <= self.market_ids)
        return whole and self.from_ns <= at_ns <= self.to_ns


class Merge:
    """The lines of several recordings in the order of their receipt. ``dropped`` counts those that were there twice."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = sorted(parts, key=lambda part: part.from_ns)
        self.dropped = 0
        self.renamed: list[str] = []
        self._up: list[dict[str, tuple[str, ...]]] = [{} for _ in self.parts]
        self._name_links()

    def recorded(self) -> RecordedMarkets:
        """Their markets together; of one that several know, the latest word. Raises BadInput for recordings of different venues."""
        venues: dict[str, Part] = {}
        known: dict[str, Market] = {}
        for part in sorted(self.parts, key=lambda part: part.last_ns):
            if part.recording.venue:
                venues.setdefault(part.recording.venue, part)
            known |= {market.market_id: market for market in part.recording.markets}
        if len(venues) > 1:
            (first, one), (second, other) = list(venues.items())[:2]
            raise BadInput(
                f"{other.recording.path}: of venue {second}, and {one.recording.path} is of {first}; merge recordings of one venue"
            )
        source = next((part.recording.source for part in self.parts if part.recording.source), "")
        return RecordedMarkets(venue=next(iter(venues), ""), markets=tuple(known.values()), source=source)

    def lines(self) -> Iterator[Line]:
        """Every line once."""
        ended: set[int] = set()
        reached_ns = 0
        merged = heapq.merge(*(self._numbered(number) for number in range(len(self.parts))))
        for ts_ns, group in groupby(merged, key=lambda numbered: numbered[0]):
            for number, part in enumerate(self.parts):
                if number not in ended and part.last_ns < ts_ns:
                    ended.add(number)
                    yield from self._end(number)
            here = list(group)
            if reached_ns and not any(part.from_ns < ts_ns <= part.to_ns for part in self.parts):
                names = ", ".join(part.recording.path.name for part in self.parts if part.to_ns <= reached_ns)
                yield Line(kind="resumed", ts_ns=ts_ns, reason=f"nothing was recorded since {names} ended", made="by a merge")
            reached_ns = max(reached_ns, *(part.to_ns for part in self.parts if part.from_ns <= ts_ns))
            yield from self._once(here)

    # --- links -----------------------------------------------------------------------------------------------------

    def _name_links(self) -> None:
        """Where strangers overlap in time, a link name that both have is given to the first of them only."""
        taken: dict[str, list[int]] = {}
        for number, part in enumerate(self.parts):
            strangers = [
                other
                for other in self.parts
                if other is not part and not part.is_kin(other) and part.from_ns <= other.to_ns and other.from_ns <= part.to_ns
            ]
            if not strangers:
                continue
            part.links = {line.link for line, _ in part.recording.lines() if line.link}
            for link in sorted(part.links):
                holders = taken.setdefault(link, [])
                kin = next((holder for holder in holders if self.parts[holder].is_kin(part)), None)
                if kin is not None:
                    name = self.parts[kin].renamed.get(link, link)
                elif holders:
                    name = f"{link}~{len(holders) + 1}"
                    self.renamed.append(f"link {link} of {part.recording.path.name} is {name}")
                else:
                    name = link
                if kin is None:
                    holders.append(number)
                if name != link:
                    part.renamed[link] = name

    def _numbered(self, number: int) -> Iterator[Numbered]:
        """The lines of one part; a link of which none of them tells that it is up is told up before its first frame."""
        part = self.parts[number]
        tokens = tuple(token_id for market in part.recording.markets for token_id in market.token_ids)
        told: set[str] = set()
        ts_ns = place = 0
        for place, (line, _) in enumerate(part.recording.lines()):
            ts_ns = max(ts_ns, line.ts_ns)
            if line.link in part.renamed:
                line = msgspec.structs.replace(line, link=part.renamed[line.link])
            if part.links and line.link not in told and line.kind in ("link", "ws_in"):
                told.add(line.link)
                if line.kind == "ws_in":
                    made = f"the link was up when {part.recording.path.name} began"
                    up = Line(kind="link", ts_ns=line.ts_ns, link=line.link, state="up", token_ids=tokens, made=made)
                    yield ts_ns, number, 2 * place, up
            yield ts_ns, number, 2 * place + 1, line

    def _end(self, number: int) -> Iterator[Line]:
        """A part has no more lines: unless another of its recorder goes on, its links are lost for the tokens that no other has."""
        part = self.parts[number]
        if any(other is not part and other.is_kin(part) and other.covers(part.to_ns, part.market_ids) for other in self.parts):
            return
        going_on = [place for place, other in enumerate(self.parts) if other.is_kin(part) and other.last_ns > part.last_ns]
        for link, carried in self._up[number].items():
            told = {token_id for place in going_on for token_id in self._up[place].get(link, ())}
            token_ids = tuple(token_id for token_id in carried if token_id not in told)
            if carried and not token_ids:
                continue
            made = f"{part.recording.path.name} ends here"
            yield Line(
                kind="link",
                ts_ns=part.last_ns,
                link=link,
                state="down",
                reason="the recording ended",
                token_ids=token_ids,
                made=made,
            )

    # --- lines of one moment ---------------------------------------------------------------------------------------

    def _once(self, here: list[Numbered]) -> Iterator[Line]:
        """Lines of one moment: of those that kin have in common, as many as the one that has most of them."""
        kept: list[Line] = []
        had: dict[bytes, list[tuple[int, int]]] = {}
        for number, numbered in groupby(here, key=lambda one: one[1]):
            part = self.parts[number]
            counts: Counter[bytes] = Counter()
            for *_, line in numbered:
                self._follow(number, line)
                if line.made and line.kind != "resumed" and self._is_told_by_another(number, line):
                    continue
                encoded = encode_line(line)
                counts[encoded] += 1
                others = (count for other, count in had.get(encoded, ()) if self.parts[other].is_kin(part))
                if counts[encoded] <= max(others, default=0):
                    self.dropped += 1
                elif line.kind != "link" or not _joined(kept, line):
                    kept.append(line)
            for encoded, count in counts.items():
                had.setdefault(encoded, []).append((number, count))
        yield from kept

    def _is_told_by_another(self, number: int, line: Line) -> bool:
        """Whether what was made for the beginning of a part is known from another part that goes on through it."""
        part = self.parts[number]
        return any(
            other.is_kin(part) and other.covers(line.ts_ns, part.market_ids) and (other.from_ns, place) < (part.from_ns, number)
            for place, other in enumerate(self.parts)
            if other is not part
        )

    def _follow(self, number: int, line: Line) -> None:
        if line.kind == "link" and line.state is not None:
            if line.state == "up":
                self._up[number][line.link] = line.token_ids
            elif line.state != "connecting":
                self._up[number].pop(line.link, None)


def _joined(kept: list[Line], line: Line) -> bool:
    """Whether a link's line, cut to the tokens of some markets, was joined with that of others."""
    for place, other in enumerate(kept):
        if other.kind == "link" and msgspec.structs.replace(other, token_ids=line.token_ids) == line and other.token_ids:
            both = tuple(dict.fromkeys((*other.token_ids, *line.token_ids)))
            kept[place] = msgspec.structs.replace(other, token_ids=both)
            return True
    return False
