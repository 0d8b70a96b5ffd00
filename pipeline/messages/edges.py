"""What passes between a stage and its edges, inside one process: raw bytes from outside, and requests to the outside.

These kinds are on no stream. An edge thread sends them to its stage's loop; a stage sends requests by returning them.
"""

from __future__ import annotations

from typing import Literal

from pipeline.messages import Message
from pipeline.messages.market import LinkState, Market, MarketResolved
from pipeline.messages.orders import TradeStatus, VenueState

# --- gateway -------------------------------------------------------------------------------------------------------


class RawFrame(Message, frozen=True, gc=False):
    """One frame from outside, exactly as received. ``ts_ns`` is the wall clock at receipt, ``mono_ns`` the monotonic one (0 in replay).

    ``where`` names its place for a complaint: ``file:line`` of a recording, or the link.
    """

    link_id: str
    data: bytes
    mono_ns: int = 0
    where: str = ""

    @property
    def key(self) -> str:
        return self.link_id


class FrameSent(Message, frozen=True, kw_only=True, gc=False):
    """One frame we sent (a subscription, a PING): recorded, never interpreted."""

    link_id: str
    data: bytes
    mono_ns: int = 0


class LinkEvent(Message, frozen=True, kw_only=True, gc=False):
    """A websocket link changed its state. ``token_ids`` are the tokens that the link carries."""

    link_id: str
    state: LinkState
    reason: str = ""
    token_ids: tuple[str, ...] = ()
    mono_ns: int = 0


class FollowTokens(Message, frozen=True, kw_only=True, gc=False):
    """The gateway asks its websocket edge to carry exactly these tokens, in this order."""

    token_ids: tuple[str, ...]


SPOT_CHECK = "spot_check"
"""The cause of requests for books that nobody waits for."""


class FetchBooks(Message, frozen=True, kw_only=True, gc=False):
    """The gateway asks its snapshot provider for fresh books; ``markets`` runs parallel to ``token_ids``."""

    token_ids: tuple[str, ...]
    markets: tuple[str, ...]
    cause: str
    request_id: int = 0


class Resubscribe(Message, frozen=True, kw_only=True, gc=False):
    """The gateway asks its websocket edge to end the subscription to these tokens on one link and to begin it afresh there."""

    token_ids: tuple[str, ...]
    link_id: str


class Reconnect(Message, frozen=True, kw_only=True, gc=False):
    """The gateway asks its websocket edge to end a link's connection, which is then made again; ``reason`` is told with its end."""

    link_id: str
    reason: str


class RestBody(Message, frozen=True, kw_only=True, gc=False):
    """The body of one HTTP answer, exactly as received. ``status`` 0: no answer, and ``error`` says why.

    ``cause`` is why it was asked for, where a request is made for one cause only (``spot_check``).
    """

    request: str
    status: int
    body: bytes
    request_id: int = 0
    token_ids: tuple[str, ...] = ()
    error: str = ""
    mono_ns: int = 0
    cause: str = ""


class FeedEnded(Message, frozen=True, kw_only=True, gc=False):
    """The source has no more frames: the end of a recording, or a stream closed normally."""

    reason: str


# --- scheduler -----------------------------------------------------------------------------------------------------


class FetchCatalogue(Message, frozen=True, kw_only=True, gc=False):
    """The scheduler asks its catalogue edge for the markets of the configured universe.

    ``ended`` are market ids that were followed, or of which something is held: of those that are no longer among them it is asked how they
    have resolved, if they have.
    """

    request_id: int
    ended: tuple[str, ...] = ()


class CatalogueFetched(Message, frozen=True, kw_only=True):
    """The catalogue's answer. ``error`` is empty when it is whole; otherwise ``markets`` is not to be used.

    ``refused`` counts catalogue objects that are no markets; ``notes`` say which wanted markets are not among them, and why. ``ended`` are
    the resolutions among the markets that were asked about.
    """

    request_id: int
    markets: tuple[Market, ...]
    source: str
    error: str = ""
    refused: int = 0
    notes: tuple[str, ...] = ()
    ended: tuple[MarketResolved, ...] = ()


# --- executor ------------------------------------------------------------------------------------------------------

RelayerEventKind = Literal[
    "accepted",
    "rejected",
    "filled",
    "cancelled",
    "cancel_refused",
    "delayed",
    "expired",
    "lost",
    "trade_updated",
    "concluded",
]


RefusalCode = Literal[
    "",
    "restarting",
    "post_only",
    "cancel_only",
    "disabled",
    "rate_limited",
    "duplicate",
    "crosses",
    "no_match",
    "invalid",
    "balance",
    "restricted",
    "unauthorized",
    "unknown_market",
    "internal",
]
"""What kind of refusal a relayer met; "" where nothing more is known than the reason's words."""


class RelayerEvent(Message, frozen=True, kw_only=True, gc=False):
    """What a relayer says of one order. For ``filled``: price, size, fee and liquidity of this trade, all in millionths.

    ``lost``: the order was sent and no answer came. ``trade_updated``: an earlier trade has a new ``trade_status``. ``concluded``: the
    order is over, and every trade of it has been told.
    ``code`` tells refusals apart; ``retry_after_ms`` is how long the venue asks to wait (0: it does not say).
    """

    kind: RelayerEventKind
    client_order_id: str
    venue_order_id: str = ""
    reason: str = ""
    trade_id: str = ""
    price_e6: int = 0
    size_e6: int = 0
    fee_e6: int = 0
    liquidity: Literal["maker", "taker"] = "maker"
    trade_status: TradeStatus = "confirmed"
    code: RefusalCode = ""
    retry_after_ms: int = 0


class JournalSeen(Message, frozen=True, kw_only=True, gc=False):
    """How far our journal is ahead of the database, while that is worth a word, and once afterwards.

    ``backlog`` records are not known to be stored; from ``limit`` on nothing is begun. ``free_bytes`` is what the journal's disk has left.
    """

    backlog: int
    limit: int
    free_bytes: int
    min_free_bytes: int


class VenueStateSeen(Message, frozen=True, kw_only=True, gc=False):
    """The offline venue was told to behave like this; the relayer beside it answers orders accordingly."""

    state: VenueState


VenueRequestKind = Literal["place", "cancel", "cancel_all", "order", "open_orders", "trades", "heartbeat", "balance"]


class VenueRequest(Message, frozen=True, kw_only=True, gc=False):
    """The relayer asks its edge to send one private request. The edge adds the account and the headers as it sends it, once.

    ``path`` is what is signed; ``query`` follows it after a "?" and is not. ``body`` is what is sent, but for the account's name.
    """

    request_id: int
    kind: VenueRequestKind
    method: Literal["GET", "POST", "DELETE"]
    path: str
    query: str = ""
    body: bytes = b""


class VenueReply(Message, frozen=True, kw_only=True, gc=False):
    """The answer to one VenueRequest, exactly as received; each request has one. ``status`` 0: there was none, and ``error`` says why.

    ``sent`` False: the request has certainly not reached the venue. ``kind`` is the request's.
    """

    request_id: int
    status: int
    body: bytes = b""
    retry_after_s: str = ""
    error: str = ""
    sent: bool = True
    kind: VenueRequestKind | Literal[""] = ""
