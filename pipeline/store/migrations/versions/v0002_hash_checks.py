"""The hash checks of each token, minute by minute."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE hash_checks (
        id INTEGER NOT NULL,
        run_id INTEGER NOT NULL,
        market_id TEXT NOT NULL,
        outcome_id TEXT NOT NULL,
        ts_ms INTEGER NOT NULL,
        ts_ns INTEGER NOT NULL,
        done INTEGER NOT NULL,
        matched INTEGER NOT NULL,
        undecided INTEGER NOT NULL,
        PRIMARY KEY (id),
        FOREIGN KEY(run_id) REFERENCES runs (id)
    )
    """,
    "CREATE INDEX ix_hash_checks_ts ON hash_checks (ts_ms)",
)


def upgrade() -> None:
    """Make the table."""
    for statement in STATEMENTS:
        op.execute(statement)
