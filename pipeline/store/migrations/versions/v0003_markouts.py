"""The mids after each of our trades, and the liquidity rewards that resting orders may expect."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE markouts (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        trade_id TEXT NOT NULL,
        client_order_id TEXT NOT NULL,
        strategy TEXT NOT NULL,
        mode TEXT NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        horizon_ms INTEGER NOT NULL,
        mid_e6 INTEGER,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_markouts_ts ON markouts (ts_ms)",
    """
    CREATE TABLE reward_estimates (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        strategy TEXT NOT NULL,
        mode TEXT NOT NULL,
        market_id TEXT NOT NULL,
        share_e6 INTEGER NOT NULL,
        reward_e6 INTEGER NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_reward_estimates_ts ON reward_estimates (ts_ms)",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in STATEMENTS:
        op.execute(statement)
