"""The gateway: what comes from the venue, decoded and recorded; fresh books for whoever lost one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.base import events
from pipeline.base.clock import SystemClock
from pipeline.base.config import Config
from pipeline.base.errors import BadFrame, BadInput
from pipeline.base.log import get_logger
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.bus.stage import InlineEdge, Stage
from pipeline.bus.topology import GATEWAY, STREAM
from pipeline.market.carriers import Carriers
from pipeline.market.liveness import LivenessRules
from pipeline.market.watch import FeedWatch
from pipeline.messages import Message
from pipeline.messages.control import FROZEN, BookWanted
from pipeline.messages.edges import SPOT_CHECK, FeedEnded, FetchBooks, FollowTokens, FrameSent, LinkEvent, RawFrame, RestBody
from pipeline.messages.market import BadFeedFrame, FeedStatus, LinkState, MarketUniverse, VenueBook, VenuePriceChange
from pipeline.recording.session import open_recorder
from pipeline.venue.answers import books_of
from pipeline.venue.decode import HEARTBEATS, FrameDecoder, named_tokens
from pipeline.venue.generic import GenericRules
from pipeline.venue.mirror import Mirror
from pipeline.venue.wanted import AskAgain, BooksWanted
from processes.options import process_options, run_process

if TYPE_CHECKING:
    from pipeline.bus.edge import AsyncEdge

SHOWN_BYTES = 200
"""How much of a refused frame is logged; the recording has all of it."""
COUNTED = (
    *("frames", "messages", "bad_frames"),
    *("books_fetched", "books_failed", "spot_books", "spot_failed", "reconnects"),
)
Record = Callable[[Message], None]
_FEED = frozenset(STREAM["feed"].carries)


class Gateway(Stage):
    """Turn frames into messages of ``feed``, follow the universe's tokens, and fetch the books that are wanted.

    In: ``universe``, ``resync``; from its edges RawFrame, FrameSent, LinkEvent, RestBody, FeedEnded, and feed messages that a source
    gives ready-made. Out: ``feed``; to its edges FollowTokens, FetchBooks, Resubscribe and Reconnect. State: one unchecked book a
    token, only to answer a book builder that starts again, and with ``watch`` the signs of life of every link and token; lost at a
    restart, and rebuilt from the list frames of the fresh subscriptions.
    """

    role = GATEWAY

    def __init__(
        self,
        *,
        market: str = "",
        outcome_id: str = "yes",
        mirror: bool = True,
        strict: bool = False,
        ask_again: AskAgain | None = None,
        record: Record | None = None,
        watch: FeedWatch | None = None,
    ) -> None:
        """``market`` (with ``outcome_id``, for generic frames that name none) skips everything about other markets.

        ``strict``: a frame that cannot be understood raises BadInput with its place, as in a file somebody wrote by hand.
        ``record`` is given everything that came from outside or went there, and the universe. ``watch``: the feed is live, and what
        is silent on it is looked after and what is about other tokens is left out; without one no timer runs unless a book is wanted.
        """
        self.decoder = FrameDecoder(GenericRules(market, outcome_id), only_market=market)
        self.ended = False
        self.end_reason = ""
        self._mirror = Mirror() if mirror else None
        self._strict, self._record, self._watch = strict, record, watch
        self._wanted = BooksWanted(ask_again)
        self._follow: tuple[str, ...] | None = None
        self._links: dict[str, FeedStatus] = {}
        self._carriers = Carriers()
        self._requests = self._frames = self._messages = 0
        self._counts = dict.fromkeys(COUNTED, 0)
        self._refusal_logged_ns: int | None = None
        self._refusals_unsaid = 0
        self._due_ns: int | None = None
        self._is_due_known = False  # it is while nothing comes but changes of books: they move no timer

    # --- messages --------------------------------------------------------------------------------------------------

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        """One frame, event, request or answer; see the class."""
        kind = type(msg)
        if kind is RawFrame:
            return self._frame(msg, now_ns)  # type: ignore[arg-type]
        self._is_due_known = False
        if kind in _FEED:
            self._messages += 1
            self._take(msg)
            return (msg,)
        match msg:
            case BookWanted():
                return self._want(msg, now_ns)
            case RestBody():
                return self._answer(msg, now_ns)
            case LinkEvent():
                return self._link(msg)
            case MarketUniverse():
                return self._universe(msg, now_ns)
            case FrameSent():
                self._keep(msg)
            case FeedEnded():
                self.ended, self.end_reason = True, msg.reason
                get_logger().info(events.FEED_ENDED, reason=msg.reason)
                return (self._status("feed", "closed", msg.reason, (), msg.ts_ns),)
        return ()

    def _frame(self, frame: RawFrame, now_ns: int) -> Iterable[Message]:
        if self._record is not None:
            self._record(frame)
        decoder = self.decoder
        self._frames += 1
        known = len(decoder.counts)
        try:
            found = decoder.decode(frame.data, frame.ts_ns)
        except BadFrame as error:
            if self._watch is not None:
                self._watch.frame(frame.link_id, frame.ts_ns, (), True)
            return self._refuse(frame, error, now_ns)
        if len(decoder.counts) != known:
            name = next(reversed(decoder.counts))
            if name.startswith("unknown:"):
                get_logger().warning(events.EVENT_UNKNOWN, event_type=name.partition(":")[2], where=frame.where or frame.link_id)
        self._messages += len(found)
        if self._watch is not None:
            found = self._watch.about_followed(found)
            self._watch.frame(frame.link_id, frame.ts_ns, found, bool(found) or frame.data.strip() not in HEARTBEATS)
        if self._carriers.arbiter is not None:
            self._is_due_known = False  # what is not passed on has been seen by the watch
            found = self._carriers.one_feed(frame.link_id, found)
        for msg in found:
            if type(msg) is not VenuePriceChange:
                self._is_due_known = False
                self._take(msg)
            elif self._mirror is not None:
                self._mirror.take(msg)
        return found

    def _refuse(self, frame: RawFrame, error: BadFrame, now_ns: int) -> Iterable[Message]:
        """A frame that was not understood: the user's error in a file written by hand, otherwise a doubt about its tokens."""
        where = frame.where or frame.link_id
        if self._strict:
            raise BadInput(f"{where}: {error}") from None
        self._counts["bad_frames"] += 1
        if self._refusal_logged_ns is None or now_ns - self._refusal_logged_ns >= NS_PER_S:
            shown = frame.data[:SHOWN_BYTES].decode(errors="replace")
            get_logger().warning(events.FRAME_REFUSED, where=where, reason=str(error), head=shown, unsaid=self._refusals_unsaid)
            self._refusal_logged_ns, self._refusals_unsaid = now_ns, 0
        else:
            self._refusals_unsaid += 1
        doubts = []
        for token_id in named_tokens(frame.data) or [""]:
            market = "" if self._mirror is None else self._mirror.drop(token_id)
            doubts.append(BadFeedFrame(ts_ns=frame.ts_ns, token_id=token_id, market=market, reason=str(error)))
        self._keep(doubts[0])
        return doubts

    # --- tokens and links ------------------------------------------------------------------------------------------

    def _universe(self, universe: MarketUniverse, now_ns: int) -> Iterable[Message]:
        self._keep(universe)
        tokens = tuple(
            dict.fromkeys(
                token_id
                for market in universe.markets
                if market.enable_order_book and not market.closed
                for token_id in market.token_ids
            )
        )
        if tokens == self._follow:
            return ()
        self._follow = tokens
        if self._watch is not None:
            self._watch.follow(tokens, universe.markets, now_ns)
        if self._mirror is not None:
            self._mirror.keep_only(tokens)
        return (FollowTokens(ts_ns=now_ns, token_ids=tokens),)

    def _link(self, event: LinkEvent) -> Iterable[Message]:
        self._keep(event)
        if self._watch is not None:
            self._watch.link(event)
        about = self._carriers.learn(event)
        log = get_logger()
        if event.state == "up":
            log.info(events.LINK_CONNECTED, link_id=event.link_id, tokens=len(event.token_ids))
        elif event.state in ("down", "closed"):
            if event.state == "down":
                self._counts["reconnects"] += 1
                log.warning(events.LINK_LOST, link_id=event.link_id, reason=event.reason)
            else:
                log.info(events.LINK_CLOSED, link_id=event.link_id, reason=event.reason)
            if self._mirror is not None:
                self._mirror.drop_all(about)  # nothing is replayed: the list frame of the next connection is the truth
        return (self._status(event.link_id, event.state, event.reason, about, event.ts_ns),)

    def _status(self, link_id: str, state: LinkState, reason: str, token_ids: tuple[str, ...], ts_ns: int) -> FeedStatus:
        status = FeedStatus(ts_ns=ts_ns, link_id=link_id, state=state, reason=reason, token_ids=token_ids, counts=self.counts())
        self._links[link_id] = status
        return status

    # --- fresh books -----------------------------------------------------------------------------------------------

    def _want(self, wanted: BookWanted, now_ns: int) -> Iterable[Message]:
        if self._watch is not None:
            renewed = self._watch.wanted(wanted.token_id, wanted.cause, now_ns)
            if renewed or wanted.cause == FROZEN:
                return renewed
        if self._wanted.want(wanted.token_id, wanted.market, wanted.cause, now_ns):
            return self._fetch([wanted.token_id], now_ns)
        return ()

    def _fetch(self, token_ids: Sequence[str], now_ns: int) -> Iterable[Message]:
        self._requests += 1
        asked = [self._wanted.ask(token_id, now_ns) for token_id in token_ids]
        return (
            FetchBooks(
                ts_ns=now_ns,
                token_ids=tuple(token_ids),
                markets=tuple(market for market, _ in asked),
                cause=asked[0][1],
                request_id=self._requests,
            ),
        )

    def _answer(self, answer: RestBody, now_ns: int) -> Iterable[Message]:
        """The books of one answer that were asked for; tokens without one are asked for again later."""
        self._keep(answer)
        found: dict[str, VenueBook] = {}
        spot = answer.cause == SPOT_CHECK
        if answer.token_ids and answer.status == 200:
            try:
                found = books_of(answer, self._wanted.market_of(answer.token_ids[0]))
            except BadFrame as error:
                get_logger().warning(events.SNAPSHOT_FAILED, request=answer.request, reason=str(error))
        elif answer.status != 200:
            get_logger().warning(events.SNAPSHOT_FAILED, request=answer.request, status=answer.status, reason=answer.error)
        for token_id in answer.token_ids:
            if spot:
                self._counts["spot_books" if token_id in found else "spot_failed"] += 1
                if self._mirror is not None and token_id in found:
                    self._mirror.spot_checked(found[token_id])
            elif token_id in found:
                self._counts["books_fetched"] += 1
                self._take(found[token_id])
            else:
                self._counts["books_failed"] += 1
                self._wanted.failed(token_id, now_ns)
        return tuple(found.values())

    # --- the rest of a stage ---------------------------------------------------------------------------------------

    def premises(self) -> bool:
        """Whether a frame that cannot be understood ends it."""
        return self._strict

    def current(self, topic: str) -> Iterable[Message]:
        """The links, then the books, of every topic that begins so."""
        for link_id, status in self._links.items():
            if f"feed.{link_id}\0".startswith(topic):
                yield status
        if self._mirror is not None:
            yield from self._mirror.current(topic)

    def next_timer_ns(self) -> int | None:
        if not self._is_due_known:
            wanted = self._wanted.next_ns()
            watched = None if self._watch is None else self._watch.next_ns()
            self._due_ns = wanted if watched is None or (wanted is not None and wanted < watched) else watched
            self._is_due_known = True
        return self._due_ns

    def on_timer(self, now_ns: int) -> Iterable[Message]:
        self._is_due_known = False
        out: list[Message] = []
        token_ids = self._wanted.due(now_ns)
        if token_ids:
            out += self._fetch(token_ids, now_ns)
        if self._watch is not None:
            out += self._watch.on_timer(now_ns)
            if self._watch.status_due(now_ns):
                up = [status for status in self._links.values() if status.state == "up"]
                out += [self._status(status.link_id, "up", status.reason, status.token_ids, now_ns) for status in up]
        return out

    def counts(self) -> dict[str, int]:
        """Totals since the start, with what the decoder skipped by name."""
        told = {"frames": self._frames, "messages": self._messages}
        counts = {**self._counts, **told, "books_coalesced": self._wanted.coalesced, **self._carriers.counts()}
        if self._watch is not None:
            counts |= self._watch.counts()
        if self.ended:
            counts["feed_ended"] = 1
        return counts | self.decoder.counts

    def _take(self, msg: Message) -> None:
        """What the feed tells, for the copy of its book and for those who wait for it."""
        if type(msg) is VenueBook:
            self._wanted.answered(msg.token_id)
        if self._mirror is not None:
            self._mirror.take(msg)

    def _keep(self, msg: Message) -> None:
        if self._record is not None:
            self._record(msg)


@dataclass(frozen=True)
class Plan:
    """A gateway with the edges that feed it; ``source`` is for people, ``flush`` makes what it records safe, ``close`` ends it."""

    stage: Gateway
    edges: list[AsyncEdge]
    inline: list[InlineEdge] = field(default_factory=list)
    source: str = ""
    flush: Callable[[], None] = lambda: None
    close: Callable[[], None] = lambda: None


def build(config: Config, session_id: str, *, mirror: bool = True) -> Plan:
    """The gateway that ``[venue] name`` asks for. Raises BadInput for a recording that cannot be used.

    Without ``mirror`` it cannot answer a book builder that starts again while it goes on.
    What comes live is recorded under ``<state_dir>/runs/<session_id>/recording``.
    """
    settings = config.settings
    venue, clock, rng = settings.venue, SystemClock(), random.Random()
    if venue.name == "recording":
        from pipeline.recording.playback import PacedPlayback
        from pipeline.recording.source import open_frames

        frames = open_frames(Path(venue.recording))
        return Plan(stage_of(settings, strict=frames.strict), [PacedPlayback(frames.messages, venue.speed)], [], venue.recording)
    record, flush, close = open_recorder(settings, session_id, clock)
    if venue.name == "generic":
        from pipeline.venue.generic_ws import GenericFeed
        from pipeline.venue.snapshots import fake_snapshots

        url = settings.polymarket.ws_url
        return Plan(stage_of(settings, record), [GenericFeed(url, venue, clock, rng)], [fake_snapshots()], url, flush, close)
    from pipeline.venue.market_ws import MarketFeed
    from pipeline.venue.rest import BookFetcher

    ws_url, clob_url = venue_urls(settings)
    edges: list[AsyncEdge] = [MarketFeed(ws_url, venue, clock, rng), BookFetcher(clob_url, venue, clock, rng)]
    return Plan(stage_of(settings, record), edges, source=ws_url, flush=flush, close=close)


def stage_of(settings: Settings, record: Record | None = None, strict: bool = False) -> Gateway:
    """The gateway of the configured venue, without its edges."""
    venue = settings.venue
    if venue.name in ("recording", "generic"):
        return Gateway(ask_again=AskAgain(max_ns=0), record=record, strict=strict)
    again = AskAgain(min_ns=venue.reconnect_min_ms * NS_PER_MS, max_ns=venue.reconnect_max_ms * NS_PER_MS)
    return Gateway(ask_again=again, record=record, watch=FeedWatch(LivenessRules.from_settings(settings.ingestion, venue)))


def venue_urls(settings: Settings) -> tuple[str, str]:
    """Where the market channel and the books of the configured venue are."""
    if settings.venue.name == "fake":
        place = f"{settings.fake_venue.host}:{settings.fake_venue.port}"
        return f"ws://{place}/ws/market", f"http://{place}"
    return settings.polymarket.ws_url, settings.polymarket.clob_url


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Connect to the venue (or play a recording), decode and record what it sends, and fetch the books that are wanted.

    \b
    Example:
      python -m processes.gateway --config ./config
    """
    plan = build(config, session_id)
    try:
        run_process(
            plan.stage, config, session_id, edges=plan.edges, inline=plan.inline, source=plan.source, before_leaving=plan.flush
        )
    finally:
        plan.close()


if __name__ == "__main__":
    main()
