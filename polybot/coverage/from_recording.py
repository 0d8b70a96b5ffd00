"""Coverage of a recording: its frames through gateway and book builder in lockstep, without a database, and what they say on the way.

A recording that holds answers to requests for fresh books is played with them, as it was live. Of any other file nobody can be asked,
so a book after a gap is suspect until it is proved again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.base.clock import EventClock
from pipeline.base.errors import BadInput
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, StagePlan
from pipeline.bus.topology import SCHEDULER
from pipeline.messages import Message
from pipeline.messages.control import JobDue
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import BadFeedFrame, FeedStatus, Market, MarketUniverse
from pipeline.messages.records import BookStateChanged, FeedGap, HashChecks
from pipeline.recording.level2 import Columns
from pipeline.recording.notes import KEPT, Survey, survey
from pipeline.recording.playback import Playback
from pipeline.recording.reader import Recording
from pipeline.recording.source import FrameSource, open_frames
from pipeline.venue.generic import decode_plain
from polybot.cli.trading_words import short_id
from polybot.coverage.model import Coverage, GapSpan, Note, TokenCoverage, named, watched_hours
from polybot.coverage.shares import HOUR_NS, Interval, spans_of, spread, width_for, without
from processes.book_builder import BookBuilder
from processes.gateway import Gateway

Shown = Callable[[int, int | None], None]
"""Told the messages done so far, and how many there are where that is known."""


class _Heard:
    """What the stages said of each token, kept from the tap of a lockstep run."""

    def __init__(self) -> None:
        self.states: dict[str, list[tuple[int, str, str]]] = {}
        self.gaps: dict[str, dict[int, GapSpan]] = {}
        self.checks: dict[str, list[HashChecks]] = {}
        self.market_of: dict[str, str] = {}
        self.notes: list[Note] = []
        self.dropped = 0

    def tap(self, arrival: Arrival) -> None:
        """One message that was sent."""
        msg = arrival.message
        match msg:
            case BookStateChanged():
                self.market_of[msg.token_id] = msg.market
                self.states.setdefault(msg.token_id, []).append((msg.ts_ns, msg.new, msg.reason))
            case FeedGap():
                span = GapSpan(msg.start_ns, msg.end_ns or None, msg.cause, msg.healed_by)
                self.gaps.setdefault(msg.token_id, {})[msg.start_ns] = span
            case HashChecks():
                self.market_of[msg.token_id] = msg.market
                self.checks.setdefault(msg.token_id, []).append(msg)
            case FeedStatus() if msg.state in ("up", "down", "closed") and msg.link_id != "feed":
                told = f"link {msg.link_id} {msg.state}, {len(msg.token_ids)} tokens" + (f": {msg.reason}" if msg.reason else "")
                self._note(Note(msg.ts_ns, msg.state, told))
            case BadFeedFrame():
                self._note(Note(msg.ts_ns, "refused", f"a frame of token {msg.token_id or '?'} was refused: {msg.reason}"))

    def _note(self, note: Note) -> None:
        if len(self.notes) < KEPT:
            self.notes.append(note)
        else:
            self.dropped += 1


class _Span:
    """The first and the latest time of what passes by."""

    def __init__(self, shown: Shown, total: int | None) -> None:
        self.first_ns = self.last_ns = 0
        self._shown, self._total = shown, total

    def watch(self, messages: Iterator[Message]) -> Iterator[Message]:
        """Pass the messages on."""
        for number, msg in enumerate(messages):
            self.first_ns = self.first_ns or msg.ts_ns
            if msg.ts_ns > self.last_ns:
                self.last_ns = msg.ts_ns
            if not number & 0xFFF:
                self._shown(number, self._total)
            yield msg


def cover_recording(
    path: Path,
    settings: Settings,
    *,
    market_id: str = "",
    token_id: str = "",
    columns: Columns | None = None,
    shown: Shown = lambda done, total: None,
) -> Coverage:
    """How well a recording, or any file that can be replayed, covers its tokens.

    ``market_id`` is what lines of the generic stream, or level-2 rows, are about that name no market; the file's name unless given.
    ``token_id`` keeps one token only. Raises BadInput for what cannot be replayed, for a file without a book, or an unknown token.
    """
    word = market_id or path.name.split(".")[0]
    source = open_frames(path, market=word, columns=columns)
    told = survey(Recording(path), lambda done: shown(done, None)) if source.kind == "recording" else Survey()
    span, heard = _Span(shown, told.lines or None), _Heard()
    gateway = Gateway(market=_generic_market(source, word), mirror=False, strict=source.strict)
    builder = BookBuilder(publish_tops=False, resync=told.answers > 0, staleness_ms=settings.ingestion.staleness_ms)
    playback = Playback(span.watch(source.messages()))
    lockstep = Lockstep(
        [StagePlan(gateway, [playback]), builder], EventClock(playback.next_ns() or 0), tap=heard.tap, source=str(path)
    )
    lockstep.start()
    if source.markets:
        now_ns = lockstep.clock.now_ns()
        lockstep.inject(SCHEDULER, MarketUniverse(ts_ns=now_ns, markets=source.markets, source=str(path), version=1))
    _play(lockstep, gateway, playback, settings)
    lockstep.stop()
    if not heard.states:
        raise BadInput(f"{path}: no book in it; give a recording of the market channel, of the generic stream, or level-2 rows")
    start_ns, end_ns = told.first_ns or span.first_ns, max(told.last_ns, span.last_ns)
    notes = [Note(note.ts_ns, note.kind, note.text) for note in told.notes] if source.kind == "recording" else heard.notes
    observed = list(without(start_ns, end_ns, told.stopped))
    width_ns = width_for(sum(watched_hours(observed, start_ns, end_ns).values()))
    tokens = _tokens(heard, source.markets, (start_ns, end_ns), told.stopped, width_ns)
    if token_id:
        tokens = [token for token in tokens if token.token_id == token_id]
        if not tokens:
            raise BadInput(f"{path}: no token {token_id}; without --token every token is shown")
    return Coverage(
        source=str(path),
        kind="recording",
        start_ns=start_ns,
        end_ns=end_ns,
        width_ns=width_ns,
        tokens=tokens,
        observed=observed,
        notes=notes,
        notes_left_out=told.dropped if source.kind == "recording" else heard.dropped,
    )


def _play(lockstep: Lockstep, gateway: Gateway, playback: Playback, settings: Settings) -> None:
    """Play to the end. Books are checked for their age as often as live; in a long silence only until nothing can change any more."""
    period_ns = settings.ingestion.staleness_interval_ms * NS_PER_MS
    if not period_ns:
        lockstep.run(until=lambda: gateway.ended)
        return
    enough_ns = settings.ingestion.staleness_ms * NS_PER_MS + 2 * period_ns
    due_ns = lockstep.clock.now_ns() + period_ns
    while True:
        lockstep.run(until=lambda: gateway.ended, to_ns=due_ns)
        if gateway.ended:
            return
        next_ns = playback.next_ns() or due_ns
        silent_ns = due_ns + enough_ns
        while True:
            lockstep.inject(SCHEDULER, JobDue(ts_ns=due_ns, job="staleness"))
            lockstep.run(to_ns=due_ns)
            due_ns += period_ns
            if due_ns >= next_ns:
                break
            if due_ns > silent_ns:
                due_ns = next_ns - (next_ns - due_ns) % -period_ns
                break


def _generic_market(source: FrameSource, word: str) -> str:
    """What the gateway is told of the market: only frames of the generic stream may name none, and then ``word`` is it."""
    if "generic" not in (source.kind, source.venue):
        return ""
    for msg in source.messages():
        if not isinstance(msg, RawFrame):
            continue
        frame = decode_plain(msg.data)
        return "" if frame is not None and frame.market else word
    return word


def _tokens(
    heard: _Heard, markets: tuple[Market, ...], window: Interval, stopped: list[Interval], width_ns: int
) -> list[TokenCoverage]:
    """The tokens of the catalogue that were followed, and whatever else had a book."""
    found: dict[str, TokenCoverage] = {}
    for market in markets:
        if market.enable_order_book and not market.closed:
            title = market.group_item_title or market.question or market.slug or market.market_id
            for outcome in market.outcomes:
                found[outcome.token_id] = TokenCoverage(outcome.token_id, market.market_id, f"{title} / {outcome.name}")
    for token_id, market_id in heard.market_of.items():
        name = token_id if token_id.startswith(f"{market_id}/") else f"{short_id(market_id)} / {short_id(token_id)}"
        found.setdefault(token_id, TokenCoverage(token_id, market_id, name))
    for token_id, token in found.items():
        states = heard.states.get(token_id, [])
        reasons = {ts_ns: reason for ts_ns, _, reason in states}
        for start_ns, end_ns, state in spans_of(((ts_ns, state) for ts_ns, state, _ in states), window[1]):
            for seen_ns, until_ns in without(start_ns, end_ns, stopped):
                spread(token.cells, width_ns, seen_ns, until_ns, state, reasons[start_ns])
        token.gaps = list(heard.gaps.get(token_id, {}).values())
        for checks in heard.checks.get(token_id, ()):
            token.check(checks.start_ns - checks.start_ns % HOUR_NS, checks.done, checks.matched, checks.undecided)
    return named(found.values())
