"""One market's live stream into a database: the venue's own channel where its tokens are known, else the generic stream."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.base.clock import SystemClock
from pipeline.base.settings import VenueSection
from pipeline.bus.stage import InlineEdge
from pipeline.messages.market import Market, Outcome
from pipeline.store.markets import stored_markets
from pipeline.store.open import Store, refuse_other_venue
from pipeline.venue.gamma import venue_of_url
from pipeline.venue.snapshots import fake_snapshots
from polybot.composition import Composition, generic_market
from polybot.streaming import Feed, Outward, Shown, checked_ws_url, generic_feed, run_stream, venue_feed
from processes.gateway import Gateway


def venue_market(store: Store, market_id: str, token_ids: Sequence[str]) -> Market | None:
    """The market as the database's catalogue knows it from a venue, else one of the given tokens; None for the caller's own words."""
    with store.connect() as conn:
        found = stored_markets(conn, [market_id])
    if found and not any(token.startswith(f"{market_id}/") for token in found[0].token_ids):
        return found[0]
    if not token_ids:
        return None
    return Market(market_id=market_id, outcomes=tuple(Outcome(token, token) for token in token_ids))


class LiveIngestion:
    """Stores a market's books from ``url``: ``await run()``, then ``finish()``, whatever ended it. What comes is committed as it comes.

    With ``token_ids``, or a market that the catalogue knows from a venue, the venue's market channel is spoken, its books are proved
    by hash, and the database becomes that venue's. ``provider`` answers for fresh generic books; the fake one, whose book is older
    than any gap, if none is given. ``settings`` say how the sockets behave. Raises BadInput for an address that is none,
    WrongDatabase for another venue's database.
    """

    def __init__(
        self,
        store: Store,
        url: str,
        market_id: str,
        *,
        outcome_id: str = "yes",
        token_ids: Sequence[str] = (),
        subscribe: bool = False,
        provider: InlineEdge | None = None,
        max_messages: int | None = None,
        settings: VenueSection | None = None,
    ) -> None:
        checked_ws_url(url)
        market = venue_market(store, market_id, token_ids)
        self._feed: Feed
        self._max_messages = max_messages
        inline: list[InlineEdge] = []
        if market is not None:
            venue, answers = venue_of_url(url), None
            with store.connect() as conn:
                refuse_other_venue(conn, venue)
            self._feed = venue_feed(url, settings)
            inline.append(Outward(self._feed))
        else:
            venue, answers = "generic", provider or fake_snapshots()
            market = generic_market(market_id, outcome_id)
            self._feed = generic_feed(url, market_id, subscribe=subscribe, max_messages=max_messages, settings=settings)
        self.composition = Composition(
            store,
            Gateway(market=market_id, outcome_id=outcome_id, mirror=False),
            markets=[market],
            venue=venue,
            source=url,
            edges=inline,
            provider=answers,
            start_ns=SystemClock().now_ns(),
        )

    async def run(self, shown: Shown = lambda done: None) -> int:
        """Until the stream ends or ``max_messages`` came; how many came. Raises BadInput if it cannot connect."""
        return await run_stream(self.composition.lockstep, self._feed, self._max_messages, shown=shown)

    def finish(self) -> None:
        """Commit the rest and end the run in the database."""
        self.composition.finish()

    @property
    def rows(self) -> int:
        """Rows written so far."""
        return self.composition.writer.counts()["rows"]

    def counts(self) -> dict[str, int]:
        """Totals of the gateway and of the market's feed: frames, bad_frames, resync_gap and the like."""
        return {**self.composition.builder.counts(), **self.composition.gateway.counts()}
