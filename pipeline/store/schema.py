"""Every table. A column's unit is in its name: ``_e6`` millionths, ``_ms`` and ``_ns`` UTC milliseconds and nanoseconds.

``ts_ms`` is when a thing happened: the venue's time where it gives one, else ours. ``ts_ns`` is when it reached us (or, of our own
words, when it was said). ``run_id`` refers to the process run that said it. ``market_id`` is a condition id or the caller's word,
``outcome_id`` a token id or the caller's word. Indices are few, as one more halves the rate of inserts: samples of the market
have one, on ``ts_ms``, which rises and so costs least; it serves periods and pruning.
"""

from __future__ import annotations

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData()


def _id() -> Column[int]:
    return Column("id", Integer, primary_key=True)


def _run() -> Column[int]:
    return Column("run_id", Integer, ForeignKey("runs.id"), nullable=False)


def _int(name: str, default: int | None = None) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=None if default is None else text(str(default)))


def _maybe_int(name: str) -> Column[int]:
    return Column(name, Integer)


def _text(name: str, default: str | None = None) -> Column[str]:
    return Column(name, Text, nullable=False, server_default=default)


def _maybe_text(name: str) -> Column[str]:
    return Column(name, Text)


def _of_outcome() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["market_id", "outcome_id"], ["outcomes.market_id", "outcomes.outcome_id"])


# --- the database itself ---------------------------------------------------------------------------------------------

meta = Table("meta", metadata, Column("key", Text, primary_key=True), _text("value"))
"""Facts about the whole database: ``venue``, whose data it holds."""

runs = Table(
    "runs",
    metadata,
    _id(),
    _text("producer"),
    _text("run"),
    _text("session", ""),
    _text("role", ""),
    _int("pid", 0),
    _text("source", ""),
    _int("started_ns"),
    _maybe_int("ended_ns"),
    _text("reason", ""),
    _text("counts", "{}"),
    _text("body", "{}"),
    _maybe_text("market_id"),
    _maybe_text("file_sha256"),
    UniqueConstraint("producer", "run", name="uq_runs"),
)
"""One start of one role's process. ``run`` is its run id on the bus; a replay says which file and market it was."""

# --- the catalogue ---------------------------------------------------------------------------------------------------

markets = Table(
    "markets",
    metadata,
    Column("market_id", Text, primary_key=True),
    _run(),
    _text("question", ""),
    _text("slug", ""),
    _text("event_id", ""),
    _text("event_slug", ""),
    _text("event_title", ""),
    _text("group_item_title", ""),
    _maybe_text("tick_size"),
    _maybe_text("min_order_size"),
    _maybe_int("neg_risk"),
    _int("active", 1),
    _int("closed", 0),
    _int("accepting_orders", 1),
    _int("end_ns", 0),
    _int("volume_24h_e6", 0),
    _int("valid_from_ns", 0),
    _maybe_text("body"),
)
"""The latest version of each market; ``body`` is the whole of it as JSON, null for one that was only mentioned."""

outcomes = Table(
    "outcomes",
    metadata,
    Column("market_id", Text, ForeignKey("markets.market_id"), nullable=False),
    _text("outcome_id"),
    _text("token_id"),
    _text("name"),
    _int("position"),
    PrimaryKeyConstraint("market_id", "outcome_id"),
)
"""The tokens of a market; position 0 is the first outcome ("Yes")."""

market_versions = Table(
    "market_versions",
    metadata,
    _id(),
    _run(),
    Column("condition_id", Text, ForeignKey("markets.market_id"), nullable=False),
    _int("valid_from_ns"),
    _int("ts_ns"),
    _text("venue"),
    _text("body"),
    Index("ix_market_versions", "condition_id", "valid_from_ns"),
)
"""What the catalogue said of a market, and from when; only ever appended to. The volume of a day makes no new version."""

# --- samples of the market -------------------------------------------------------------------------------------------

orderbook_events = Table(
    "orderbook_events",
    metadata,
    _id(),
    _run(),
    _text("market_id"),
    _text("outcome_id"),
    _int("seq"),
    _int("ts_ms"),
    _int("ts_ns"),
    _text("side"),
    _int("price_e6"),
    _int("size_e6"),
    _int("change_e6"),
    Index("ix_orderbook_events_ts", "ts_ms"),
)
"""One changed level: ``side`` bid or ask, the resulting size (0: gone) and the change that led to it."""

orderbook_snapshots = Table(
    "orderbook_snapshots",
    metadata,
    _id(),
    _run(),
    _text("market_id"),
    _text("outcome_id"),
    _int("seq"),
    _int("ts_ms"),
    _int("ts_ns"),
    _maybe_int("best_bid_e6"),
    _maybe_int("best_ask_e6"),
    _maybe_int("mid_e6"),
    _maybe_text("checksum"),
    _text("state"),
    _text("cause"),
    _text("bids"),
    _text("asks"),
    Index("ix_orderbook_snapshots_ts", "ts_ms"),
)
"""A whole book: ``bids`` and ``asks`` are JSON lists of [price_e6, size_e6], the best first."""

trades = Table(
    "trades",
    metadata,
    _id(),
    _run(),
    _text("market_id"),
    _text("outcome_id"),
    _int("ts_ms"),
    _int("ts_ns"),
    _text("side"),
    _int("price_e6"),
    _int("size_e6"),
    _maybe_text("transaction_hash"),
    Index("ix_trades_ts", "ts_ms"),
)
"""Trades of the venue, whoever made them; ``side`` is the taker's."""

market_status = Table(
    "market_status",
    metadata,
    Column("market_id", Text, ForeignKey("markets.market_id"), primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id")),
    _int("last_seq", 0),
    _int("last_update_ts_ms", 0),
    _int("snapshots", 0),
    _int("deltas", 0),
    _int("trades", 0),
    _int("resync_first_delta", 0),
    _int("resync_gap", 0),
    _int("invalid", 0),
    _int("repeats", 0),
    _text("other", "{}"),
    _int("event_rows", 0),
    _int("snapshot_rows", 0),
)
"""How the feed of a market stands. Counts are of the latest run; ``event_rows`` and ``snapshot_rows`` count what is stored."""

book_states = Table(
    "book_states",
    metadata,
    _id(),
    _run(),
    _text("market_id"),
    _text("outcome_id"),
    _int("ts_ms"),
    _int("ts_ns"),
    _maybe_text("old"),
    _text("new"),
    _text("basis"),
    _text("reason"),
    _int("verified_ns"),
    Index("ix_book_states_ts", "ts_ms"),
)
"""Each change of a book's confidence."""

feed_gaps = Table(
    "feed_gaps",
    metadata,
    _run(),
    _text("market_id"),
    _text("outcome_id"),
    _int("start_ns"),
    _int("end_ns"),
    _int("ts_ms"),
    _int("ts_ns"),
    _text("cause"),
    _text("healed_by"),
    PrimaryKeyConstraint("run_id", "market_id", "outcome_id", "start_ns"),
)
"""Stretches of a feed that cannot be trusted; ``end_ns`` is 0 while one is open."""

hash_checks = Table(
    "hash_checks",
    metadata,
    _id(),
    _run(),
    _text("market_id"),
    _text("outcome_id"),
    _int("ts_ms"),
    _int("ts_ns"),
    _int("done"),
    _int("matched"),
    _int("undecided"),
    Index("ix_hash_checks_ts", "ts_ms"),
)
"""What the book hashes of a token said in the minute that began at ``ts_ms``; those that are neither matched nor undecided missed."""

opportunities = Table(
    "opportunities",
    metadata,
    _id(),
    _run(),
    _text("market_id"),
    _int("ts_ms"),
    _int("ts_ns"),
    _text("plan_id"),
    _text("strategy"),
    _text("kind"),
    _int("taken"),
    _text("reason"),
    _int("expected_profit_e6"),
    _int("size_e6"),
    _text("legs"),
    Index("ix_opportunities_ts", "ts_ms"),
)
"""What a strategy saw: taken, or refused and why."""

portfolio = Table(
    "portfolio",
    metadata,
    _id(),
    _run(),
    _text("strategy"),
    _text("mode"),
    _text("market_id"),
    _text("outcome_id"),
    _int("ts_ms"),
    _int("ts_ns"),
    _int("inventory_e6"),
    _int("cost_e6"),
    _int("realised_e6"),
    _maybe_int("unrealised_e6"),
    _int("fees_e6"),
    Index("ix_portfolio_ts", "ts_ms"),
)
"""Inventory and profit over time."""

markouts = Table(
    "markouts",
    metadata,
    _id(),
    _run(),
    _text("trade_id"),
    _text("client_order_id"),
    _text("strategy"),
    _text("mode"),
    _text("market_id"),
    _text("outcome_id"),
    _text("side"),
    _int("price_e6"),
    _int("size_e6"),
    _int("horizon_ms"),
    _maybe_int("mid_e6"),
    _int("ts_ms"),
    _int("ts_ns"),
    Index("ix_markouts_ts", "ts_ms"),
)
"""The mid so many milliseconds after each of our trades; null where no trusted book had one. Horizon 0 is the trade itself."""

reward_estimates = Table(
    "reward_estimates",
    metadata,
    _id(),
    _run(),
    _text("strategy"),
    _text("mode"),
    _text("market_id"),
    _int("share_e6"),
    _int("reward_e6"),
    _int("ts_ms"),
    _int("ts_ns"),
    Index("ix_reward_estimates_ts", "ts_ms"),
)
"""What each minute of resting orders may earn from liquidity rewards."""

# --- trading ---------------------------------------------------------------------------------------------------------

journal = Table(
    "journal",
    metadata,
    _text("producer"),
    _int("seq"),
    _run(),
    _text("body"),
    PrimaryKeyConstraint("producer", "seq"),
)
"""Every durable record as its producer's journal holds it, as JSON: the tables of trading are made from these rows alone."""

orders = Table(
    "orders",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    _run(),
    _text("venue_order_id"),
    _text("strategy"),
    _text("mode"),
    _text("market_id"),
    _text("outcome_id"),
    _text("side"),
    _int("price_e6"),
    _int("size_e6"),
    _int("filled_e6"),
    _text("order_type"),
    _int("post_only"),
    _text("status"),
    _text("plan_id"),
    _text("reason"),
    _int("ts_ms"),
    _int("updated_ts_ms"),
    _of_outcome(),
)
"""Each order as its latest event left it; ``ts_ms`` is its first one."""

order_events = Table(
    "order_events",
    metadata,
    _id(),
    _run(),
    _text("client_order_id"),
    _text("venue_order_id"),
    _text("strategy"),
    _text("mode"),
    _text("market_id"),
    _text("outcome_id"),
    _text("side"),
    _int("price_e6"),
    _int("size_e6"),
    _int("filled_e6"),
    _text("order_type"),
    _int("post_only"),
    _text("status"),
    _text("plan_id"),
    _text("reason"),
    _int("ts_ms"),
    _int("ts_ns"),
    _of_outcome(),
    Index("ix_order_events_order", "client_order_id"),
)
"""Each step in an order's life; only ever appended to."""

fills = Table(
    "fills",
    metadata,
    _text("trade_id"),
    _text("client_order_id"),
    _run(),
    _text("strategy"),
    _text("mode"),
    _text("market_id"),
    _text("outcome_id"),
    _text("side"),
    _int("price_e6"),
    _int("size_e6"),
    _int("notional_e6"),
    _int("fee_e6"),
    _text("liquidity"),
    _text("status"),
    _text("reverses"),
    _int("ts_ms"),
    _int("ts_ns"),
    _int("updated_ts_ms"),
    PrimaryKeyConstraint("trade_id", "client_order_id"),
    _of_outcome(),
)
"""Our trades. ``notional_e6`` is what was paid or received, exact. A trade that failed is followed by a row that ``reverses`` it."""

exec_audit = Table(
    "exec_audit",
    metadata,
    _id(),
    _run(),
    _text("plan_id"),
    _text("strategy"),
    _text("mode"),
    _text("market_id"),
    _text("intents"),
    _text("acks"),
    _int("duration_ms"),
    _text("outcome"),
    _text("reason"),
    _text("seen"),
    _int("expected_profit_e6"),
    _int("ts_ms"),
    _int("ts_ns"),
    Index("ix_exec_audit_plan", "plan_id"),
)
"""Each executed decision: what was seen, intended and acknowledged (JSON texts), and how long it took."""

halts = Table("halts", metadata, _id(), _run(), _int("ts_ms"), _int("ts_ns"), _int("halted"), _text("reason"))
"""Each time trading was halted (1) or resumed (0)."""
