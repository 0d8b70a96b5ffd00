"""Samples of the market: what the feed brought, how far it could be trusted, and how it stands. Pruned by retention."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table, Text

from pipeline.store.columns import maybe_whole, maybe_words, metadata, of_run, own_id, whole, words

orderbook_events = Table(
    "orderbook_events",
    metadata,
    own_id(),
    of_run(),
    words("market_id"),
    words("outcome_id"),
    whole("seq"),
    whole("ts_ms"),
    whole("ts_ns"),
    words("side"),
    whole("price_e6"),
    whole("size_e6"),
    whole("change_e6"),
    Index("ix_orderbook_events_ts", "ts_ms"),
)
"""One changed level: ``side`` bid or ask, the resulting size (0: gone) and the change that led to it."""

orderbook_snapshots = Table(
    "orderbook_snapshots",
    metadata,
    own_id(),
    of_run(),
    words("market_id"),
    words("outcome_id"),
    whole("seq"),
    whole("ts_ms"),
    whole("ts_ns"),
    maybe_whole("best_bid_e6"),
    maybe_whole("best_ask_e6"),
    maybe_whole("mid_e6"),
    maybe_words("checksum"),
    words("state"),
    words("cause"),
    words("bids"),
    words("asks"),
    Index("ix_orderbook_snapshots_ts", "ts_ms"),
)
"""A whole book: ``bids`` and ``asks`` are JSON lists of [price_e6, size_e6], the best first."""

trades = Table(
    "trades",
    metadata,
    own_id(),
    of_run(),
    words("market_id"),
    words("outcome_id"),
    whole("ts_ms"),
    whole("ts_ns"),
    words("side"),
    whole("price_e6"),
    whole("size_e6"),
    maybe_words("transaction_hash"),
    Index("ix_trades_ts", "ts_ms"),
)
"""Trades of the venue, whoever made them; ``side`` is the taker's."""

market_status = Table(
    "market_status",
    metadata,
    Column("market_id", Text, ForeignKey("markets.market_id"), primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id")),
    whole("last_seq", 0),
    whole("last_update_ts_ms", 0),
    whole("snapshots", 0),
    whole("deltas", 0),
    whole("trades", 0),
    whole("resync_first_delta", 0),
    whole("resync_gap", 0),
    whole("invalid", 0),
    whole("repeats", 0),
    words("other", "{}"),
    whole("event_rows", 0),
    whole("snapshot_rows", 0),
)
"""How the feed of a market stands. Counts are of the latest run; ``event_rows`` and ``snapshot_rows`` count what is stored."""

book_states = Table(
    "book_states",
    metadata,
    own_id(),
    of_run(),
    words("market_id"),
    words("outcome_id"),
    whole("ts_ms"),
    whole("ts_ns"),
    maybe_words("old"),
    words("new"),
    words("basis"),
    words("reason"),
    whole("verified_ns"),
    Index("ix_book_states_ts", "ts_ms"),
)
"""Each change of a book's confidence."""

feed_gaps = Table(
    "feed_gaps",
    metadata,
    of_run(),
    words("market_id"),
    words("outcome_id"),
    whole("start_ns"),
    whole("end_ns"),
    whole("ts_ms"),
    whole("ts_ns"),
    words("cause"),
    words("healed_by"),
    PrimaryKeyConstraint("run_id", "market_id", "outcome_id", "start_ns"),
)
"""Stretches of a feed that cannot be trusted; ``end_ns`` is 0 while one is open."""

hash_checks = Table(
    "hash_checks",
    metadata,
    own_id(),
    of_run(),
    words("market_id"),
    words("outcome_id"),
    whole("ts_ms"),
    whole("ts_ns"),
    whole("done"),
    whole("matched"),
    whole("undecided"),
    Index("ix_hash_checks_ts", "ts_ms"),
)
"""What the book hashes of a token said in the minute that began at ``ts_ms``; those that are neither matched nor undecided missed."""
