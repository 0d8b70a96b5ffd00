"""The two primitives behind every signature: keccak-256, and ECDSA over secp256k1. Loaded when something is really signed.

In pure Python a signed order takes 1.6 ms and its hash alone 17 µs (one core of the 2 that Polybot is measured on, 2026-11-22); the
library signs in C where the package ``coincurve`` is installed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from pipeline.base.errors import BadInput

MISSING = "orders for the venue are signed with eth-account, which is not installed: run `uv sync --extra live`"


def keccak(data: bytes) -> bytes:
    """The 32 bytes of keccak-256. Raises BadInput without the extra ``live``."""
    digest: bytes = _keccak()(data)
    return digest


def address_of(private_key: bytes) -> str:
    """The address of a key of 32 bytes, with the upper and lower case of its checksum. Raises ValueError for a number that is no key."""
    address: str = _private_key(private_key).public_key.to_checksum_address()
    return address


def sign_digest(private_key: bytes, digest: bytes) -> bytes:
    """65 bytes: r, s and v (27 or 28). The same key and digest give the same signature (RFC 6979)."""
    signature: bytes = _private_key(private_key).sign_msg_hash(digest).to_bytes()
    return signature[:64] + bytes([signature[64] + 27])


def recovered_address(digest: bytes, signature: bytes) -> str:
    """Whose signature of 65 bytes it is. Raises ValueError for bytes that are none."""
    library = _library()
    try:
        told = library.Signature(signature[:64] + bytes([signature[64] - 27]))
        address: str = told.recover_public_key_from_msg_hash(digest).to_checksum_address()
    except library.errors as error:
        raise ValueError(f"not a signature of 65 bytes: {error}") from None
    return address


class _Library:
    """What is used of eth-keys, loaded at the first use."""

    def __init__(self) -> None:
        try:
            from eth_keys.datatypes import PrivateKey, Signature
            from eth_keys.exceptions import BadSignature
            from eth_utils.exceptions import ValidationError
        except ImportError:
            raise BadInput(MISSING) from None
        self.PrivateKey, self.Signature = PrivateKey, Signature
        self.errors: tuple[type[Exception], ...] = (BadSignature, ValidationError, ValueError, OverflowError, IndexError)


@cache
def _library() -> _Library:
    return _Library()


@cache
def _private_key(private_key: bytes) -> Any:
    """The library's key, made once for each: deriving the public half costs as much as a signature."""
    library = _library()
    try:
        return library.PrivateKey(private_key)
    except library.errors:
        raise ValueError("the private key is not a number that the curve allows") from None


@cache
def _keccak() -> Any:
    try:
        from eth_hash.auto import keccak as hashed
    except ImportError:
        raise BadInput(MISSING) from None
    return hashed
