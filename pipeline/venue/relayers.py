"""Which relayer takes the orders, as the settings say."""

from __future__ import annotations

from pipeline.base.settings import Settings
from pipeline.messages.orders import Mode
from pipeline.trading.policy import FeedPolicy, allowed_states
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.paper_relayer import PaperRelayer
from pipeline.venue.relayer import Relayer
from pipeline.venue.scripted import ScriptedRelayer


def relayer_of(settings: Settings) -> tuple[Relayer, Mode]:
    """The relayer of ``[execution]``, and the mode that its fills are booked under. Raises BadInput.

    Beside the offline venue it refuses what that venue, in the state that it was told to be in, would refuse.
    """
    relayer: Relayer
    mode: Mode
    if settings.execution.relayer == "fake":
        relayer, mode = FakeRelayer(settings.execution.fill_ratio), "fake"
    else:
        allowed = allowed_states("paper", FeedPolicy(settings.confidence))
        relayer, mode = PaperRelayer.from_settings(settings.paper, allowed), "paper"
    return (ScriptedRelayer(relayer) if settings.venue.name == "fake" else relayer), mode
