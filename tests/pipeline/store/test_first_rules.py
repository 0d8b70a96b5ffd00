"""The rules under which a market was first seen, read from the versions of the catalogue."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.messages.market import Market, Outcome
from pipeline.messages.records import MarketVersion
from pipeline.store.accepted_rules import accept_rules, rules_of
from pipeline.store.catalogue import append_version
from pipeline.store.first_rules import first_rules
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run


def version(market_id: str, rules: str, at: int) -> MarketVersion:
    market = Market(market_id, (Outcome(f"{market_id}-yes", "Yes"), Outcome(f"{market_id}-no", "No")), rules_hash=rules)
    return MarketVersion(ts_ns=at, market=market, valid_from_ns=at, venue="fake")


def test_the_first_version_that_has_a_hash_counts(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'known.db'}"
    with open_store(url) as store, store.begin() as conn:
        save_run(conn, Run(1, "scheduler", "run-1", started_ns=1))
        for each in (
            version("a", "r1", 1),
            version("a", "r2", 2),
            version("b", "", 1),
            version("b", "r3", 2),
            version("c", "", 1),
        ):
            append_version(conn, 1, each)
    assert first_rules(url) == {"a": "r1", "b": "r3"}


def test_a_database_that_is_not_there_remembers_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    assert first_rules(f"sqlite:///{tmp_path / 'none.db'}") == first_rules(f"sqlite:///{tmp_path / 'empty.db'}") == {}
    assert first_rules("sqlite://") == {}
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(BadInput):
        first_rules("mysql://host/db")


def test_rules_that_were_accepted_last_count_instead_and_none_that_come_later(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'known.db'}"
    with open_store(url) as store, store.begin() as conn:
        save_run(conn, Run(1, "scheduler", "run-1", started_ns=1))
        for each in (version("a", "r1", 1), version("a", "r2", 2), version("b", "r3", 1)):
            append_version(conn, 1, each)
        before = rules_of(conn, "a")
        accept_rules(conn, "a", "r2", "read", 5)
        after = rules_of(conn, "a")
        append_version(conn, 1, version("a", "r4", 6))
        later = rules_of(conn, "a")
        unchanged, nobody = rules_of(conn, "b"), rules_of(conn, "z")
    assert first_rules(url) == {"a": "r2", "b": "r3"}
    assert (before.trusted, before.latest, before.have_changed) == ("r1", "r2", True)
    assert (after.trusted, after.have_changed, after.reason, after.accepted_ts_ms) == ("r2", False, "read", 5)
    assert (later.trusted, later.latest, later.have_changed) == ("r2", "r4", True)
    assert [each[0] for each in later.seen] == ["r1", "r2", "r4"]
    assert (unchanged.have_changed, nobody.have_changed, nobody.latest) == (False, False, "")


def test_a_database_from_before_rules_could_be_accepted_still_tells_those_first_seen(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with open_store(url) as store, store.begin() as conn:
        save_run(conn, Run(1, "scheduler", "run-1", started_ns=1))
        append_version(conn, 1, version("a", "r1", 1))
        conn.exec_driver_sql("DROP TABLE accepted_rules")
    assert first_rules(url) == {"a": "r1"}
