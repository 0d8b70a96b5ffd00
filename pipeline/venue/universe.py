"""Which markets are followed: the listings that ``[universe]`` asks for, and the choice among what they hold. Pure.

Markets and events named by slug come first, whole; those found by tag or, if nothing is named, by volume fill the places that are left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pipeline.base.settings import UniverseSection
from pipeline.base.units import e6_of_decimal
from pipeline.messages.market import Market
from pipeline.venue.gamma_pages import Filters, Kind

_BY_VOLUME: Filters = (("closed", "false"), ("order", "volume24hr"), ("ascending", "false"))
_SPARE = 2
"""How many times ``max_tokens`` is looked at, so that a followed market that slips a little keeps its place."""


@dataclass(frozen=True)
class Query:
    """One listing that is wanted. ``named`` is the slug that must be found, "" for a search; a search ends after ``enough_tokens``."""

    kind: Kind
    filters: Filters
    named: str = ""
    enough_tokens: int = 0


@dataclass(frozen=True)
class Choice:
    """The markets to follow, and in a few words why others that were asked for by name, or fit no more, are not."""

    markets: tuple[Market, ...]
    left_out: tuple[tuple[str, str], ...]


def queries(universe: UniverseSection) -> tuple[Query, ...]:
    """The listings to read, in order of importance."""
    wanted = [Query("events", (("slug", slug),), named=slug) for slug in universe.events]
    wanted += [Query("markets", (("slug", slug),), named=slug) for slug in universe.markets]
    enough = _SPARE * universe.max_tokens
    wanted += [Query("events", (("tag_slug", tag), *_BY_VOLUME), enough_tokens=enough) for tag in universe.tags]
    return tuple(wanted) or (Query("markets", _BY_VOLUME, enough_tokens=enough),)


def obstacle(market: Market) -> str:
    """Why a market is not followed; "" if nothing speaks against it."""
    if market.closed:
        return "it is closed"
    if not market.active:
        return "it is not active"
    if not market.enable_order_book or not market.accepting_orders:
        return "it takes no orders"
    if market.fees is None:
        return "it charges fees and does not say which"
    return ""


def choose(named: Iterable[Market], found: Iterable[Market], universe: UniverseSection, followed: Collection[str] = ()) -> Choice:
    """At most ``max_tokens`` tokens: named markets in their order, then found ones by falling volume.

    ``followed`` are the market ids of the choice before: among the best ``2 x max_tokens`` tokens of what was found they go first, so that
    a market does not come and go with every small change of its volume.
    """
    left_out: list[tuple[str, str]] = []
    wanted: dict[str, Market] = {}
    for market in named:
        reason = obstacle(market)
        if reason:
            left_out.append((market.slug or market.market_id, reason))
        else:
            wanted.setdefault(market.market_id, market)
    least = e6_of_decimal(universe.min_volume_24h)
    others = {each.market_id: each for each in found if not obstacle(each) and each.volume_24h_e6 >= least}
    ranked = sorted(others.values(), key=lambda each: (-each.volume_24h_e6, each.market_id))
    best = _fitting(ranked, _SPARE * universe.max_tokens)
    for market in sorted(best, key=lambda each: each.market_id not in followed):
        wanted.setdefault(market.market_id, market)
    chosen = _fitting(wanted.values(), universe.max_tokens)
    if len(chosen) < len(wanted):
        left_out.append((f"{len(wanted) - len(chosen)} markets", f"max_tokens = {universe.max_tokens} is reached"))
    return Choice(tuple(chosen), tuple(left_out))


def _fitting(markets: Iterable[Market], tokens: int) -> list[Market]:
    """The first markets whose tokens fit, none of them halved."""
    fitting: list[Market] = []
    for market in markets:
        tokens -= len(market.outcomes)
        if tokens < 0:
            break
        fitting.append(market)
    return fitting
