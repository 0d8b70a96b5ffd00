"""Which contract an order is signed for. Source: the official clients' configuration and the contracts page, seen 2026-11-22."""

from __future__ import annotations

from dataclasses import dataclass

POLYGON = 137
AMOY = 80_002
EXCHANGE_NAME = "Polymarket CTF Exchange"

_EXCHANGE_V2 = "0xE111180000d2663C0091e4f400237545B87B996B"
_NEG_RISK_EXCHANGE_V2 = "0xe2222d279d744050d28e00520010520000310F59"
_EXCHANGE_V3 = {
    POLYGON: "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa",
    AMOY: "0x9fE6e61422AdB6F610d8597F9684b16912D50C3D",
}


@dataclass(frozen=True, slots=True)
class Exchange:
    """The domain of an order: the version of the order protocol, the chain, and the contract that settles it."""

    version: str
    chain_id: int
    contract: str


def exchange_of(market_version: str | None, neg_risk: bool | None, chain_id: int = POLYGON) -> Exchange:
    """The exchange of a market, by its protocol generation ("v1" or "v2" as the catalogue has it) and whether it is neg-risk.

    Raises ValueError where that is not known for certain: a signature for the wrong contract is worth nothing.
    """
    if chain_id not in _EXCHANGE_V3:
        raise ValueError(f"no exchange is known on chain {chain_id}")
    if market_version == "v2":
        return Exchange("3", chain_id, _EXCHANGE_V3[chain_id])
    if market_version != "v1":
        raise ValueError(f"the market's version is {market_version or 'missing'}: orders are signed for v1 and v2 only")
    if neg_risk is None:
        raise ValueError("it is not known whether the market is neg-risk, and so not which exchange settles it")
    return Exchange("2", chain_id, _NEG_RISK_EXCHANGE_V2 if neg_risk else _EXCHANGE_V2)
