"""Gamma's JSON as catalogue values: market and event objects in, ``Market`` out, or a refusal that names the market and the reason.

Numbers are read as exact decimals. ``outcomes`` and ``clobTokenIds`` are texts that hold a JSON array each, aligned by index; a market of
protocol generation "v2" has its tokens in ``positionIds`` (Polymarket documentation and captures, seen 2026-06 to 2026-10).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import msgspec

from pipeline.base.errors import BadFrame
from pipeline.base.nesting import nests_too_deeply
from pipeline.base.units import ONE_E6, e6_of_decimal, format_e6
from pipeline.messages.market import FeeSchedule, Market, Outcome, Rewards

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CONDITION = re.compile(r"0x[0-9a-fA-F]{64}")
_TOKEN = re.compile(r"[0-9]{1,78}")
_LATEST_NS = 2**63 - 1
_TOO_MUCH = Decimal(10**12)
_LONGEST_DELAY_S = 86_400
_NOT_READABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
GENERATIONS = ("v1", "v2")


class MarketRefused(BadFrame):
    """One catalogue object is not a market that Polybot can hold. The others of its page are taken."""


class _Fees(msgspec.Struct, rename="camel"):
    rate: Decimal | None = None
    exponent: Decimal | None = None
    taker_only: bool | None = None
    rebate_rate: Decimal | None = None


class _Reward(msgspec.Struct, rename="camel"):
    rewards_daily_rate: Decimal | None = None


class _EventHead(msgspec.Struct, rename="camel"):
    """What a market takes over from its event."""

    id: str | int | None = None
    slug: str | None = None
    title: str | None = None
    enable_neg_risk: bool | None = None
    neg_risk: bool | None = None
    neg_risk_augmented: bool | None = None
    neg_risk_market_id: str | None = msgspec.field(name="negRiskMarketID", default=None)
    cumulative_markets: bool | None = None


class _Event(_EventHead, rename="camel"):
    markets: list[msgspec.Raw] = []


class _Market(msgspec.Struct, rename="camel"):
    """The fields of Gamma's market object that are used; any may be missing or null."""

    id: str | int | None = None
    slug: str | None = None
    question: str | None = None
    condition_id: str | None = None
    question_id: str | None = msgspec.field(name="questionID", default=None)
    description: str | None = None
    resolution_source: str | None = None
    market_type: str | None = None
    version: str | None = None
    outcomes: str | list[str] | None = None
    clob_token_ids: str | list[str] | None = None
    position_ids: str | list[str] | None = None
    group_item_title: str | None = None
    neg_risk_other: bool | None = None
    active: bool | None = None
    closed: bool | None = None
    archived: bool | None = None
    accepting_orders: bool | None = None
    enable_order_book: bool | None = None
    end_date: str | None = None
    game_start_time: str | None = None
    seconds_delay: int | None = None
    order_min_size: Decimal | None = None
    order_price_min_tick_size: Decimal | None = None
    neg_risk: bool | None = None
    neg_risk_market_id: str | None = msgspec.field(name="negRiskMarketID", default=None)
    fees_enabled: bool | None = None
    fee_type: str | None = None
    fee_schedule: _Fees | None = None
    rewards_min_size: Decimal | None = None
    rewards_max_spread: Decimal | None = None
    clob_rewards: list[_Reward] | None = None
    volume24hr: Decimal | None = None
    events: list[_EventHead] | None = None


class _Ended(msgspec.Struct, rename="camel"):
    """Just enough of a market to know whether it has resolved No."""

    closed: bool | None = None
    outcome_prices: str | list[str] | None = None


class _Named(msgspec.Struct, rename="camel"):
    """Just enough of an object to name it in a complaint."""

    id: Any = None
    slug: Any = None
    condition_id: Any = None


class _Page(msgspec.Struct):
    """One answer of a keyset listing."""

    markets: list[msgspec.Raw] = []
    events: list[msgspec.Raw] = []
    next_cursor: str | None = None


class Page(msgspec.Struct, frozen=True):
    """One page of a listing: its objects undecoded, and the cursor of the next one ("": it was the last)."""

    objects: tuple[msgspec.Raw, ...]
    next_cursor: str


_MARKET = msgspec.json.Decoder(_Market)
_EVENT = msgspec.json.Decoder(_Event)
_ENDED = msgspec.json.Decoder(_Ended)
_NAMED = msgspec.json.Decoder(_Named)
_PAGE = msgspec.json.Decoder(_Page)
_OBJECTS = msgspec.json.Decoder(list[msgspec.Raw])
_TEXTS = msgspec.json.Decoder(list[str])


def decode_page(body: bytes) -> Page:
    """A page of a listing: keyset answers are an object, offset answers a bare array. Raises BadFrame."""
    if nests_too_deeply(body):
        raise BadFrame("not a catalogue page: nested too deeply")
    try:
        if body.lstrip()[:1] == b"[":
            return Page(tuple(_OBJECTS.decode(body)), "")
        page = _PAGE.decode(body)
    except _NOT_READABLE as error:
        raise BadFrame(f"not a catalogue page: {error}; it begins with {body[:60]!r}") from None
    return Page(tuple(page.markets or page.events), page.next_cursor or "")


def decode_markets(objects: Sequence[msgspec.Raw | bytes]) -> tuple[list[Market], list[MarketRefused]]:
    """The markets among market objects, in order, and why the others were refused."""
    markets: list[Market] = []
    refused: list[MarketRefused] = []
    for raw in objects:
        try:
            markets.append(decode_market(raw))
        except MarketRefused as error:
            refused.append(error)
    return markets, refused


def decode_event(raw: msgspec.Raw | bytes) -> tuple[list[Market], list[MarketRefused]]:
    """The markets of an event object, in its order, and why others were refused. Raises MarketRefused if it is no event."""
    try:
        event = _EVENT.decode(raw)
    except _NOT_READABLE as error:
        raise MarketRefused(f"event {_name(raw)}: {error}") from None
    markets: list[Market] = []
    refused: list[MarketRefused] = []
    count = sum(not _resolved_no(each) for each in event.markets)
    for each in event.markets:
        try:
            market = decode_market(each, event)
            markets.append(msgspec.structs.replace(market, event_market_count=count))
        except MarketRefused as refusal:
            refused.append(refusal)
    return markets, refused


def _resolved_no(raw: msgspec.Raw) -> bool:
    """Whether a market of an event can resolve Yes no more. What cannot be read may."""
    try:
        market = _ENDED.decode(raw)
        return bool(market.closed) and decode_texts(market.outcome_prices, "outcomePrices") == ["0", "1"]
    except (*_NOT_READABLE, ValueError):
        return False


def decode_market(raw: msgspec.Raw | bytes, event: _EventHead | None = None) -> Market:
    """One market object; ``event`` is the object it stood in, else the market's own ``events`` say it.

    Raises MarketRefused: no condition id, not binary, no token ids (the order book does not know it yet), an unreadable value.
    """
    try:
        market = _MARKET.decode(raw)
    except _NOT_READABLE as error:
        raise MarketRefused(f"market {_name(raw)}: {error}") from None
    try:
        return _market(market, event or (market.events[0] if market.events else _EventHead()))
    except (ValueError, ArithmeticError) as error:
        raise MarketRefused(f"market {_name(raw)}: {error}") from None


def _market(raw: _Market, event: _EventHead) -> Market:
    if raw.condition_id is None or not _CONDITION.fullmatch(raw.condition_id):
        raise ValueError(f"conditionId {raw.condition_id!r} is not 0x and 64 hex digits")
    if raw.market_type == "scalar":
        raise ValueError("it is a scalar market; only binary ones are followed")
    if raw.version not in (None, *GENERATIONS):
        raise ValueError(f"version {raw.version!r} is unknown; known are {', '.join(GENERATIONS)}")
    neg_risk = raw.neg_risk if raw.neg_risk is not None else event.enable_neg_risk
    return Market(
        market_id=raw.condition_id,
        outcomes=_outcomes(raw),
        question=raw.question or "",
        slug=raw.slug or "",
        event_id="" if event.id is None else str(event.id),
        event_slug=event.slug or "",
        event_title=(event.title or "").strip(),
        group_item_title=raw.group_item_title or "",
        tick_size=_tick_size(raw.order_price_min_tick_size),
        min_order_size=_positive(raw.order_min_size, "orderMinSize"),
        neg_risk=neg_risk,
        neg_risk_augmented=bool(event.neg_risk_augmented),
        neg_risk_market_id=raw.neg_risk_market_id or (event.neg_risk_market_id or "" if neg_risk else ""),
        version=raw.version,
        active=bool(raw.active) and not raw.archived,
        closed=bool(raw.closed),
        accepting_orders=bool(raw.accepting_orders),
        enable_order_book=bool(raw.enable_order_book),
        end_ns=_time_ns(raw.end_date, "endDate"),
        game_start_ns=_time_ns(raw.game_start_time, "gameStartTime"),
        seconds_delay=_delay(raw.seconds_delay),
        fees=_fees(raw),
        taker_delay=(raw.fee_type or "").startswith("crypto"),
        rewards=_rewards(raw),
        volume_24h_e6=_floor_e6(raw.volume24hr),
        rules_hash=_rules_hash(raw),
        is_other=bool(raw.neg_risk_other),
        cumulative=bool(event.cumulative_markets),
    )


def _outcomes(raw: _Market) -> tuple[Outcome, ...]:
    names = decode_texts(raw.outcomes, "outcomes")
    if len(names) != 2:
        raise ValueError(f"outcomes are {names}; a binary market has two")
    field = "positionIds" if raw.version == "v2" else "clobTokenIds"
    token_ids = decode_texts(raw.position_ids if raw.version == "v2" else raw.clob_token_ids, field)
    if not any(token_ids):
        raise ValueError(f"{field} are empty; the order book does not know it")
    if len(token_ids) != len(names):
        raise ValueError(f"{field} has {len(token_ids)} entries for {len(names)} outcomes")
    for token_id in token_ids:
        if not _TOKEN.fullmatch(token_id):
            raise ValueError(f"{field} holds {token_id!r}, which is not a decimal number of at most 78 digits")
    if token_ids[0] == token_ids[1]:
        raise ValueError(f"{field} gives both outcomes the token {token_ids[0]}")
    return tuple(Outcome(token_id, name) for token_id, name in zip(token_ids, names, strict=True))


def decode_texts(value: str | list[str] | None, field: str) -> list[str]:
    """A list that comes as a JSON text or, from some endpoints, as a real array. Raises ValueError."""
    if not value:
        return []
    if isinstance(value, list):
        return value
    try:
        return _TEXTS.decode(value)
    except _NOT_READABLE:
        raise ValueError(f"{field} {value[:80]!r} is not a JSON array of texts") from None


def _positive(value: Decimal | None, field: str) -> str | None:
    """The shortest text of a number, as the order book writes it; None where the catalogue has none (or 0)."""
    if value is None or value == 0:
        return None
    e6 = _exact_e6(value, field)
    if e6 < 0:
        raise ValueError(f"{field} {value} is negative")
    return format_e6(e6)


def _tick_size(value: Decimal | None) -> str | None:
    if value is not None and value >= 1:
        raise ValueError(f"orderPriceMinTickSize {value} is not below 1")
    return _positive(value, "orderPriceMinTickSize")


def _exact_e6(value: Decimal, field: str) -> int:
    if not value.is_finite() or abs(value) >= _TOO_MUCH:
        raise ValueError(f"{field} is {value:.6g}")
    return e6_of_decimal(value)


def _time_ns(text: str | None, field: str) -> int:
    """UTC nanoseconds of an ISO time; the venue also writes ``2026-04-05 15:10:00+00``. A time without a zone is UTC."""
    if not text:
        return 0
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{field} {text!r} is not a time") from None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return min(_LATEST_NS, max(0, (time - _EPOCH) // timedelta(microseconds=1) * 1_000))


def _delay(seconds: int | None) -> int:
    if seconds is not None and not 0 <= seconds <= _LONGEST_DELAY_S:
        raise ValueError(f"secondsDelay {seconds} is outside 0 to {_LONGEST_DELAY_S}")
    return seconds or 0


def _fees(raw: _Market) -> FeeSchedule | None:
    """Rate 0 where fees are off; None where they are on and the schedule is not told."""
    if raw.fees_enabled is False or (raw.fees_enabled is None and raw.fee_schedule is None):
        return FeeSchedule()
    schedule = raw.fee_schedule
    if schedule is None or schedule.rate is None:
        return None
    exponent = Decimal(1) if schedule.exponent is None else schedule.exponent
    if not 0 <= exponent <= 8 or exponent != int(exponent):
        raise ValueError(f"fee exponent {exponent} is not a whole number from 0 to 8")
    return FeeSchedule(
        rate_e6=_exact_e6(schedule.rate, "fee rate"),
        exponent=int(exponent),
        taker_only=schedule.taker_only is not False,
        rebate_rate_e6=_exact_e6(schedule.rebate_rate or Decimal(0), "fee rebateRate"),
    )


def _rewards(raw: _Market) -> Rewards | None:
    """The reward band; Gamma's maximum spread is in cents. None without a band."""
    if not raw.rewards_max_spread:
        return None
    return Rewards(
        min_size_e6=_floor_e6(raw.rewards_min_size),
        max_spread_e6=_floor_e6(raw.rewards_max_spread / 100),
        daily_rate_e6=sum(_floor_e6(reward.rewards_daily_rate) for reward in raw.clob_rewards or ()),
    )


def _floor_e6(value: Decimal | None) -> int:
    """Millionths of an amount that nothing is paid from, rounded down: the catalogue gives volumes in sixteen digits."""
    if value is None:
        return 0
    if not value.is_finite() or abs(value) >= _TOO_MUCH:
        raise ValueError(f"{value:.6g} is not an amount")
    return int((value * ONE_E6).to_integral_value(ROUND_FLOOR))


def _rules_hash(raw: _Market) -> str:
    """What decides the outcome, as one hash: if it changes, the market is another bet than it was."""
    rules = [
        raw.question_id,
        raw.question,
        raw.description,
        raw.resolution_source,
        raw.group_item_title,
        decode_texts(raw.outcomes, "outcomes"),
    ]
    return hashlib.sha256(msgspec.json.encode(rules)).hexdigest()[:32]


def _name(raw: msgspec.Raw | bytes) -> str:
    """The best name that an object gives itself, for a complaint."""
    try:
        named = _NAMED.decode(raw)
    except _NOT_READABLE:
        return repr(bytes(raw)[:60])
    return str(named.slug or named.condition_id or named.id or repr(bytes(raw)[:60]))[:120]
