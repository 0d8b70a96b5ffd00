"""Which relayer takes the orders, as the settings say."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.base.settings import Settings
from pipeline.messages.market import Market
from pipeline.messages.orders import Mode, PlaceOrder
from pipeline.trading.policy import FeedPolicy, allowed_states
from pipeline.venue.clob.offline import require_offline
from pipeline.venue.fake_relayer import FakeRelayer
from pipeline.venue.paper_relayer import PaperRelayer
from pipeline.venue.relayer import Relayer
from pipeline.venue.scripted import ScriptedRelayer

Sign = Callable[[PlaceOrder, Market, str, int], tuple[str, str]]
"""Signs an order of a market with a tick size (as text) at a time: its hash and its body."""


def relayer_of(settings: Settings, sign: Sign | None = None) -> tuple[Relayer, Mode]:
    """The relayer of ``[execution]``, and the mode that its fills are booked under. Raises BadInput.

    Beside the offline venue it refuses what that venue, in the state that it was told to be in, would refuse.
    ``sign`` gives signed orders in place of the wallet, whose key is not read then.
    """
    relayer: Relayer
    mode: Mode
    if settings.execution.relayer == "clob":
        return clob_relayer(settings, sign), "offline"
    if settings.execution.relayer == "fake":
        relayer, mode = FakeRelayer(settings.execution.fill_ratio), "fake"
    else:
        allowed = allowed_states("paper", FeedPolicy(settings.confidence))
        relayer, mode = PaperRelayer.from_settings(settings.paper, allowed), "paper"
    return (ScriptedRelayer(relayer) if settings.venue.name == "fake" else relayer), mode


def clob_relayer(settings: Settings, sign: Sign | None = None) -> Relayer:
    """The relayer that signs orders for a venue on this machine. Raises BadInput for any other, and without the extra ``live``."""
    from pipeline.venue.clob_relayer import ClobRelayer

    require_offline(settings.polymarket)
    return ClobRelayer(sign or _signer(settings))


def _signer(settings: Settings) -> Sign:
    """What signs with the wallet."""
    from pipeline.venue.clob.order_body import sign_order
    from pipeline.venue.clob.wallet import wallet_of

    wallet = wallet_of(settings.secrets, offline=True)

    def sign(order: PlaceOrder, market: Market, tick_size: str, now_ns: int) -> tuple[str, str]:
        """The hash, and the body without the name of the account: it is recorded."""
        signed = sign_order(order, market, tick_size, wallet, "", now_ns)
        return signed.order_hash, signed.body.decode()

    return sign
