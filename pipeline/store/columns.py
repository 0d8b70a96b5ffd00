"""The kinds of columns that tables are made of, and the one ``metadata`` that knows every table."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Integer, MetaData, Text, text

metadata = MetaData()


def own_id() -> Column[int]:
    """The row's own number."""
    return Column("id", Integer, primary_key=True)


def of_run() -> Column[int]:
    """The process run that said it."""
    return Column("run_id", Integer, ForeignKey("runs.id"), nullable=False)


def whole(name: str, default: int | None = None) -> Column[int]:
    """A whole number that is always there."""
    return Column(name, Integer, nullable=False, server_default=None if default is None else text(str(default)))


def maybe_whole(name: str) -> Column[int]:
    """A whole number, or NULL for unknown."""
    return Column(name, Integer)


def words(name: str, default: str | None = None) -> Column[str]:
    """A text that is always there."""
    return Column(name, Text, nullable=False, server_default=default)


def maybe_words(name: str) -> Column[str]:
    """A text, or NULL for unknown."""
    return Column(name, Text)


def of_outcome() -> ForeignKeyConstraint:
    """(market_id, outcome_id) is an outcome of the catalogue."""
    return ForeignKeyConstraint(["market_id", "outcome_id"], ["outcomes.market_id", "outcomes.outcome_id"])
