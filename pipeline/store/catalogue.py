"""Markets, their outcomes and their versions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from pipeline.messages.market import Market
from pipeline.messages.records import MarketVersion
from pipeline.store.open import claim_venue
from pipeline.store.schema import market_versions, markets, outcomes
from pipeline.store.statements import columns, insert_missing_sql, insert_sql, upsert_sql


class OutcomeKey(NamedTuple):
    """How the tables name one token."""

    market_id: str
    outcome_id: str


def outcome_key(market: str, token_id: str) -> OutcomeKey:
    """The names of a token in the tables: of ``mkt-1/yes`` in market ``mkt-1`` the outcome is ``yes``; else it is the token id."""
    prefix = f"{market}/"
    return OutcomeKey(market, token_id[len(prefix) :] if token_id.startswith(prefix) else token_id)


def mention_market(conn: Connection, run_id: int, market_id: str) -> None:
    """Make a row for a market that the catalogue has not described; a known one is left alone."""
    conn.exec_driver_sql(insert_missing_sql(markets, ("market_id", "run_id")), (market_id, run_id))


def mention_outcomes(conn: Connection, run_id: int, token_ids: Iterable[tuple[str, str]]) -> None:
    """Make rows for (market, token_id) pairs that the catalogue has not described; known ones are left alone."""
    for market, token_id in token_ids:
        mention_market(conn, run_id, market)
        key = outcome_key(market, token_id)
        count = conn.exec_driver_sql("SELECT count(*) FROM outcomes WHERE market_id = ?", (market,)).scalar()
        conn.exec_driver_sql(insert_missing_sql(outcomes, columns(outcomes)), (*key, token_id, key.outcome_id, count))


def append_version(conn: Connection, run_id: int, version: MarketVersion) -> bool:
    """Store what the catalogue says of a market, its latest row and its outcomes; returns whether anything was written.

    An unchanged market writes nothing. A changed volume alone changes the latest row, and makes no new version.
    Raises WrongDatabase if the version is of a venue that the database does not belong to.
    """
    claim_venue(conn, version.venue)
    market = version.market
    row = conn.exec_driver_sql("SELECT body, volume_24h_e6 FROM markets WHERE market_id = ?", (market.market_id,)).first()
    body = _body_without_volume(market)
    if row is not None and row[0] == body:
        if row[1] == market.volume_24h_e6:
            return False
        conn.exec_driver_sql("UPDATE markets SET volume_24h_e6 = ? WHERE market_id = ?", (market.volume_24h_e6, market.market_id))
        return True
    conn.exec_driver_sql(
        upsert_sql(markets, columns(markets), ("market_id",)), _market_row(run_id, market, version.valid_from_ns, body)
    )
    conn.exec_driver_sql(
        insert_sql(market_versions), (run_id, market.market_id, version.valid_from_ns, version.ts_ns, version.venue, body)
    )
    for position, outcome in enumerate(market.outcomes):
        key = outcome_key(market.market_id, outcome.token_id)
        conn.exec_driver_sql(
            upsert_sql(outcomes, columns(outcomes), ("market_id", "outcome_id")),
            (*key, outcome.token_id, outcome.name, position),
        )
    return True


def market_of_body(body: str, volume_24h_e6: int) -> Market:
    """The market that a stored body describes."""
    return msgspec.structs.replace(msgspec.json.decode(body, type=Market), volume_24h_e6=volume_24h_e6)


def _body_without_volume(market: Market) -> str:
    return msgspec.json.encode(msgspec.structs.replace(market, volume_24h_e6=0)).decode()


def _market_row(run_id: int, market: Market, valid_from_ns: int, body: str) -> tuple[object, ...]:
    """In the order of the columns of ``markets``."""
    return (
        market.market_id,
        run_id,
        market.question,
        market.slug,
        market.event_id,
        market.event_slug,
        market.event_title,
        market.group_item_title,
        market.tick_size,
        market.min_order_size,
        None if market.neg_risk is None else int(market.neg_risk),
        int(market.active),
        int(market.closed),
        int(market.accepting_orders),
        market.end_ns,
        market.volume_24h_e6,
        valid_from_ns,
        body,
    )
