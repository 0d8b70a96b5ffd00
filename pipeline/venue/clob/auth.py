"""The headers that prove who asks: L1 signed by the wallet (to get credentials), L2 by the credentials (for everything private).

Source: authentication page and py-clob-client-v2 1.2.1, seen 2026-11-22.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode

from pipeline.base.errors import BadInput
from pipeline.venue.clob.contracts import POLYGON
from pipeline.venue.clob.eip712 import Fields, digest, domain_separator, struct_hash, type_string
from pipeline.venue.clob.wallet import ApiCredentials, Wallet

AUTH_DOMAIN = "ClobAuthDomain"
ATTESTATION = "This message attests that I control the given wallet"
_FIELDS: Fields = (("address", "address"), ("string", "timestamp"), ("uint256", "nonce"), ("string", "message"))
_TYPE = type_string("ClobAuth", _FIELDS)
_KINDS = [kind for kind, _ in _FIELDS]


def auth_digest(address: str, timestamp_s: int, nonce: int, chain_id: int) -> bytes:
    """What a wallet signs to show that it is its own."""
    struct = struct_hash(_TYPE, _KINDS, (address, str(timestamp_s), nonce, ATTESTATION))
    return digest(domain_separator(AUTH_DOMAIN, "1", chain_id), struct)


def l1_headers(wallet: Wallet, timestamp_s: int, nonce: int = 0, chain_id: int = POLYGON) -> dict[str, str]:
    """Headers of ``POST /auth/api-key`` and ``GET /auth/derive-api-key``; the address is the key's own for every signature type."""
    signature = wallet.sign(auth_digest(wallet.address, timestamp_s, nonce, chain_id))
    return {
        "POLY_ADDRESS": wallet.address,
        "POLY_SIGNATURE": "0x" + signature.hex(),
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_NONCE": str(nonce),
    }


def l2_signature(secret: str, timestamp_s: int, method: str, path: str, body: bytes = b"") -> str:
    """HMAC-SHA256 over timestamp, METHOD, path and body. A query in ``path`` is left out: the venue does not sign it.

    ``body`` must be the very bytes that are sent. Raises BadInput for a secret that is not urlsafe base64.
    """
    message = f"{timestamp_s}{method.upper()}{path.partition('?')[0]}".encode() + body
    return urlsafe_b64encode(hmac.digest(_secret_bytes(secret), message, "sha256")).decode()


def l2_headers(
    credentials: ApiCredentials, address: str, method: str, path: str, body: bytes, timestamp_s: int
) -> dict[str, str]:
    """Headers of a private request. ``address`` is the signing key's own, ``path`` begins with a slash and may carry a query."""
    return {
        "POLY_ADDRESS": address,
        "POLY_SIGNATURE": l2_signature(credentials.secret, timestamp_s, method, path, body),
        "POLY_TIMESTAMP": str(timestamp_s),
        "POLY_API_KEY": credentials.key,
        "POLY_PASSPHRASE": credentials.passphrase,
    }


def _secret_bytes(secret: str) -> bytes:
    try:
        return urlsafe_b64decode(secret)
    except (binascii.Error, ValueError):
        raise BadInput("[secrets] api_secret: is not urlsafe base64, as the venue gives it out") from None
