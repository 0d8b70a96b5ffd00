"""Who trades at the fake venue: accounts with their money and shares, and the credentials that speak for them.

Money and shares are integer millionths. An account is the address that an order names as its maker; credentials belong to the key that
signs. Both are made when they are first used.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from pipeline.base.units import NS_PER_S, notional_ceil_e6, notional_floor_e6
from pipeline.fake_venue.catalogue import digest

TIMESTAMP_WINDOW_S = 60
"""How far the time in a request's headers may be from the venue's own. The live figure is not documented."""


class Refused(Exception):
    """A request that the venue does not follow: the HTTP status, and its body."""

    def __init__(self, status: int, text: str, retry_after_s: int | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.retry_after_s = retry_after_s
        self.body: dict[str, object] = {"error": text}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a client proves its requests with. ``address`` (lower case) is the key that asked for them."""

    api_key: str
    secret: str = field(repr=False)
    passphrase: str = field(repr=False)
    address: str
    nonce: int


@dataclass(slots=True)
class Account:
    """Collateral and outcome tokens of one address (lower case); ``signer`` is the key that trades for it."""

    address: str
    signer: str
    cash_e6: int
    positions: dict[str, int] = field(default_factory=dict)

    def settle(self, side: str, token_id: str, price_e6: int, size_e6: int, fee_e6: int, sign: int = 1) -> None:
        """Book a fill, or with ``sign`` -1 take it back: a buyer pays the fee on top, a seller gets that much less."""
        if side == "BUY":
            cash_e6, shares_e6 = -notional_ceil_e6(price_e6, size_e6) - fee_e6, size_e6
        else:
            cash_e6, shares_e6 = notional_floor_e6(price_e6, size_e6) - fee_e6, -size_e6
        self.cash_e6 += sign * cash_e6
        self.positions[token_id] = self.positions.get(token_id, 0) + sign * shares_e6


class Accounts:
    """All of them. ``start_cash_e6`` is what each account begins with."""

    def __init__(self, start_cash_e6: int) -> None:
        self.start_cash_e6 = start_cash_e6
        self.by_address: dict[str, Account] = {}
        self.keys: dict[str, Credentials] = {}

    def account(self, address: str, signer: str) -> Account:
        """The account of a maker address. Raises Refused where another key has traded for it before."""
        address, signer = address.lower(), signer.lower()
        account = self.by_address.get(address)
        if account is None:
            account = self.by_address[address] = Account(address, signer, self.start_cash_e6)
        if account.signer != signer:
            raise Refused(400, "the order signer address has to be the address of the API KEY")
        return account

    def create(self, address: str, nonce: int) -> Credentials:
        """New credentials. Raises Refused where this key has some under this nonce."""
        if self._find(address, nonce) is not None:
            raise Refused(400, "Could not create api key")
        word = f"{address.lower()}/{nonce}"
        text = digest("api key", word)
        made = Credentials(
            api_key=f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:32]}",
            secret=base64.urlsafe_b64encode(bytes.fromhex(digest("api secret", word))).decode(),
            passphrase=digest("api passphrase", word),
            address=address.lower(),
            nonce=nonce,
        )
        self.keys[made.api_key] = made
        return made

    def derive(self, address: str, nonce: int) -> Credentials:
        """The credentials made before. Raises Refused if there are none."""
        found = self._find(address, nonce)
        if found is None:
            raise Refused(400, "Could not derive api key!")
        return found

    def keys_of(self, address: str) -> list[str]:
        """The API keys of a key's address."""
        return [made.api_key for made in self.keys.values() if made.address == address]

    def authenticate(self, headers: Mapping[str, str], method: str, path: str, body: bytes, now_ns: int) -> Credentials:
        """Whose request this is, by its L2 headers (names in lower case). ``path`` has no query. Raises Refused (401)."""
        credentials = self.keys.get(headers.get("poly_api_key", ""))
        if (
            credentials is None
            or headers.get("poly_address", "").lower() != credentials.address
            or not hmac.compare_digest(headers.get("poly_passphrase", "").encode(), credentials.passphrase.encode())
        ):
            raise Refused(401, "Unauthorized/Invalid api key")
        timestamp = headers.get("poly_timestamp", "")
        wanted = l2_signature(credentials.secret, timestamp, method, path, body)
        given = headers.get("poly_signature", "")
        if not is_current(timestamp, now_ns) or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise Refused(401, "Unauthorized/Invalid api key")
        return credentials

    def of_socket(self, api_key: object, secret: object, passphrase: object) -> Credentials | None:
        """The credentials that the first frame of the user channel names; None if they are not right."""
        found = self.keys.get(api_key) if isinstance(api_key, str) else None
        return found if found is not None and (found.secret, found.passphrase) == (secret, passphrase) else None

    def _find(self, address: str, nonce: int) -> Credentials | None:
        wanted = (address.lower(), nonce)
        return next((made for made in self.keys.values() if (made.address, made.nonce) == wanted), None)


def is_current(timestamp: str, now_ns: int) -> bool:
    """A time in whole seconds that is close enough to the venue's."""
    return timestamp.isascii() and timestamp.isdigit() and abs(int(timestamp) - now_ns // NS_PER_S) <= TIMESTAMP_WINDOW_S


def l2_signature(secret: str, timestamp: str, method: str, path: str, body: bytes) -> str:
    """HMAC-SHA256 over time, method, path and the exact body; urlsafe base64 with its padding."""
    text = f"{timestamp}{method}{path}".encode() + body
    return base64.urlsafe_b64encode(hmac.new(base64.urlsafe_b64decode(secret), text, sha256).digest()).decode()
