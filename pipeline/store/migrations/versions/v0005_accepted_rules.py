"""Which changed rules of a market an operator has read and accepted."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE accepted_rules (
        id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        rules_hash TEXT NOT NULL,
        reason TEXT DEFAULT '' NOT NULL,
        ts_ms INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(market_id) REFERENCES markets (market_id)
    )
    """,
)


def upgrade() -> None:
    """Make the table."""
    for statement in STATEMENTS:
        op.execute(statement)
