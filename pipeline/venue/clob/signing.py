"""Orders as the venue's contracts know them: the signed struct, its hash (the order's id), and its signature.

Protocol V2: domain version "2", and "3" with the same struct. Source: py-clob-client-v2 1.2.1, seen 2026-11-22.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.messages.market import Side
from pipeline.venue.clob.contracts import EXCHANGE_NAME, Exchange
from pipeline.venue.clob.eip712 import Fields, digest, domain_separator, struct_hash, type_string
from pipeline.venue.clob.wallet import POLY_1271, Wallet

ORDER_FIELDS: Fields = (
    ("uint256", "salt"),
    ("address", "maker"),
    ("address", "signer"),
    ("uint256", "tokenId"),
    ("uint256", "makerAmount"),
    ("uint256", "takerAmount"),
    ("uint8", "side"),
    ("uint8", "signatureType"),
    ("uint256", "timestamp"),
    ("bytes32", "metadata"),
    ("bytes32", "builder"),
)
ORDER_TYPE = type_string("Order", ORDER_FIELDS)
ZERO_32 = "0x" + "00" * 32

_NESTED_FIELDS: Fields = (
    ("Order", "contents"),
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
    ("bytes32", "salt"),
)
_NESTED_TYPE = type_string("TypedDataSign", _NESTED_FIELDS) + ORDER_TYPE
_ORDER_KINDS = [kind for kind, _ in ORDER_FIELDS]
_NESTED_KINDS = ["bytes32"] + [kind for kind, _ in _NESTED_FIELDS[1:]]


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """What is signed. Amounts in millionths of a share or of a dollar; ``timestamp_ms`` makes equal orders differ.

    When an order expires is not among it: that travels beside it, unsigned.
    """

    salt: int
    maker: str
    signer: str
    token_id: int
    maker_amount: int
    taker_amount: int
    side: Side
    signature_type: int
    timestamp_ms: int
    metadata: str = ZERO_32
    builder: str = ZERO_32

    def struct_hash(self) -> bytes:
        """The hash of the order by itself, without the exchange."""
        values = (
            self.salt,
            self.maker,
            self.signer,
            self.token_id,
            self.maker_amount,
            self.taker_amount,
            0 if self.side == "BUY" else 1,
            self.signature_type,
            self.timestamp_ms,
            self.metadata,
            self.builder,
        )
        return struct_hash(ORDER_TYPE, _ORDER_KINDS, values)


def separator_of(exchange: Exchange) -> bytes:
    """The exchange's domain separator; computed once."""
    return domain_separator(EXCHANGE_NAME, exchange.version, exchange.chain_id, exchange.contract)


def order_hash(order: VenueOrder, exchange: Exchange) -> str:
    """The order's id at the venue, known before anything is sent: ``0x`` and 64 digits."""
    return "0x" + digest(separator_of(exchange), order.struct_hash()).hex()


def signed_digest(order: VenueOrder, exchange: Exchange) -> bytes:
    """What the key signs: the order's hash; for a deposit wallet the order nested in the wallet's own typed data (ERC-7739)."""
    contents = order.struct_hash()
    if order.signature_type != POLY_1271:
        return digest(separator_of(exchange), contents)
    nested = (contents, "DepositWallet", "1", exchange.chain_id, order.signer, ZERO_32)
    return digest(separator_of(exchange), struct_hash(_NESTED_TYPE, _NESTED_KINDS, nested))


def order_signature(order: VenueOrder, exchange: Exchange, wallet: Wallet) -> str:
    """The signature as the body of the order carries it: 65 bytes; for a deposit wallet 317, with what was signed after them."""
    signature = wallet.sign(signed_digest(order, exchange))
    if order.signature_type == POLY_1271:
        text = ORDER_TYPE.encode()
        signature += separator_of(exchange) + order.struct_hash() + text + len(text).to_bytes(2, "big")
    return "0x" + signature.hex()
