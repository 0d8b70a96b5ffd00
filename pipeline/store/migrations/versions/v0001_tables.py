"""The tables of the first schema."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE meta (
        "key" TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY ("key")
    )
    """,
    """
    CREATE TABLE runs (
        id INTEGER NOT NULL,
        producer TEXT NOT NULL,
        run TEXT NOT NULL,
        session TEXT DEFAULT '' NOT NULL,
        role TEXT DEFAULT '' NOT NULL,
        pid INTEGER DEFAULT 0 NOT NULL,
        source TEXT DEFAULT '' NOT NULL,
        started_ns INTEGER NOT NULL,
        ended_ns INTEGER,
        reason TEXT DEFAULT '' NOT NULL,
        counts TEXT DEFAULT '{}' NOT NULL,
        body TEXT DEFAULT '{}' NOT NULL,
        market_id TEXT,
        file_sha256 TEXT,
        PRIMARY KEY (id),
        CONSTRAINT uq_runs UNIQUE (producer, run)
    )
    """,
    """
    CREATE TABLE book_states (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        old TEXT,
        new TEXT NOT NULL,
        basis TEXT NOT NULL,
        reason TEXT NOT NULL,
        verified_ns INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_book_states_ts ON book_states (ts_ms)",
    """
    CREATE TABLE exec_audit (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        plan_id TEXT NOT NULL,
        strategy TEXT NOT NULL,
        mode TEXT NOT NULL,
        market_id TEXT NOT NULL,
        intents TEXT NOT NULL,
        acks TEXT NOT NULL,
        duration_ms INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        reason TEXT NOT NULL,
        seen TEXT NOT NULL,
        expected_profit_e6 INTEGER NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_exec_audit_plan ON exec_audit (plan_id)",
    """
    CREATE TABLE feed_gaps (
        run_id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        start_ns INTEGER NOT NULL,
        end_ns INTEGER NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        cause TEXT NOT NULL,
        healed_by TEXT NOT NULL,
        PRIMARY KEY (run_id, market_id, outcome_id, start_ns),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    """
    CREATE TABLE halts (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        halted INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    """
    CREATE TABLE journal (
        producer TEXT NOT NULL,
        seq INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (producer, seq),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    """
    CREATE TABLE markets (
        market_id TEXT NOT NULL,
        run_id INTEGER NOT NULL,
        question TEXT DEFAULT '' NOT NULL,
        slug TEXT DEFAULT '' NOT NULL,
        event_id TEXT DEFAULT '' NOT NULL,
        event_slug TEXT DEFAULT '' NOT NULL,
        event_title TEXT DEFAULT '' NOT NULL,
        group_item_title TEXT DEFAULT '' NOT NULL,
        tick_size TEXT,
        min_order_size TEXT,
        neg_risk INTEGER,
        active INTEGER DEFAULT 1 NOT NULL,
        closed INTEGER DEFAULT 0 NOT NULL,
        accepting_orders INTEGER DEFAULT 1 NOT NULL,
        end_ns INTEGER DEFAULT 0 NOT NULL,
        volume_24h_e6 INTEGER DEFAULT 0 NOT NULL,
        valid_from_ns INTEGER DEFAULT 0 NOT NULL,
        body TEXT,
        PRIMARY KEY (market_id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    """
    CREATE TABLE opportunities (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        plan_id TEXT NOT NULL,
        strategy TEXT NOT NULL,
        kind TEXT NOT NULL,
        taken INTEGER NOT NULL,
        reason TEXT NOT NULL,
        expected_profit_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        legs TEXT NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_opportunities_ts ON opportunities (ts_ms)",
    """
    CREATE TABLE orderbook_events (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        side TEXT NOT NULL,
        price_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        change_e6 INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_orderbook_events_ts ON orderbook_events (ts_ms)",
    """
    CREATE TABLE orderbook_snapshots (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        seq INTEGER NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        best_bid_e6 INTEGER,
        best_ask_e6 INTEGER,
        mid_e6 INTEGER,
        checksum TEXT,
        state TEXT NOT NULL,
        cause TEXT NOT NULL,
        bids TEXT NOT NULL,
        asks TEXT NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_orderbook_snapshots_ts ON orderbook_snapshots (ts_ms)",
    """
    CREATE TABLE portfolio (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        strategy TEXT NOT NULL,
        mode TEXT NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        inventory_e6 INTEGER NOT NULL,
        cost_e6 INTEGER NOT NULL,
        realised_e6 INTEGER NOT NULL,
        unrealised_e6 INTEGER,
        fees_e6 INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_portfolio_ts ON portfolio (ts_ms)",
    """
    CREATE TABLE trades (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        side TEXT NOT NULL,
        price_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        transaction_hash TEXT,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_trades_ts ON trades (ts_ms)",
    """
    CREATE TABLE market_status (
        market_id TEXT NOT NULL,
        run_id INTEGER,
        last_seq INTEGER DEFAULT 0 NOT NULL,
        last_update_ts_ms INTEGER DEFAULT 0 NOT NULL,
        snapshots INTEGER DEFAULT 0 NOT NULL,
        deltas INTEGER DEFAULT 0 NOT NULL,
        trades INTEGER DEFAULT 0 NOT NULL,
        resync_first_delta INTEGER DEFAULT 0 NOT NULL,
        resync_gap INTEGER DEFAULT 0 NOT NULL,
        invalid INTEGER DEFAULT 0 NOT NULL,
        repeats INTEGER DEFAULT 0 NOT NULL,
        other TEXT DEFAULT '{}' NOT NULL,
        event_rows INTEGER DEFAULT 0 NOT NULL,
        snapshot_rows INTEGER DEFAULT 0 NOT NULL,
        PRIMARY KEY (market_id),
        FOREIGN KEY(market_id) REFERENCES markets (market_id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    """
    CREATE TABLE market_versions (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        condition_id TEXT NOT NULL,
        valid_from_ns INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        venue TEXT NOT NULL,
        body TEXT NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id),
        FOREIGN KEY(condition_id) REFERENCES markets (market_id)
    )
    """,
    "CREATE INDEX ix_market_versions ON market_versions (condition_id, valid_from_ns)",
    """
    CREATE TABLE outcomes (
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        token_id TEXT NOT NULL,
        name TEXT NOT NULL,
        position INTEGER NOT NULL,
        PRIMARY KEY (market_id, outcome_id),
        FOREIGN KEY(market_id) REFERENCES markets (market_id)
    )
    """,
    """
    CREATE TABLE fills (
        trade_id TEXT NOT NULL,
        client_order_id TEXT NOT NULL,
        run_id INTEGER NOT NULL,
        strategy TEXT NOT NULL,
        mode TEXT NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        notional_e6 INTEGER NOT NULL,
        fee_e6 INTEGER NOT NULL,
        liquidity TEXT NOT NULL,
        status TEXT NOT NULL,
        reverses TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        updated_ts_ms INTEGER NOT NULL,
        PRIMARY KEY (trade_id, client_order_id),
        FOREIGN KEY(market_id, outcome_id) REFERENCES outcomes (market_id, outcome_id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    """
    CREATE TABLE order_events (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        client_order_id TEXT NOT NULL,
        venue_order_id TEXT NOT NULL,
        strategy TEXT NOT NULL,
        mode TEXT NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        filled_e6 INTEGER NOT NULL,
        order_type TEXT NOT NULL,
        post_only INTEGER NOT NULL,
        status TEXT NOT NULL,
        plan_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(market_id, outcome_id) REFERENCES outcomes (market_id, outcome_id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_order_events_order ON order_events (client_order_id)",
    """
    CREATE TABLE orders (
        client_order_id TEXT NOT NULL,
        run_id INTEGER NOT NULL,
        venue_order_id TEXT NOT NULL,
        strategy TEXT NOT NULL,
        mode TEXT NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        filled_e6 INTEGER NOT NULL,
        order_type TEXT NOT NULL,
        post_only INTEGER NOT NULL,
        status TEXT NOT NULL,
        plan_id TEXT NOT NULL,
        reason TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        updated_ts_ms INTEGER NOT NULL,
        PRIMARY KEY (client_order_id),
        FOREIGN KEY(market_id, outcome_id) REFERENCES outcomes (market_id, outcome_id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
)


def upgrade() -> None:
    """Make every table and index."""
    for statement in STATEMENTS:
        op.execute(statement)
