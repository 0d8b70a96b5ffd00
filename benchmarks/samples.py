"""Messages and a frame of a usual size, to measure with; the venue's frame has the shape and the length of a real one."""

from __future__ import annotations

from pipeline.base.units import PriceE6, SizeE6
from pipeline.messages.market import BookSnapshot, Level, TradePrint, VenuePriceChange

TOKEN = "71321045679252212594626385532706912750332728571942532289631379312455583992563"
OTHER_TOKEN = "52114319501245915516055106046884209969926127482827954674443846427813813222426"
MARKET = "0x5f65177b394277fd294cd75650044e32ba009a95022d88a0c1d565897d72f8f1"
TS_NS = 1_780_000_000_000_000_000
CHANGE = VenuePriceChange(
    ts_ns=TS_NS,
    token_id=TOKEN,
    market=MARKET,
    venue_ts="1780000000000",
    hash="7ffce1b4ba0b4de7a3a6d3f6b2f57bdb4d09b4a1",
    changes=(("0.52", "173.5", "BUY"),),
    best_bid="0.52",
    best_ask="0.53",
)
BOOK = BookSnapshot(
    ts_ns=TS_NS,
    token_id=TOKEN,
    market=MARKET,
    tick_size_e6=10_000,
    bids=tuple(Level(520_000 - 10_000 * step, 173_500_000 + step) for step in range(10)),
    asks=tuple(Level(530_000 + 10_000 * step, 88_000_000 + step) for step in range(10)),
    seq=12_345,
    venue_ns=TS_NS,
    state="VERIFIED",
    basis="hash",
    changed_bids=(Level(520_000, 173_500_000),),
)
TRADE = TradePrint(
    ts_ns=TS_NS,
    token_id=TOKEN,
    market=MARKET,
    price_e6=PriceE6(520_000),
    size_e6=SizeE6(20_000_000),
    side="BUY",
    venue_ns=TS_NS,
)
_ENTRY = '{{"asset_id":"{}", "price":"{}", "size":"918.34", "side":"{}", "hash":"{}", "best_bid":"{}", "best_ask":"{}"}}'
_ENTRIES = (
    _ENTRY.format(TOKEN, "0.46", "BUY", "c8dc1ac179ac0e493132cfed6b68438c2d20cf1b", "0.5", "0.51"),
    _ENTRY.format(OTHER_TOKEN, "0.54", "SELL", "bfd30a02aee2d8de43e3ee3b8191af57bd9bdd03", "0.49", "0.5"),
)
FRAME = (
    f'{{"market":"{MARKET}", "price_changes":[{", ".join(_ENTRIES)}], "timestamp":"1790766981628", "event_type":"price_change"}}'
).encode()
