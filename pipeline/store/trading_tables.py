"""Trading: the journal as it arrived, orders and fills projected from it, audits, and what came of them."""

from __future__ import annotations

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table, Text

from pipeline.store.columns import maybe_whole, metadata, of_outcome, of_run, own_id, whole, words

journal = Table(
    "journal",
    metadata,
    words("producer"),
    whole("seq"),
    of_run(),
    words("body"),
    PrimaryKeyConstraint("producer", "seq"),
)
"""Every durable record as its producer's journal holds it, as JSON: the tables of trading are made from these rows alone."""

orders = Table(
    "orders",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    of_run(),
    words("venue_order_id"),
    words("strategy"),
    words("mode"),
    words("market_id"),
    words("outcome_id"),
    words("side"),
    whole("price_e6"),
    whole("size_e6"),
    whole("filled_e6"),
    words("order_type"),
    whole("post_only"),
    words("status"),
    words("plan_id"),
    words("reason"),
    whole("ts_ms"),
    whole("updated_ts_ms"),
    of_outcome(),
)
"""Each order as its latest event left it; ``ts_ms`` is its first one."""

order_events = Table(
    "order_events",
    metadata,
    own_id(),
    of_run(),
    words("client_order_id"),
    words("venue_order_id"),
    words("strategy"),
    words("mode"),
    words("market_id"),
    words("outcome_id"),
    words("side"),
    whole("price_e6"),
    whole("size_e6"),
    whole("filled_e6"),
    words("order_type"),
    whole("post_only"),
    words("status"),
    words("plan_id"),
    words("reason"),
    whole("ts_ms"),
    whole("ts_ns"),
    of_outcome(),
    Index("ix_order_events_order", "client_order_id"),
)
"""Each step in an order's life; only ever appended to."""

order_intents = Table(
    "order_intents",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    of_run(),
    words("venue_order_id"),
    words("market_id"),
    words("outcome_id"),
    words("side"),
    whole("price_e6"),
    whole("size_e6"),
    words("order_type"),
    whole("post_only"),
    words("body"),
    whole("expires_ns"),
    whole("ts_ms"),
    whole("ts_ns"),
    of_outcome(),
)
"""What was signed for each order that went to a venue, before it left: the hash that names it there, and the body without the account."""

fills = Table(
    "fills",
    metadata,
    words("trade_id"),
    words("client_order_id"),
    of_run(),
    words("strategy"),
    words("mode"),
    words("market_id"),
    words("outcome_id"),
    words("side"),
    whole("price_e6"),
    whole("size_e6"),
    whole("notional_e6"),
    whole("fee_e6"),
    words("liquidity"),
    words("status"),
    words("reverses"),
    whole("ts_ms"),
    whole("ts_ns"),
    whole("updated_ts_ms"),
    PrimaryKeyConstraint("trade_id", "client_order_id"),
    of_outcome(),
)
"""Our trades. ``notional_e6`` is what was paid or received, exact. A trade that failed is followed by a row that ``reverses`` it."""

exec_audit = Table(
    "exec_audit",
    metadata,
    own_id(),
    of_run(),
    words("plan_id"),
    words("strategy"),
    words("mode"),
    words("market_id"),
    words("intents"),
    words("acks"),
    whole("duration_ms"),
    words("outcome"),
    words("reason"),
    words("seen"),
    whole("expected_profit_e6"),
    whole("ts_ms"),
    whole("ts_ns"),
    Index("ix_exec_audit_plan", "plan_id"),
)
"""Each executed decision: what was seen, intended and acknowledged (JSON texts), and how long it took."""

halts = Table("halts", metadata, own_id(), of_run(), whole("ts_ms"), whole("ts_ns"), whole("halted"), words("reason"))
"""Each time trading was halted (1) or resumed (0)."""


opportunities = Table(
    "opportunities",
    metadata,
    own_id(),
    of_run(),
    words("market_id"),
    whole("ts_ms"),
    whole("ts_ns"),
    words("plan_id"),
    words("strategy"),
    words("kind"),
    whole("taken"),
    words("reason"),
    whole("expected_profit_e6"),
    whole("size_e6"),
    words("legs"),
    Index("ix_opportunities_ts", "ts_ms"),
)
"""What a strategy saw: taken, or refused and why."""

portfolio = Table(
    "portfolio",
    metadata,
    own_id(),
    of_run(),
    words("strategy"),
    words("mode"),
    words("market_id"),
    words("outcome_id"),
    whole("ts_ms"),
    whole("ts_ns"),
    whole("inventory_e6"),
    whole("cost_e6"),
    whole("realised_e6"),
    maybe_whole("unrealised_e6"),
    whole("fees_e6"),
    Index("ix_portfolio_ts", "ts_ms"),
)
"""Inventory and profit over time."""

markouts = Table(
    "markouts",
    metadata,
    own_id(),
    of_run(),
    words("trade_id"),
    words("client_order_id"),
    words("strategy"),
    words("mode"),
    words("market_id"),
    words("outcome_id"),
    words("side"),
    whole("price_e6"),
    whole("size_e6"),
    whole("horizon_ms"),
    maybe_whole("mid_e6"),
    whole("ts_ms"),
    whole("ts_ns"),
    Index("ix_markouts_ts", "ts_ms"),
)
"""The mid so many milliseconds after each of our trades; null where no trusted book had one. Horizon 0 is the trade itself."""

reward_estimates = Table(
    "reward_estimates",
    metadata,
    own_id(),
    of_run(),
    words("strategy"),
    words("mode"),
    words("market_id"),
    whole("share_e6"),
    whole("reward_e6"),
    whole("ts_ms"),
    whole("ts_ns"),
    Index("ix_reward_estimates_ts", "ts_ms"),
)
"""What each minute of resting orders may earn from liquidity rewards."""
