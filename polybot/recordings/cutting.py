"""A stretch of a recording as a recording of its own: it opens with the books as they stood, and holds nothing of other markets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_S
from pipeline.messages.market import Market
from pipeline.recording.cutting import OfMarkets
from pipeline.recording.index import Made, read_index
from pipeline.recording.lines import Line
from pipeline.recording.markets import RecordedMarkets
from pipeline.recording.merging import Part
from pipeline.recording.new_folder import new_recording
from pipeline.recording.reader import Recording
from polybot.recordings.following import Follower
from polybot.recordings.opened import open_recording

SETTLING_NS = 2 * NS_PER_S
"""How far apart two links tell the same thing, and how long a trade may be told after the hash that it explains."""
FURTHEST_NS = 10 * NS_PER_S
"""How far before the wanted moment a cut begins at most, to begin where no change is half told."""
Shown = Callable[[int], None]


@dataclass(frozen=True)
class Cut:
    """What a cut holds. ``opened`` counts the lines made for its start, ``start_ns`` is where it begins, at most 10 s early.

    ``left_out`` are tokens whose book was not trusted there: they come with the next book that the recording brings. ``bad_lines`` could
    not be read.
    """

    lines: int
    opened: int
    start_ns: int
    first_ns: int
    last_ns: int
    markets: int
    left_out: tuple[str, ...]
    bad_lines: int = 0


@dataclass(frozen=True)
class _Start:
    """Where a cut begins: behind so many lines, and what to open it with."""

    taken: int
    at_ns: int
    lines: Sequence[Line]
    left_out: tuple[str, ...] = ()


def cut_recording(
    path: Path,
    out: Path,
    *,
    from_ns: int = 0,
    to_ns: int = 0,
    market_words: Sequence[str] = (),
    verify: bool = True,
    shown: Shown = lambda done: None,
) -> Cut:
    """Write the lines from ``from_ns`` (inclusive) to ``to_ns`` (exclusive; 0: the ends) about some markets as a recording at ``out``.

    Its books at every moment are those of the whole. Raises BadInput for what is no recording, was changed, or would be empty.
    """
    if to_ns and from_ns >= to_ns:
        raise BadInput("--from is not before --to; a cut goes from the one to the other")
    recording = open_recording(path, verify=verify)
    markets = _wanted(recording, market_words)
    ours = OfMarkets(markets, () if recording.markets else market_words) if market_words else None
    index = read_index(path)
    start = _start(recording, from_ns, ours, shown)
    market_ids = tuple(market.market_id for market in markets) or tuple(market_words) if ours else ()
    made = Made(
        by="cut", sources=(path.name,), text=_told(path, from_ns, to_ns, market_words), from_ns=from_ns, to_ns=to_ns,
        market_ids=market_ids,
    )  # fmt: skip
    recorded = RecordedMarkets(venue=recording.venue, markets=markets, source=recording.source)
    first_ns = last_ns = count = 0
    with new_recording(out, recorded, lambda: made, index.origins, index.made) as writer:
        for number, (line, _) in enumerate(recording.lines()):
            if not number & 0xFFF:
                shown(number)
            if number < start.taken:
                continue
            if to_ns and line.ts_ns >= to_ns:
                break
            kept = line if ours is None else ours.line(line)
            if kept is None:
                continue
            if not count:
                for opening in start.lines:
                    writer.keep(opening)
            first_ns = first_ns or line.ts_ns
            last_ns = max(last_ns, line.ts_ns)
            writer.keep(kept)
            count += 1
        if last_ns < from_ns or not count:
            raise BadInput(
                f"{path}: holds no line of the wanted stretch and markets; `polybot recordings info {path}` tells its span"
            )
    return Cut(
        count,
        len(start.lines),
        start.at_ns or first_ns,
        first_ns,
        last_ns,
        len(markets),
        start.left_out,
        recording.bad_lines + recording.torn,
    )


def span_of(path: Path) -> tuple[int, int]:
    """When the first and the last line of a recording came. Raises BadInput if it has none."""
    part = Part.of(open_recording(path, verify=False))
    return part.from_ns, part.last_ns


def _wanted(recording: Recording, words: Sequence[str]) -> tuple[Market, ...]:
    """The markets of these ids, slugs or tokens; all without any."""
    if not words or not recording.markets:
        return recording.markets
    found: dict[str, Market] = {}
    for word in words:
        named = [market for market in recording.markets if word in (market.market_id, market.slug, *market.token_ids)]
        if not named:
            some = ", ".join(market.slug or market.market_id for market in recording.markets[:5])
            raise BadInput(f"--market {word}: {recording.path} has no such market; give an id, a slug or a token, such as {some}")
        found |= {market.market_id: market for market in named}
    return tuple(found.values())


def _start(recording: Recording, from_ns: int, ours: OfMarkets | None, shown: Shown) -> _Start:
    """The last line before ``from_ns`` behind which nothing is half told, and the books there."""
    if not from_ns:
        return _Start(0, 0, ())
    follower = _follower(recording, ours)
    settled = early = (0, 0)
    first_ns = 0
    for line, where in recording.lines():
        if line.ts_ns >= from_ns:
            break
        first_ns = first_ns or line.ts_ns
        follower.take(line, where)
        if not follower.taken & 0xFFF:
            shown(follower.taken)
        if follower.is_settled:
            settled = (follower.taken, follower.now_ns)
            if follower.now_ns < from_ns - SETTLING_NS:
                early = settled
    if not follower.taken:
        return _Start(0, 0, ())
    begun_near = first_ns >= from_ns - SETTLING_NS
    telling = follower.shares_links or follower.was_active(from_ns - SETTLING_NS)
    if telling and begun_near:
        return _Start(0, 0, ())
    taken, at_ns = early if telling and early[0] else settled
    if taken == follower.taken or from_ns - at_ns > FURTHEST_NS:
        return _Start(follower.taken, from_ns, follower.opening(from_ns), tuple(follower.left_out()))
    again = _follower(recording, ours)
    for line, where in recording.lines():
        if again.taken == taken:
            break
        again.take(line, where)
    return _Start(taken, at_ns, again.opening(at_ns), tuple(again.left_out()))


def _follower(recording: Recording, ours: OfMarkets | None) -> Follower:
    answers = any(b'"kind":"rest"' in text[:20] for text, _ in recording.texts())
    return Follower(recording.markets, recording.path.name.partition(".")[0], answers=answers, ours=ours)


def _told(path: Path, from_ns: int, to_ns: int, words: Sequence[str]) -> str:
    ends = (f" from {from_ns}" if from_ns else "") + (f" to {to_ns}" if to_ns else "")
    return f"cut of {path.name}{ends}" + (f", markets {', '.join(words)}" if words else "")
