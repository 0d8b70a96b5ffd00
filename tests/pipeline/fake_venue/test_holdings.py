"""What an account owns outlives the venue that it was earned at."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.clock import EventClock
from pipeline.base.errors import BadInput
from pipeline.base.units import ONE_E6
from pipeline.fake_venue.accounts import Accounts
from pipeline.fake_venue.desk import Desk
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.holdings import HoldingsFile
from pipeline.fake_venue.trade_life import UserEvent
from pipeline.fake_venue.venue_mode import VenueMode

ADDRESS = "0x" + "a" * 40
SIGNER = "0x" + "b" * 40


def traded(file: HoldingsFile) -> Accounts:
    accounts = Accounts(1_000 * ONE_E6)
    account = accounts.account(ADDRESS, SIGNER)
    account.settle("BUY", "token-1", 400_000, 20 * ONE_E6, 0)
    account.settle("BUY", "token-2", 500_000, 10 * ONE_E6, 0)
    account.settle("SELL", "token-2", 600_000, 10 * ONE_E6, 10_000)
    file.save(accounts)
    return accounts


def test_the_next_venue_knows_the_money_and_the_shares_to_the_last_digit(tmp_path: Path) -> None:
    before = traded(HoldingsFile(tmp_path / "held.json")).account(ADDRESS, SIGNER)
    after = Accounts(5)
    HoldingsFile(tmp_path / "held.json").load(after)
    account = after.account(ADDRESS, SIGNER)
    assert (account.cash_e6, account.positions) == (before.cash_e6, {"token-1": 20 * ONE_E6})
    assert account.cash_e6 == 992_990_000
    assert after.account("0x" + "c" * 40, SIGNER).cash_e6 == 5


def test_the_file_is_its_owners_only_and_is_written_when_something_changed(tmp_path: Path) -> None:
    file = HoldingsFile(tmp_path / "held.json")
    accounts = traded(file)
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.path.unlink()
    file.save(accounts)
    assert not file.path.exists()
    accounts.account(ADDRESS, SIGNER).cash_e6 += 1
    file.save(accounts)
    assert file.path.exists()


def test_a_disk_that_takes_nothing_ends_no_venue(tmp_path: Path) -> None:
    file = HoldingsFile(tmp_path / "no such folder" / "held.json")
    accounts = traded(file)
    file.path.parent.mkdir()
    file.save(accounts)
    assert file.path.exists()


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "held.json").write_text('{"a": 1}')
    with pytest.raises(BadInput, match=r"held\.json: is no list of accounts: .*; delete it"):
        HoldingsFile(tmp_path / "held.json").load(Accounts(0))


def desk(path: Path) -> Desk:
    clock = EventClock(1_780_000_000_000_000_000)
    exchange = FakeExchange(ExchangePlan(seed=1), clock.now_ns())
    return Desk(exchange, clock, VenueMode(), lambda frames: None, 100 * ONE_E6, 1 << 20, HoldingsFile(path))


def test_a_desk_keeps_what_a_trade_moved_as_soon_as_it_is_told(tmp_path: Path) -> None:
    path = tmp_path / "held.json"
    first = desk(path)
    first.accounts.account(ADDRESS, SIGNER).settle("BUY", "token-1", 400_000, 20 * ONE_E6, 0)
    first.orders.events.append(UserEvent("key", "condition", "trade", {}))
    first.flush()
    assert desk(path).accounts.account(ADDRESS, SIGNER).positions == {"token-1": 20 * ONE_E6}
