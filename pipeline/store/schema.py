"""Every table. A column's unit is in its name: ``_e6`` millionths, ``_ms`` and ``_ns`` UTC milliseconds and nanoseconds.

``ts_ms`` is when a thing happened: the venue's time where it gives one, else ours. ``ts_ns`` is when it reached us (or, of our own
words, when it was said). ``run_id`` refers to the process run that said it. ``market_id`` is a condition id or the caller's word,
``outcome_id`` a token id or the caller's word. Indices are few, as one more halves the rate of inserts: samples of the market
have one, on ``ts_ms``, which rises and so costs least; it serves periods and pruning.
"""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table, Text, UniqueConstraint

from pipeline.store.columns import maybe_whole, maybe_words, metadata, of_run, own_id, whole, words
from pipeline.store.market_tables import (
    book_states,
    feed_gaps,
    hash_checks,
    market_status,
    orderbook_events,
    orderbook_snapshots,
    trades,
)
from pipeline.store.trading_tables import (
    exec_audit,
    fills,
    halts,
    journal,
    markouts,
    opportunities,
    order_events,
    order_intents,
    orders,
    portfolio,
    reward_estimates,
)

__all__ = [
    "accepted_rules",
    "book_states",
    "exec_audit",
    "feed_gaps",
    "fills",
    "halts",
    "hash_checks",
    "journal",
    "market_status",
    "market_versions",
    "markets",
    "markouts",
    "meta",
    "metadata",
    "opportunities",
    "order_events",
    "order_intents",
    "orderbook_events",
    "orderbook_snapshots",
    "orders",
    "outcomes",
    "portfolio",
    "reward_estimates",
    "runs",
    "trades",
]

meta = Table("meta", metadata, Column("key", Text, primary_key=True), words("value"))
"""Facts about the whole database: ``venue``, whose data it holds."""

runs = Table(
    "runs",
    metadata,
    own_id(),
    words("producer"),
    words("run"),
    words("session", ""),
    words("role", ""),
    whole("pid", 0),
    words("source", ""),
    whole("started_ns"),
    maybe_whole("ended_ns"),
    words("reason", ""),
    words("counts", "{}"),
    words("body", "{}"),
    maybe_words("market_id"),
    maybe_words("file_sha256"),
    UniqueConstraint("producer", "run", name="uq_runs"),
)
"""One start of one role's process. ``run`` is its run id on the bus; a replay says which file and market it was."""

# --- the catalogue ---------------------------------------------------------------------------------------------------

markets = Table(
    "markets",
    metadata,
    Column("market_id", Text, primary_key=True),
    of_run(),
    words("question", ""),
    words("slug", ""),
    words("event_id", ""),
    words("event_slug", ""),
    words("event_title", ""),
    words("group_item_title", ""),
    maybe_words("tick_size"),
    maybe_words("min_order_size"),
    maybe_whole("neg_risk"),
    whole("active", 1),
    whole("closed", 0),
    whole("accepting_orders", 1),
    whole("end_ns", 0),
    whole("volume_24h_e6", 0),
    whole("valid_from_ns", 0),
    maybe_words("body"),
)
"""The latest version of each market; ``body`` is the whole of it as JSON, null for one that was only mentioned."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("market_id", Text, ForeignKey("markets.market_id"), nullable=False),
    words("outcome_id"),
    words("token_id"),
    words("name"),
    whole("position"),
    PrimaryKeyConstraint("market_id", "outcome_id"),
)
"""The tokens of a market; position 0 is the first outcome ("Yes")."""

market_versions = Table(
    "market_versions",
    metadata,
    own_id(),
    of_run(),
    Column("condition_id", Text, ForeignKey("markets.market_id"), nullable=False),
    whole("valid_from_ns"),
    whole("ts_ns"),
    words("venue"),
    words("body"),
    Index("ix_market_versions", "condition_id", "valid_from_ns"),
)
"""What the catalogue said of a market, and from when; only ever appended to. The volume of a day makes no new version."""

accepted_rules = Table(
    "accepted_rules",
    metadata,
    own_id(),
    Column("market_id", Text, ForeignKey("markets.market_id"), nullable=False),
    words("rules_hash"),
    words("reason", ""),
    whole("ts_ms"),
)
"""Rules of a market that are not those it was first seen with, and that an operator has accepted; only ever appended to."""
