"""The gateway alone, with a recording behind it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipeline.base.clock import EventClock, SystemClock
from pipeline.base.errors import BadInput
from pipeline.base.settings import VenueSection
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import StagePlan
from pipeline.bus.topology import SCHEDULER
from pipeline.market.liveness import LivenessRules
from pipeline.market.watch import FeedWatch
from pipeline.messages.market import Market, MarketUniverse, Outcome
from pipeline.recording.markets import read_markets
from pipeline.recording.writer import RecordingWriter
from pipeline.venue.gamma import GammaHttpClient, venue_of_url
from polybot.streaming import Feed, Outward, Shown, generic_feed, run_stream, venue_feed
from processes.gateway import Gateway


def followed_markets(slugs: Sequence[str], token_ids: Sequence[str], gamma_url: str) -> tuple[Market, ...]:
    """The markets to record: those of the catalogue with these slugs, and the bare tokens. Raises BadInput for an unknown slug."""
    found: list[Market] = []
    if slugs:
        with GammaHttpClient(gamma_url) as client:
            client.check()
            for slug in slugs:
                markets = [market for page in client.pages_of_markets((("slug", slug),)) for market in page]
                if not markets:
                    raise BadInput(f"--market {slug}: {gamma_url} knows no such market; look for its slug in the catalogue")
                found += markets
    found += [Market(market_id=token_id, outcomes=(Outcome(token_id, token_id),)) for token_id in token_ids]
    return tuple(found)


def _writer(folder: Path, venue: str, now_ns: int) -> RecordingWriter:
    """A recording in the folder, a new one or the continued one of the same venue. Raises BadInput."""
    if folder.is_dir():
        owner = read_markets(folder).venue
        if owner not in ("", venue):
            raise BadInput(f"{folder}: holds a recording of venue {owner}, and this is venue {venue}; give another folder")
    try:
        return RecordingWriter(folder, venue=venue, started_ns=now_ns)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written: {error.strerror or error}; give a folder for the recording") from None


class Recorder:
    """Records what comes from ``url`` into ``folder``. Without markets the generic stream is expected.

    Raises BadInput for a folder that cannot be used.
    """

    def __init__(self, url: str, folder: Path, markets: Sequence[Market], settings: VenueSection | None = None) -> None:
        now_ns = SystemClock().now_ns()
        venue = venue_of_url(url) if markets else "generic"
        self._writer = _writer(folder, venue, now_ns)
        word = "" if markets else "stream"  # generic frames need not name their market to be recorded
        watch = FeedWatch(LivenessRules(spot_check_ns=0)) if markets else None
        self._gateway = Gateway(market=word, mirror=False, record=self._writer.write, watch=watch)
        self._edge: Feed
        if markets:
            self._edge = venue_feed(url, settings)
        else:
            self._edge = generic_feed(url, "", subscribe=False, max_messages=None, settings=settings)
        self._lockstep = Lockstep([StagePlan(self._gateway, [Outward(self._edge)])], EventClock(now_ns))
        self._lockstep.start()
        universe = MarketUniverse(ts_ns=now_ns, markets=tuple(markets), source=url)
        self._lockstep.inject(SCHEDULER, universe)
        self._lockstep.run_until_idle()

    async def run(self, max_messages: int | None, for_s: float | None, shown: Shown) -> None:
        """Record until the stream ends, so many frames came, or so many seconds passed."""
        await run_stream(self._lockstep, self._edge, max_messages, for_s=for_s, shown=shown)

    @property
    def lines(self) -> int:
        return self._writer.lines

    def counts(self) -> dict[str, int]:
        """Totals of the gateway."""
        return self._gateway.counts()

    def close(self) -> None:
        """Finish the recording."""
        self._writer.close()
