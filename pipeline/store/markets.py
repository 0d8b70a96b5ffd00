"""Reading the catalogue: markets by id, slug or words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, or_, select

from pipeline.messages.market import Market
from pipeline.store.catalogue import market_of_body
from pipeline.store.rows import MarketRow, OutcomeRow, VersionRow, fetch
from pipeline.store.schema import market_versions, markets, outcomes

_NAMES = (
    "market_id",
    "question",
    "slug",
    "event_slug",
    "event_title",
    "tick_size",
    "neg_risk",
    "active",
    "closed",
    "accepting_orders",
    "end_ns",
    "volume_24h_e6",
)


def list_markets(conn: Connection, limit: int = 100, *, include_closed: bool = False) -> list[MarketRow]:
    """The markets with the largest volume of the last day first."""
    query = _select().order_by(markets.c.volume_24h_e6.desc(), markets.c.market_id).limit(limit)
    return _with_outcomes(conn, query if include_closed else query.where(markets.c.closed == 0))


def search_markets(conn: Connection, words: str, limit: int = 100) -> list[MarketRow]:
    """Markets that have every one of the words in question, slug, event title or event slug; closed ones too, last."""
    query = _select()
    for word in words.split():
        columns = (markets.c.question, markets.c.slug, markets.c.event_title, markets.c.event_slug)
        query = query.where(or_(*(column.contains(word, autoescape=True) for column in columns)))
    return _with_outcomes(
        conn, query.order_by(markets.c.closed, markets.c.volume_24h_e6.desc(), markets.c.market_id).limit(limit)
    )


def find_market(conn: Connection, name: str) -> MarketRow | None:
    """The market with this id or slug, or the one that a token id belongs to."""
    of_token = select(outcomes.c.market_id).where(or_(outcomes.c.token_id == name, outcomes.c.outcome_id == name))
    for condition in (markets.c.market_id == name, markets.c.slug == name, markets.c.market_id.in_(of_token)):
        found = _with_outcomes(conn, _select().where(condition).order_by(markets.c.market_id).limit(1))
        if found:
            return found[0]
    return None


def names_of(conn: Connection, ids: Collection[str]) -> dict[str, str]:
    """What a person calls the markets and tokens among some ids: a market by its place in its event, else by its question.

    Those that the catalogue has not described are left out.
    """
    wanted, found = sorted(ids), {}
    m, o = markets.c, outcomes.c
    columns = (m.market_id, o.token_id, o.name, m.group_item_title, m.question)
    query = select(*columns).join(outcomes, o.market_id == m.market_id, isouter=True)
    for row in conn.execute(query.where(or_(m.market_id.in_(wanted), o.token_id.in_(wanted)))):
        called = row.group_item_title or row.question
        if called:
            found[row.market_id] = called
            found[row.token_id] = f"{row.name} of {called}"
    return {name: found[name] for name in wanted if name in found}


def stored_markets(conn: Connection, market_ids: Sequence[str] | None = None) -> list[Market]:
    """The markets that the catalogue has described, as messages carry them; all of them, or those with the given ids."""
    query = select(markets.c.body, markets.c.volume_24h_e6).where(markets.c.body.is_not(None)).order_by(markets.c.market_id)
    if market_ids is not None:
        query = query.where(markets.c.market_id.in_(market_ids))
    return [market_of_body(body, volume) for body, volume in conn.execute(query)]


def versions_of(conn: Connection, market_id: str) -> list[VersionRow]:
    """What was said of a market over time, the oldest first."""
    columns = (market_versions.c.valid_from_ns, market_versions.c.ts_ns, market_versions.c.venue, market_versions.c.body)
    return fetch(
        conn, select(*columns).where(market_versions.c.condition_id == market_id).order_by(market_versions.c.id), VersionRow
    )


def _select() -> Select[Any]:
    return select(*(markets.c[name] for name in _NAMES))


def _with_outcomes(conn: Connection, query: Select[Any]) -> list[MarketRow]:
    rows: Sequence[Row[Any]] = conn.execute(query).all()
    of_market: dict[str, list[OutcomeRow]] = defaultdict(list)
    wanted = [row.market_id for row in rows]
    for start in range(0, len(wanted), 500):
        some = outcomes.c.market_id.in_(wanted[start : start + 500])
        for market_id, *values in conn.execute(select(outcomes).where(some).order_by(outcomes.c.market_id, outcomes.c.position)):
            of_market[market_id].append(OutcomeRow(*values))
    return [MarketRow(**row._mapping, outcomes=tuple(of_market[row.market_id])) for row in rows]
