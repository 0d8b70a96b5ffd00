"""The generic ("Polymarket-like") event stream: one JSON object a frame, with ``type`` and ``seq``.

``snapshot`` and ``l2_snapshot`` hold a whole book, ``delta`` and ``l2_update`` signed size changes. Numbers may be JSON numbers or
numeric strings; both are kept as the exact text that was written, so 0.40 never passes through a binary float.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated, Any, Literal, NoReturn

import msgspec

from pipeline.base.errors import BadFrame
from pipeline.base.units import NS_PER_MS
from pipeline.messages import Message
from pipeline.messages.market import BookDelta, BookSource, TextLevel, VenueBook
from pipeline.venue.numbers import LARGEST_SEQ, LATEST_MS, number_e6, number_text, whole

SNAPSHOTS = frozenset({"snapshot", "l2_snapshot"})
DELTAS = frozenset({"delta", "l2_update"})
CHANNEL = "l2"

_NOT_PLAIN = (msgspec.DecodeError, ValueError, RecursionError)
OTHER_MARKET = "other_market"
OTHER_CHANNEL = "other_channel"


@dataclass(frozen=True)
class GenericRules:
    """What a frame means that does not say so itself: its market and its outcome.

    ``market``: frames that name another one are skipped; "" takes every market, and then each frame must name its own.
    """

    market: str = ""
    outcome_id: str = "yes"

    token_id: str = field(init=False, default="")
    """What a frame is about that names neither."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "token_id", f"{self.market}/{self.outcome_id}")


Seq = Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEQ)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=LATEST_MS)]


class GenericFrame(msgspec.Struct, gc=False):
    """A frame as it is nearly always written; what does not fit goes the long way round."""

    type: str | None = None
    seq: Seq | None = None
    ts_ms: Milliseconds | None = None
    bids: tuple[tuple[Any, Any], ...] | None = None
    asks: tuple[tuple[Any, Any], ...] | None = None
    market: str | None = None
    outcome_id: str | None = None
    channel: str | None = None
    checksum: Any = None
    data: Any = None
    event_type: Any = None


class _Delta(msgspec.Struct, gc=False, tag_field="type", tag="delta"):
    """A delta as nearly all frames are. One of anything else, or one that must be refused, is no such."""

    seq: Seq
    ts_ms: Milliseconds | None = None
    bids: tuple[tuple[Any, Any], ...] | None = None
    asks: tuple[tuple[Any, Any], ...] | None = None
    market: str | None = None
    outcome_id: str | None = None
    channel: Literal["l2"] | None = None
    data: None = None
    event_type: None = None


class _Update(_Delta, gc=False, tag="l2_update"):
    pass


_deltas = msgspec.json.Decoder(_Delta | _Update, float_hook=str)
_decoder = msgspec.json.Decoder(GenericFrame, float_hook=str)
_keys = frozenset(f.name for f in msgspec.structs.fields(GenericFrame))


def plain_delta(data: bytes, ts_ns: int, rules: GenericRules) -> BookDelta | None:
    """What ``decode_plain`` and ``to_message`` make of a delta, in half the time; None for all that they may see differently.

    Raises BadFrame for levels that are no numbers.
    """
    try:
        frame = _deltas.decode(data)
    except _NOT_PLAIN:
        return None
    market, named, outcome_id, ts_ms = rules.market, frame.market, frame.outcome_id, frame.ts_ms
    if named is not None and named != market:
        if market:
            return None
        market = named
        token_id = f"{named}/{outcome_id or rules.outcome_id}"
    elif not market:
        return None
    else:
        token_id = f"{market}/{outcome_id}" if outcome_id else rules.token_id
    bids, asks = frame.bids, frame.asks
    return BookDelta(
        ts_ns if ts_ms is None else ts_ms * NS_PER_MS,
        token_id,
        market,
        frame.seq,
        _levels(bids, "bids") if bids else (),
        _levels(asks, "asks") if asks else (),
    )


def decode_plain(data: bytes) -> GenericFrame | None:
    """The frame, or None if it is not a plainly written generic one and must be read the long way."""
    try:
        frame = _decoder.decode(data)
    except _NOT_PLAIN:
        return None
    if frame.type is None or frame.event_type is not None or frame.data is not None:
        return None
    return frame


def frame_of(tree: dict[str, Any]) -> GenericFrame:
    """The frame in a decoded JSON object, unwrapped from ``data``, with numeric strings read. Raises BadFrame."""
    inner = tree.get("data")
    if inner is not None:
        if not isinstance(inner, dict):
            raise BadFrame(f"data: expected an object, got {_kind(inner)}")
        tree = {**{key: value for key, value in tree.items() if key != "data"}, **inner}
    if not isinstance(tree.get("type"), str):
        raise BadFrame("neither event_type nor type says what the frame is")
    found = {key: tree[key] for key in _keys if tree.get(key) is not None and key != "data"}
    if "seq" in found:
        found["seq"] = whole(found["seq"], "seq", LARGEST_SEQ)
    if "ts_ms" in found:
        found["ts_ms"] = whole(found["ts_ms"], "ts_ms", LATEST_MS)
    for key in ("market", "outcome_id"):
        if type(found.get(key)) is int:
            found[key] = number_text(found[key], key)
    try:
        return msgspec.convert(found, GenericFrame)
    except msgspec.ValidationError as error:
        raise BadFrame(str(error)) from None


def to_message(frame: GenericFrame, ts_ns: int, rules: GenericRules, source: BookSource = "ws") -> Message | str:
    """The message in a frame, or the name under which to count what is skipped.

    ``ts_ns`` is the time of receipt, for frames without ``ts_ms``. Raises BadFrame.
    """
    kind = frame.type
    is_delta = kind in DELTAS
    if not is_delta and kind not in SNAPSHOTS:
        return f"unknown:{kind}"
    if frame.channel is not None and frame.channel != CHANNEL:
        return OTHER_CHANNEL
    market = frame.market
    if market is None:
        market = rules.market
        if not market:
            raise BadFrame("market: the frame names none, and none was given")
    elif rules.market and market != rules.market:
        return OTHER_MARKET
    seq, ts_ms, outcome_id = frame.seq, frame.ts_ms, frame.outcome_id
    if seq is None:
        raise BadFrame("seq: missing")
    if ts_ms is not None:
        ts_ns = ts_ms * NS_PER_MS
    if outcome_id or market is not rules.market:
        token_id = f"{market}/{outcome_id or rules.outcome_id}"
    else:
        token_id = rules.token_id
    if is_delta:
        bids, asks = frame.bids, frame.asks
        return BookDelta(
            ts_ns=ts_ns,
            token_id=token_id,
            market=market,
            seq=seq,
            bids=_levels(bids, "bids") if bids else (),
            asks=_levels(asks, "asks") if asks else (),
        )
    if frame.bids is None and frame.asks is None:
        raise BadFrame("the snapshot has neither bids nor asks")
    return VenueBook(
        ts_ns=ts_ns,
        token_id=token_id,
        market=market,
        bids=_whole_side(frame.bids or (), "bids"),
        asks=_whole_side(frame.asks or (), "asks"),
        source=source,
        hash=None if frame.checksum is None else str(frame.checksum)[:128],
        seq=seq,
    )


def _levels(items: tuple[tuple[Any, Any], ...], name: str) -> tuple[TextLevel, ...]:
    """(price, size) pairs as text, each checked to be a number."""
    try:
        if len(items) == 1:
            ((price, size),) = items
            return ((_text(price), _text(size)),)
        return tuple([(_text(price), _text(size)) for price, size in items])
    except (BadFrame, TypeError):
        return tuple([(number_text(price, name), number_text(size, name)) for price, size in items])


@lru_cache(maxsize=16_384)
def _text(value: Any) -> str:
    """A number that was met before costs one look-up. Raises BadFrame without naming the field, TypeError for lists and objects."""
    return number_text(value, "")


def _whole_side(items: tuple[tuple[Any, Any], ...], name: str) -> tuple[TextLevel, ...]:
    """The same for a snapshot, where a negative size is nonsense."""
    levels = _levels(items, name)
    for _, size in levels:
        if number_e6(size) < 0:
            _negative(size, name)
    return levels


def _negative(size: str, name: str) -> NoReturn:
    raise BadFrame(f"{name}: size {size} of a snapshot is negative")


def _kind(value: Any) -> str:
    return {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(
        type(value), "a number"
    )
