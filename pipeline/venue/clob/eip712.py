"""Typed data as Ethereum hashes it (EIP-712), for flat structs: the few field types that the venue signs.

https://eips.ethereum.org/EIPS/eip-712 (seen 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from pipeline.venue.clob.crypto import keccak

Fields = tuple[tuple[str, str], ...]
"""(type, name) of each field, in the order in which they are hashed."""
Value = int | str | bytes

DOMAIN_FIELDS: Mapping[str, str] = {
    "name": "string",
    "version": "string",
    "chainId": "uint256",
    "verifyingContract": "address",
    "salt": "bytes32",
}
"""What a domain may hold, in the order of the standard."""


def type_string(name: str, fields: Fields) -> str:
    """``Order(uint256 salt,address maker,…)``."""
    return f"{name}({','.join(f'{kind} {field}' for kind, field in fields)})"


@lru_cache(maxsize=64)
def type_hash(text: str) -> bytes:
    """The hash of a type string."""
    return keccak(text.encode())


def struct_hash(text: str, kinds: Sequence[str], values: Sequence[Value]) -> bytes:
    """The hash of one struct: its type string, its values with their types. Raises ValueError for a value that does not fit."""
    return keccak(type_hash(text) + b"".join(map(word, kinds, values)))


@lru_cache(maxsize=64)
def domain_separator(name: str, version: str, chain_id: int, contract: str = "") -> bytes:
    """What binds a signature to one contract on one chain; without ``contract`` to the chain alone."""
    values: dict[str, Value] = {"name": name, "version": version, "chainId": chain_id}
    if contract:
        values["verifyingContract"] = contract
    fields = tuple((kind, field) for field, kind in DOMAIN_FIELDS.items() if field in values)
    return struct_hash(type_string("EIP712Domain", fields), [kind for kind, _ in fields], [values[field] for _, field in fields])


def digest(separator: bytes, struct: bytes) -> bytes:
    """What is signed: the struct within its domain."""
    return keccak(b"\x19\x01" + separator + struct)


def word(kind: str, value: Value) -> bytes:
    """One value as 32 bytes. ``uint…`` is a whole number, ``address`` and ``bytes32`` are hexadecimal or bytes, ``string`` is hashed."""
    if kind.startswith("uint"):
        bits = int(kind[4:])
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << bits:
            raise ValueError(f"{value!r} is no {kind}")
        return value.to_bytes(32, "big")
    if kind == "string":
        if not isinstance(value, str):
            raise ValueError(f"{value!r} is no text")
        return keccak(value.encode())
    size = {"address": 20, "bytes32": 32}.get(kind)
    if size is None or isinstance(value, int):
        raise ValueError(f"{value!r} cannot be hashed as {kind}")
    raw = value if isinstance(value, bytes) else bytes.fromhex(value.removeprefix("0x"))
    if len(raw) != size:
        raise ValueError(f"{value!r} is no {kind}: it has {len(raw)} bytes, not {size}")
    return raw.rjust(32, b"\0")
