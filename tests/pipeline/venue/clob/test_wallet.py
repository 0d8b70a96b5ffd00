"""A wallet signs and never shows its key, nor do credentials; what is configured wrongly is told without repeating it."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys

import pytest

from pipeline.base.errors import BadInput
from pipeline.base.settings import SecretsSection
from pipeline.venue.clob.wallet import ApiCredentials, Wallet, credentials_of, offline_wallet, wallet_of

KEY = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcac784d7bf4f2ff80"
FUNDER = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@pytest.mark.parametrize("text", [KEY, "0x" + KEY, f" 0x{KEY}\n", KEY.upper()])
def test_a_key_is_read_with_and_without_its_prefix(text: str) -> None:
    assert Wallet(text).address == "0xF37CBE932045A0Ca911A16702Fb288a4fCf38831"


@pytest.mark.parametrize("key", ["", "0x12", KEY[:-1] + "g", "0" * 64, "f" * 64, KEY + "00"])
def test_what_is_no_key_is_refused_without_repeating_it(key: str) -> None:
    with pytest.raises(BadInput, match="private_key") as told:
        Wallet(key)
    assert len(key) < 8 or key[:8] not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "funder"), [(4, ""), (0, FUNDER), (1, ""), (2, "0x12"), (3, "70997970C51812dc3A010C7d01b50e0d17dc79C8")]
)
def test_a_wallet_that_fits_no_key_is_refused(kind: int, funder: str) -> None:
    with pytest.raises(BadInput, match=r"\[secrets\]"):
        Wallet(KEY, kind, funder)


@pytest.mark.parametrize(("kind", "maker", "signer"), [(1, FUNDER, "key"), (2, FUNDER, "key"), (3, FUNDER, FUNDER)])
def test_the_kind_of_wallet_says_who_gives_and_who_signs(kind: int, maker: str, signer: str) -> None:
    wallet = Wallet(KEY, kind, FUNDER)
    assert (wallet.maker, wallet.signer) == (maker, wallet.address if signer == "key" else signer)


def test_no_text_of_a_wallet_or_of_credentials_or_of_their_settings_holds_a_secret() -> None:
    wallet, credentials = Wallet(KEY), ApiCredentials("key-id", "very-secret", "pass-phrase")
    section = SecretsSection(private_key=KEY, api_key="key-id", api_secret="very-secret", api_passphrase="pass-phrase")
    told = " ".join(f"{thing} {thing!r} {[thing]}" for thing in (wallet, credentials, section))
    assert not [word for word in (KEY, "very-secret", "pass-phrase") if word in told]
    assert wallet.address in told and "key-id" in told and "api_secret" in told


@pytest.mark.parametrize("thing", [offline_wallet(), ApiCredentials("a", "b", "c")])
def test_neither_is_written_anywhere(thing: object) -> None:
    with pytest.raises(TypeError):
        pickle.dumps(thing)
    with pytest.raises(TypeError):
        copy.copy(thing)


def test_the_offline_wallet_is_the_same_everywhere() -> None:
    assert offline_wallet().address == offline_wallet().address
    assert wallet_of(SecretsSection(), offline=True).address == offline_wallet().address
    assert wallet_of(SecretsSection(private_key=KEY), offline=True).address == Wallet(KEY).address


def test_real_trading_needs_a_key() -> None:
    with pytest.raises(BadInput, match="private_key: is empty"):
        wallet_of(SecretsSection(), offline=False)


def test_credentials_are_whole_or_none() -> None:
    assert credentials_of(SecretsSection()) is None
    found = credentials_of(SecretsSection(api_key="a", api_secret="b", api_passphrase="c"))
    assert found is not None and (found.key, found.secret, found.passphrase) == ("a", "b", "c")
    with pytest.raises(BadInput, match="belong together"):
        credentials_of(SecretsSection(api_key="a"))


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['eth_keys'] = None\nfrom pipeline.venue.clob.wallet import offline_wallet\noffline_wallet()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stderr.splitlines()[-1].endswith("which is not installed: run `uv sync --extra live`")
