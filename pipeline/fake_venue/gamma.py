"""The catalogue as Gamma tells it: JSON bodies of markets and events, filters, and paging by cursor. Pure.

Field names, types and traps (arrays inside texts, numbers beside texts of numbers) are those of the live service of 2026-06 to 2026-10.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6, parse_e6
from pipeline.messages.market import Market

Body = dict[str, Any]
Query = Mapping[str, Sequence[str]]
"""Query parameters; each may come several times, or hold several values with commas."""

MARKETS_LIMIT = 100
EVENTS_LIMIT = 500
DEFAULT_LIMIT = 20
_encoder = msgspec.json.Encoder(decimal_format="number")


@dataclass(frozen=True)
class Listing:
    """A market with what changes while it trades: YES best bid and ask, the last price, shares traded, and the winner once there is one.

    ``is_split``: it resolved 50/50.

    ``fee_type`` names the kind of its fees; a recorded market's is told by what it says of delays.
    """

    market: Market
    id: str
    best_bid_e6: int | None = None
    best_ask_e6: int | None = None
    last_trade: str = ""
    volume_e6: int = 0
    winner: int | None = None
    is_split: bool = False
    tags: tuple[str, ...] = ()
    fee_type: str | None = None


class BadQuery(Exception):
    """The service answers 422: a limit or cursor is not acceptable."""


class Page(NamedTuple):
    """One page, and the cursor of the next; empty at the end."""

    items: list[Body]
    next_cursor: str


def encode(body: object) -> bytes:
    """JSON with exact decimal numbers."""
    return _encoder.encode(body)


def market_body(listing: Listing, with_event: bool = True) -> Body:
    """One market; the event it belongs to is nested as in ``/markets``, not as in ``/events``."""
    market, closed = listing.market, listing.market.closed or listing.winner is not None
    bid, ask = listing.best_bid_e6, listing.best_ask_e6
    body: Body = {
        "id": listing.id,
        "question": market.question,
        "conditionId": market.market_id,
        "slug": market.slug,
        "resolutionSource": "",
        "endDate": iso(market.end_ns),
        "liquidity": "25000",
        "startDate": "2026-01-01T00:00:00Z",
        "description": f"{market.question} Invented by the fake venue.",
        "outcomes": json.dumps([outcome.name for outcome in market.outcomes]),
        "outcomePrices": json.dumps(_outcome_prices(listing)),
        "volume": format_e6(listing.volume_e6),
        "active": market.active,
        "closed": closed,
        "marketMakerAddress": "",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z",
        "new": False,
        "featured": False,
        "archived": False,
        "restricted": True,
        "groupItemTitle": market.group_item_title,
        "questionID": market.market_id,
        "enableOrderBook": market.enable_order_book,
        "orderPriceMinTickSize": Decimal(market.tick_size or "0.01"),
        "orderMinSize": Decimal(market.min_order_size or "5"),
        "volumeNum": number(listing.volume_e6),
        "liquidityNum": 25_000,
        "endDateIso": iso(market.end_ns)[:10],
        "startDateIso": "2026-01-01",
        "volume24hr": number(listing.volume_e6),
        "clobTokenIds": json.dumps(market.token_ids),
        "acceptingOrders": market.accepting_orders and not closed,
        "acceptingOrdersTimestamp": "2026-01-01T00:00:00Z",
        "secondsDelay": market.seconds_delay,
        "negRisk": bool(market.neg_risk),
        "negRiskOther": market.is_other,
        "ready": False,
        "funded": False,
        "cyom": False,
        "makerBaseFee": 1000,
        "takerBaseFee": 1000,
        "umaResolutionStatuses": "[]",
        "rfqEnabled": False,
        "holdingRewardsEnabled": False,
        "feesEnabled": market.fees is not None,
        "feeType": None,
        "rewardsMinSize": 0,
        "rewardsMaxSpread": 0,
        "spread": number((ONE_E6 if ask is None else ask) - (bid or 0)),
        "bestBid": number(bid or 0),
        "bestAsk": number(ONE_E6 if ask is None else ask),
    }
    if listing.last_trade:
        body["lastTradePrice"] = Decimal(listing.last_trade)
    if market.version is not None:
        body["version"] = market.version
    if market.neg_risk_market_id:
        body["negRiskMarketID"] = market.neg_risk_market_id
    if market.fees is not None:
        body["feeType"] = listing.fee_type or ("crypto_fees_v2" if market.taker_delay else "fake_fees")
        body["feeSchedule"] = {
            "exponent": market.fees.exponent,
            "rate": number(market.fees.rate_e6),
            "takerOnly": market.fees.taker_only,
            "rebateRate": number(market.fees.rebate_rate_e6),
        }
    if market.rewards is not None:
        body["rewardsMinSize"] = number(market.rewards.min_size_e6)
        body["rewardsMaxSpread"] = number(market.rewards.max_spread_e6 * 100)
        body["clobRewards"] = [_reward(listing)]
    if closed:
        body["umaResolutionStatus"] = "resolved"
    if with_event:
        body["events"] = [_event_head([listing])]
    return body


def event_body(listings: Sequence[Listing]) -> Body:
    """One event with all its markets."""
    body = _event_head(listings)
    body["markets"] = [market_body(listing, with_event=False) for listing in listings]
    body["tags"] = [{"id": str(100 + i), "label": tag.title(), "slug": tag} for i, tag in enumerate(listings[0].tags)]
    return body


def page_of_markets(listings: Sequence[Listing], query: Query) -> Page:
    """``/markets/keyset``: at most 100 a page. Raises BadQuery."""
    found = [listing for listing in listings if _market_wanted(listing, query)]
    return _page(found, query, MARKETS_LIMIT, market_body)


def page_of_events(listings: Sequence[Listing], query: Query) -> Page:
    """``/events/keyset``: at most 500 a page. Raises BadQuery."""
    found = [group for group in events_of(listings) if _event_wanted(group, query)]
    return _page(found, query, EVENTS_LIMIT, event_body)


def events_of(listings: Sequence[Listing]) -> list[list[Listing]]:
    """The markets by event, in the order of each event's first market."""
    groups: dict[str, list[Listing]] = {}
    for listing in listings:
        groups.setdefault(listing.market.event_id or listing.market.market_id, []).append(listing)
    return list(groups.values())


def values(query: Query, *names: str) -> set[str]:
    """All values of a parameter, under any of its names, split at commas."""
    return {value for name in names for given in query.get(name, ()) for value in given.split(",") if value}


def number(value_e6: int) -> Decimal:
    """Millionths as the plain JSON number that Gamma writes."""
    return Decimal(format_e6(value_e6))


def iso(ts_ns: int) -> str:
    """UTC time as Gamma writes it; empty for 0."""
    return datetime.fromtimestamp(ts_ns // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ts_ns else ""


def _page(found: Sequence[Any], query: Query, most: int, body_of: Callable[[Any], Body]) -> Page:
    limit, start = _whole(query, "limit", DEFAULT_LIMIT), _start(query)
    if not 1 <= limit <= most:
        raise BadQuery(f"limit must be between 1 and {most}")
    items = found[start : start + limit]
    after = start + limit
    return Page([body_of(item) for item in items], _cursor(after) if after < len(found) else "")


def _start(query: Query) -> int:
    cursors = query.get("after_cursor") or [""]
    if not cursors[0]:
        return _whole(query, "offset", 0)
    try:
        word, _, place = base64.urlsafe_b64decode(cursors[0]).decode().partition(":")
    except ValueError:
        word, place = "", ""
    if word != "after" or not place.isdigit():
        raise BadQuery("invalid after_cursor")
    return int(place)


def _cursor(place: int) -> str:
    return base64.urlsafe_b64encode(f"after:{place}".encode()).decode()


def _whole(query: Query, name: str, default: int) -> int:
    given = query.get(name)
    if not given:
        return default
    if not given[0].isdigit():
        raise BadQuery(f"{name} must be a whole number")
    return int(given[0])


def _is_closed(listing: Listing) -> bool:
    return listing.market.closed or listing.winner is not None


def _market_wanted(listing: Listing, query: Query) -> bool:
    market = listing.market
    checks = (
        (values(query, "id"), {listing.id}),
        (values(query, "slug"), {market.slug}),
        (values(query, "condition_ids"), {market.market_id}),
        (values(query, "clob_token_ids"), set(market.token_ids)),
        (values(query, "tag_slug"), set(listing.tags)),
    )
    if any(wanted and not wanted & has for wanted, has in checks):
        return False
    least = query.get("volume_num_min")
    if least and listing.volume_e6 < _amount(least[0]):
        return False
    return _is_closed(listing) == ("true" in values(query, "closed"))


def _amount(text: str) -> int:
    try:
        return parse_e6(text)
    except ValueError:
        raise BadQuery(f"{text} is not a number") from None


def _event_wanted(group: Sequence[Listing], query: Query) -> bool:
    market = group[0].market
    checks = (
        (values(query, "id"), {market.event_id}),
        (values(query, "slug"), {market.event_slug}),
        (values(query, "tag_slug"), set(group[0].tags)),
    )
    if any(wanted and not wanted & has for wanted, has in checks):
        return False
    return all(_is_closed(listing) for listing in group) == ("true" in values(query, "closed"))


def _event_head(group: Sequence[Listing]) -> Body:
    market = group[0].market
    volume = sum(listing.volume_e6 for listing in group)
    body: Body = {
        "id": market.event_id,
        "ticker": market.event_slug,
        "slug": market.event_slug,
        "title": market.event_title,
        "description": f"{market.event_title} Invented by the fake venue.",
        "startDate": "2026-01-01T00:00:00Z",
        "creationDate": "2026-01-01T00:00:00Z",
        "endDate": iso(market.end_ns),
        "active": True,
        "closed": all(_is_closed(listing) for listing in group),
        "archived": False,
        "new": False,
        "featured": False,
        "restricted": True,
        "liquidity": 25_000,
        "volume": number(volume),
        "volume24hr": number(volume),
        "enableOrderBook": True,
        "negRisk": bool(market.neg_risk),
        "enableNegRisk": bool(market.neg_risk),
        "negRiskAugmented": market.neg_risk_augmented,
        "cumulativeMarkets": market.cumulative,
    }
    if market.neg_risk_market_id:
        body["negRiskMarketID"] = market.neg_risk_market_id
    return body


def _outcome_prices(listing: Listing) -> list[str]:
    if listing.is_split:
        return ["0.5", "0.5"]
    if listing.winner is not None:
        return ["1" if i == listing.winner else "0" for i in range(2)]
    bid, ask = listing.best_bid_e6 or 0, ONE_E6 if listing.best_ask_e6 is None else listing.best_ask_e6
    mid = (bid + ask) // 2
    return [format_e6(mid), format_e6(ONE_E6 - mid)]


def _reward(listing: Listing) -> Body:
    rewards = listing.market.rewards
    return {
        "id": listing.id,
        "conditionId": listing.market.market_id,
        "assetAddress": "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB",
        "rewardsAmount": 0,
        "rewardsDailyRate": number(rewards.daily_rate_e6 if rewards else 0),
        "startDate": "2026-01-01",
        "endDate": "2500-12-31",
    }
