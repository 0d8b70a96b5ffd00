"""One market's live stream into a database: the venue's own channel where its tokens are known, else the generic stream."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.base.clock import SystemClock
from pipeline.base.errors import BadInput
from pipeline.bus.edge import AsyncEdge
from pipeline.bus.stage import InlineEdge
from pipeline.messages.market import Market, Outcome
from pipeline.store.markets import stored_markets
from pipeline.store.open import Store, claim_venue
from pipeline.venue.gamma import venue_of_url
from pipeline.venue.snapshots import fake_snapshots
from polybot.composition import Composition, generic_market
from polybot.streaming import Outward, Shown, generic_feed, run_stream, venue_feed
from processes.gateway import Gateway


def checked_ws_url(url: str) -> str:
    """The address. Raises BadInput if it is none of a websocket."""
    if not url.startswith(("ws://", "wss://")):
        raise BadInput(f"{url}: not a websocket address; give one such as ws://127.0.0.1:9000")
    return url


def venue_tokens(store: Store, market_id: str) -> tuple[str, ...]:
    """The tokens of a market that the database's catalogue knows from a venue; () for the caller's own words."""
    with store.connect() as conn:
        found = stored_markets(conn, [market_id])
    tokens = found[0].token_ids if found else ()
    return () if any(token.startswith(f"{market_id}/") for token in tokens) else tokens


async def ingest_stream(
    store: Store,
    url: str,
    market_id: str,
    *,
    outcome_id: str = "yes",
    token_ids: Sequence[str] = (),
    subscribe: bool = False,
    provider: InlineEdge | None = None,
    max_messages: int | None = None,
    shown: Shown = lambda done: None,
) -> tuple[Composition, int]:
    """Store a market's books from ``url`` until the stream ends or ``max_messages`` came; the finished composition, and how many came.

    With ``token_ids`` (or a market that the catalogue knows) the venue's market channel is spoken, and its books are proved by hash.
    ``provider`` answers for fresh generic books; the fake one, whose book is older than any gap, if none is given.
    """
    tokens = tuple(token_ids) or venue_tokens(store, market_id)
    edge: AsyncEdge
    if tokens:
        venue = venue_of_url(url)
        with store.begin() as conn:
            claim_venue(conn, venue)
            known = stored_markets(conn, [market_id])
        market = known[0] if known else Market(market_id=market_id, outcomes=tuple(Outcome(token, token) for token in tokens))
        edge = venue_feed(url)
        gateway, inline, answers = Gateway(market=market_id, mirror=False), [Outward(edge)], None
    else:
        venue, market = "generic", generic_market(market_id, outcome_id)
        edge = generic_feed(url, market_id, subscribe=subscribe, max_messages=max_messages)
        gateway, inline, answers = (
            Gateway(market=market_id, outcome_id=outcome_id, mirror=False),
            [],
            provider or fake_snapshots(),
        )
    run = Composition(
        store,
        gateway,
        markets=[market],
        venue=venue,
        source=url,
        edges=inline,
        provider=answers,
        start_ns=SystemClock().now_ns(),
    )
    try:
        frames = await run_stream(run.lockstep, edge, max_messages, shown=shown)
    finally:
        run.finish()
    return run, frames
