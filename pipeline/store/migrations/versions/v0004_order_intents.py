"""What was signed for each order that went to a venue."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE order_intents (
        client_order_id TEXT NOT NULL,
        run_id INTEGER NOT NULL,
        venue_order_id TEXT NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        side TEXT NOT NULL,
        price_e6 INTEGER NOT NULL,
        size_e6 INTEGER NOT NULL,
        order_type TEXT NOT NULL,
        post_only INTEGER NOT NULL,
        body TEXT NOT NULL,
        expires_ns INTEGER NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        PRIMARY KEY (client_order_id),
        FOREIGN KEY(market_id, outcome_id) REFERENCES outcomes (market_id, outcome_id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
)


def upgrade() -> None:
    """Make the table."""
    for statement in STATEMENTS:
        op.execute(statement)
