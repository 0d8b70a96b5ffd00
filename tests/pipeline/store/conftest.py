"""A database in memory with one run, and a message of every kind that is stored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipeline.store.open import Store, open_store
from pipeline.store.runs import Run, save_run


@pytest.fixture
def store() -> Iterator[Store]:
    """An empty database in memory; run 1 is known."""
    with open_store("sqlite://") as opened:
        with opened.begin() as conn:
            save_run(conn, Run(1, "book_builder", "run-1", started_ns=1))
        yield opened
