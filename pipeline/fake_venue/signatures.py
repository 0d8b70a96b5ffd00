"""Signatures as the venue checks them: who signed a request for credentials, and who signed an order.

eth-account is imported when the first signature is checked; without it a request says which extra is missing.
Source: client sources and the migration guide of CLOB V2, seen 2026-11-22.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.base.errors import BadInput
from pipeline.fake_venue.accounts import Refused, is_current

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.fake_venue.order_wire import SignedOrder

CHAIN_ID = 137
EXCHANGE = "0xE111180000d2663C0091e4f400237545B87B996B"
NEG_RISK_EXCHANGE = "0xe2222d279d744050d28e00520010520000310F59"
AUTH_MESSAGE = "This message attests that I control the given wallet"
EOA, PROXY, SAFE, DEPOSIT_WALLET = range(4)
BAD_L1 = "Invalid L1 Request headers"

_DOMAIN = [{"name": "name", "type": "string"}, {"name": "version", "type": "string"}, {"name": "chainId", "type": "uint256"}]
_CONTRACT_DOMAIN = [*_DOMAIN, {"name": "verifyingContract", "type": "address"}]
_AUTH = [
    {"name": "address", "type": "address"},
    {"name": "timestamp", "type": "string"},
    {"name": "nonce", "type": "uint256"},
    {"name": "message", "type": "string"},
]
_ORDER_FIELDS = (
    ("salt", "uint256"),
    ("maker", "address"),
    ("signer", "address"),
    ("tokenId", "uint256"),
    ("makerAmount", "uint256"),
    ("takerAmount", "uint256"),
    ("side", "uint8"),
    ("signatureType", "uint8"),
    ("timestamp", "uint256"),
    ("metadata", "bytes32"),
    ("builder", "bytes32"),
)
_ORDER = [{"name": name, "type": kind} for name, kind in _ORDER_FIELDS]
_ORDER_TYPE = "Order(" + ",".join(f"{kind} {name}" for name, kind in _ORDER_FIELDS) + ")"
_NESTED_TYPE = (
    "TypedDataSign(Order contents,string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)"
    + _ORDER_TYPE
)


def signer_of_auth(headers: Mapping[str, str], now_ns: int) -> tuple[str, int]:
    """The address (lower case) and the nonce of a request with L1 headers. Raises Refused (401)."""
    address, timestamp = headers.get("poly_address", ""), headers.get("poly_timestamp", "")
    nonce = headers.get("poly_nonce", "0")
    if not is_current(timestamp, now_ns) or not nonce.isdigit():
        raise Refused(401, BAD_L1)
    message = {"address": address, "timestamp": timestamp, "nonce": int(nonce), "message": AUTH_MESSAGE}
    domain = {"name": "ClobAuthDomain", "version": "1", "chainId": CHAIN_ID}
    types = {"EIP712Domain": _DOMAIN, "ClobAuth": _AUTH}
    try:
        signable = _encode({"primaryType": "ClobAuth", "types": types, "domain": domain, "message": message})
        signer = _recover(_digest(signable), _hex(headers.get("poly_signature", "")))
    except ValueError:
        raise Refused(401, BAD_L1) from None
    if signer != address.lower():
        raise Refused(401, BAD_L1)
    return signer, int(nonce)


def check_order(order: SignedOrder, neg_risk: bool) -> tuple[str, str]:
    """The order's hash, which is its id, and the address (lower case) of the key that signed it. Raises Refused (400)."""
    try:
        return _check_order(order, NEG_RISK_EXCHANGE if neg_risk else EXCHANGE)
    except ValueError:
        raise Refused(400, "invalid signature") from None


def _check_order(order: SignedOrder, exchange: str) -> tuple[str, str]:
    domain = {"name": "Polymarket CTF Exchange", "version": "2", "chainId": CHAIN_ID, "verifyingContract": exchange}
    types = {"EIP712Domain": _CONTRACT_DOMAIN, "Order": _ORDER}
    signable = _encode({"primaryType": "Order", "types": types, "domain": domain, "message": _message(order)})
    order_hash = _digest(signable)
    signature = _hex(order.signature)
    if order.signatureType == DEPOSIT_WALLET:
        signer = _nested_signer(order, signable, signature)
    else:
        signer = _recover(order_hash, signature)
        if signer != order.signer.lower() or (order.signatureType == EOA and order.maker.lower() != signer):
            raise ValueError("signed by another key than the order names")
    return "0x" + order_hash.hex(), signer


def _message(order: SignedOrder) -> dict[str, Any]:
    return {
        "salt": order.salt,
        "maker": order.maker,
        "signer": order.signer,
        "tokenId": int(order.tokenId),
        "makerAmount": int(order.makerAmount),
        "takerAmount": int(order.takerAmount),
        "side": 0 if order.side == "BUY" else 1,
        "signatureType": order.signatureType,
        "timestamp": int(order.timestamp),
        "metadata": _hex(order.metadata),
        "builder": _hex(order.builder),
    }


def _nested_signer(order: SignedOrder, signable: Any, signature: bytes) -> str:
    """Who signed for a deposit wallet: 65 bytes over a digest that wraps the order, then the parts it can be checked by (ERC-7739)."""
    keccak, abi_encode = _tools()
    kind = _ORDER_TYPE.encode()
    tail = signable.header + signable.body + kind + len(kind).to_bytes(2, "big")
    if signature[65:] != tail or order.maker.lower() != order.signer.lower():
        raise ValueError("not the nested signature of this order")
    wrapped = abi_encode(
        ["bytes32", "bytes32", "bytes32", "bytes32", "uint256", "address", "bytes32"],
        [keccak(_NESTED_TYPE.encode()), signable.body, keccak(b"DepositWallet"), keccak(b"1"), CHAIN_ID, order.signer, bytes(32)],
    )
    return _recover(keccak(b"\x19\x01" + signable.header + keccak(wrapped)), signature[:65])


# --- eth-account


def _encode(document: dict[str, Any]) -> Any:
    try:
        from eth_account.messages import encode_typed_data
    except ImportError:
        raise BadInput("the fake venue cannot check signatures: eth-account is missing; run `uv sync --extra live`") from None
    try:
        return encode_typed_data(full_message=document)
    except (TypeError, OverflowError) as error:
        raise ValueError(str(error)) from None


def _tools() -> tuple[Any, Any]:
    from eth_abi.abi import encode
    from eth_utils import keccak  # type: ignore[attr-defined,unused-ignore]

    return keccak, encode


def _digest(signable: Any) -> bytes:
    keccak, _ = _tools()
    return bytes(keccak(b"\x19" + signable.version + signable.header + signable.body))


def _recover(digest: bytes, signature: bytes) -> str:
    from eth_account import Account
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    if len(signature) != 65 or signature[64] not in (27, 28):
        raise ValueError("not a signature of 65 bytes")
    try:
        return str(Account._recover_hash(digest, signature=signature)).lower()
    except (BadSignature, ValidationError, TypeError) as error:
        raise ValueError(str(error)) from None


def _hex(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError(f"{text[:20]} does not begin with 0x")
    return bytes.fromhex(text[2:])
