"""What feeds the gateway, by configuration: the venue, its offline stand-in, a generic stream, or a recording."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.clock import Clock, SystemClock
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.edge import AsyncEdge
from pipeline.bus.stage import InlineEdge
from pipeline.messages import Message
from pipeline.venue.wanted import AskAgain

Record = Callable[[Message], None]


@dataclass(frozen=True)
class Feed:
    """The edges of one gateway and what they need of it; ``source`` is for people, ``close`` ends what ``record`` writes."""

    edges: list[AsyncEdge]
    inline: list[InlineEdge] = field(default_factory=list)
    source: str = ""
    strict: bool = False
    ask_again: AskAgain | None = None
    record: Record | None = None
    close: Callable[[], None] = lambda: None


def open_feed(settings: Settings, session_id: str) -> Feed:
    """The feed that ``[venue] name`` asks for. Raises BadInput for a recording that cannot be used.

    What comes live is recorded under ``<state_dir>/runs/<session_id>/recording``.
    """
    venue, clock, rng = settings.venue, SystemClock(), random.Random()
    if venue.name == "recording":
        from pipeline.recording.playback import PacedPlayback
        from pipeline.recording.source import open_frames

        frames = open_frames(Path(venue.recording))
        playback = PacedPlayback(frames.messages, venue.speed)
        return Feed([playback], source=venue.recording, strict=frames.strict, ask_again=AskAgain(max_ns=0))
    record, close = open_recorder(settings, session_id, clock)
    if venue.name == "generic":
        from pipeline.venue.generic_ws import GenericFeed
        from pipeline.venue.snapshots import fake_snapshots

        url = settings.polymarket.ws_url
        stream = GenericFeed(url, venue, clock, rng)
        return Feed([stream], [fake_snapshots()], url, ask_again=AskAgain(max_ns=0), record=record, close=close)
    from pipeline.venue.market_ws import MarketFeed
    from pipeline.venue.rest import BookFetcher

    ws_url, clob_url = venue_urls(settings)
    again = AskAgain(min_ns=venue.reconnect_min_ms * NS_PER_MS, max_ns=venue.reconnect_max_ms * NS_PER_MS)
    edges: list[AsyncEdge] = [MarketFeed(ws_url, venue, clock, rng), BookFetcher(clob_url, venue, clock, rng)]
    return Feed(edges, source=ws_url, ask_again=again, record=record, close=close)


def venue_urls(settings: Settings) -> tuple[str, str]:
    """Where the market channel and the books of the configured venue are."""
    if settings.venue.name == "fake":
        place = f"{settings.fake_venue.host}:{settings.fake_venue.port}"
        return f"ws://{place}/ws/market", f"http://{place}"
    return settings.polymarket.ws_url, settings.polymarket.clob_url


def open_recorder(settings: Settings, session_id: str, clock: Clock) -> tuple[Record | None, Callable[[], None]]:
    """What records a session, and what ends it; nothing where ``[ingestion] record`` is false."""
    if not settings.ingestion.record:
        return None, lambda: None
    from pipeline.recording.writer import RecordingWriter

    folder = Path(settings.bus.state_dir) / "runs" / session_id / "recording"
    rotate_bytes = settings.ingestion.record_rotate_mb * 1024 * 1024
    writer = RecordingWriter(folder, rotate_bytes, venue=settings.venue.name, started_ns=clock.now_ns())
    return writer.write, writer.close
