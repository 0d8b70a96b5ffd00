"""Accounts and credentials: made once, kept apart, and exact to the millionth."""

from __future__ import annotations

import pytest

from pipeline.fake_venue.accounts import Account, Accounts, Refused, is_current

ADDRESS = "0xF37CBE932045A0Ca911A16702Fb288a4fCf38831"


def test_credentials_are_the_same_for_the_same_key_and_nonce_in_every_run() -> None:
    first, second = Accounts(0), Accounts(0)
    made = first.create(ADDRESS, 0)
    assert made == second.create(ADDRESS.lower(), 0) == first.derive(ADDRESS, 0)
    assert first.create(ADDRESS, 1).api_key != made.api_key
    assert first.keys_of(ADDRESS.lower()) == [made.api_key, first.derive(ADDRESS, 1).api_key]
    with pytest.raises(Refused, match="Could not create api key"):
        first.create(ADDRESS, 0)
    with pytest.raises(Refused, match="Could not derive api key"):
        first.derive(ADDRESS, 2)


def test_credentials_keep_their_secrets_out_of_what_is_printed() -> None:
    made = Accounts(0).create(ADDRESS, 0)
    assert made.secret not in repr(made) and made.passphrase not in repr(made)


def test_a_socket_must_name_all_three() -> None:
    accounts = Accounts(0)
    made = accounts.create(ADDRESS, 0)
    assert accounts.of_socket(made.api_key, made.secret, made.passphrase) == made
    for wrong in (
        (None, None, None),
        (made.api_key, made.secret, ""),
        (made.api_key, "", made.passphrase),
        ("", made.secret, made.passphrase),
    ):
        assert accounts.of_socket(*wrong) is None


def test_a_wallet_belongs_to_the_first_key_that_trades_for_it() -> None:
    accounts = Accounts(5)
    wallet = accounts.account("0x" + "A" * 40, ADDRESS)
    assert (wallet.cash_e6, accounts.account("0x" + "a" * 40, ADDRESS.lower())) == (5, wallet)
    with pytest.raises(Refused, match="the order signer address"):
        accounts.account("0x" + "a" * 40, "0x" + "b" * 40)


def test_a_fill_taken_back_leaves_nothing_behind() -> None:
    account = Account("0x", "0x", 100_000_000)
    for side in ("BUY", "SELL"):
        account.settle(side, "1", 333_333, 1_000_001, 70)
    # A buyer pays rounded up, a seller gets rounded down, and both pay the fee.
    assert account.cash_e6 == 100_000_000 - 1 - 140 and account.positions == {"1": 0}
    for side in ("BUY", "SELL"):
        account.settle(side, "1", 333_333, 1_000_001, 70, -1)
    assert account == Account("0x", "0x", 100_000_000, {"1": 0})


@pytest.mark.parametrize(
    ("timestamp", "current"), [("1000", True), ("1060", True), ("940", True), ("1061", False), ("", False), ("-1", False)]
)
def test_times_in_headers_must_be_close(timestamp: str, current: bool) -> None:
    assert is_current(timestamp, 1_000 * 10**9) is current
