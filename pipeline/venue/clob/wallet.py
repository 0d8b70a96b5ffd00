"""Who trades: the key that signs, the address whose money it is, and the credentials of the venue's API. Neither is ever shown."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import NoReturn

from pipeline.base.config import read_secrets
from pipeline.base.errors import BadInput
from pipeline.base.redaction import hide
from pipeline.base.settings import SecretsSection
from pipeline.venue.clob.crypto import address_of, sign_digest

EOA, POLY_PROXY, POLY_SAFE, POLY_1271 = 0, 1, 2, 3
"""Signature types: the key's own address; a proxy wallet; a safe; a deposit wallet (wallets page, seen 2026-11-22)."""

_WHERE = "set it in config/secrets.local.toml"


class Wallet:
    """A private key with the wallet it signs for. The key stays inside: it signs, and no text of the wallet holds it.

    ``address`` is the key's own, ``funder`` where the money is: the same for type 0, the proxy, safe or deposit wallet for the others.
    """

    __slots__ = ("__key", "address", "funder", "signature_type")

    def __init__(self, private_key: str, signature_type: int = EOA, funder: str = "") -> None:
        """``private_key``: 64 hexadecimal digits, with or without ``0x``. Raises BadInput, which does not repeat them."""
        hide(private_key)
        try:
            self.__key = bytes.fromhex(private_key.strip().removeprefix("0x"))
            if len(self.__key) != 32:
                raise ValueError
            self.address = address_of(self.__key)
        except ValueError:
            raise BadInput(f"[secrets] private_key: is not 64 hexadecimal digits of a private key; {_WHERE}") from None
        if signature_type not in (EOA, POLY_PROXY, POLY_SAFE, POLY_1271):
            raise BadInput(f"[secrets] signature_type = {signature_type}: is none of 0, 1, 2, 3; {_WHERE}")
        if signature_type == EOA and funder and funder.lower() != self.address.lower():
            raise BadInput("[secrets] funder: with signature_type 0 the key's own address pays; leave funder empty")
        if signature_type != EOA and not _is_address(funder):
            raise BadInput(
                f"[secrets] funder: signature_type {signature_type} needs the address of the wallet (0x and 40 digits)"
            )
        self.signature_type = signature_type
        self.funder = self.address if signature_type == EOA else funder

    @property
    def maker(self) -> str:
        """The address that gives and receives."""
        return self.funder

    @property
    def signer(self) -> str:
        """The address that an order names as its signer."""
        return self.funder if self.signature_type == POLY_1271 else self.address

    def sign(self, digest: bytes) -> bytes:
        """65 bytes over a digest of 32."""
        return sign_digest(self.__key, digest)

    def __repr__(self) -> str:
        return f"Wallet({self.address}, signature type {self.signature_type}, funder {self.funder})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a wallet is not written anywhere")


@dataclass(frozen=True, slots=True, repr=False)
class ApiCredentials:
    """What the venue gave for an address: ``key`` names the account in bodies and messages; the other two are secret."""

    key: str
    secret: str
    passphrase: str

    def __post_init__(self) -> None:
        hide(self.secret, self.passphrase)

    def __repr__(self) -> str:
        return f"ApiCredentials({self.key})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written anywhere")


def offline_wallet() -> Wallet:
    """The throwaway wallet of the offline venue: everybody knows its key, so never send money to it."""
    return Wallet(sha256(b"polybot offline wallet").hexdigest())


def wallet_of(secrets: SecretsSection, offline: bool) -> Wallet:
    """The configured wallet; beside an offline venue, where none is configured, the throwaway one. Raises BadInput."""
    found = read_secrets(secrets)
    if found.private_key:
        return Wallet(found.private_key, found.signature_type, found.funder)
    if offline:
        return offline_wallet()
    raise BadInput(f"[secrets] private_key: is empty, and orders must be signed; {_WHERE}")


def credentials_of(secrets: SecretsSection) -> ApiCredentials | None:
    """The configured credentials; None: they are to be derived from the wallet. Raises BadInput for half of them."""
    found = read_secrets(secrets)
    given = (found.api_key, found.api_secret, found.api_passphrase)
    if not any(given):
        return None
    if not all(given):
        raise BadInput(f"[secrets]: api_key, api_secret and api_passphrase belong together, and one is empty; {_WHERE}")
    return ApiCredentials(*given)


def _is_address(text: str) -> bool:
    try:
        return text.startswith("0x") and len(bytes.fromhex(text[2:])) == 20
    except ValueError:
        return False
