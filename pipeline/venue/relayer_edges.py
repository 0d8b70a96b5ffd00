"""How the configured relayer reaches its venue: the edges that run beside the executor."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pipeline.base.clock import SystemClock
from pipeline.base.settings import Settings
from pipeline.venue.fake_state import FakeVenueState

if TYPE_CHECKING:
    from pipeline.venue.clob_edge import ClobEdge


def relayer_edges(settings: Settings) -> list[ClobEdge | FakeVenueState]:
    """The way to the venue for orders that are sent; for those that are not, the offline venue's state, if it is there.

    Raises BadInput for a venue that is not on this machine, or a key that cannot be used.
    """
    if settings.execution.relayer == "clob":
        from pipeline.venue.clob.wallet import credentials_of, wallet_of
        from pipeline.venue.clob_edge import ClobEdge

        wallet, credentials = wallet_of(settings.secrets, offline=True), credentials_of(settings.secrets)
        return [ClobEdge(settings.polymarket, settings.venue, wallet, SystemClock(), random.Random(), credentials)]
    return [FakeVenueState(settings.polymarket.clob_url)] if settings.venue.name == "fake" else []
