"""What one backtest brought: orders, fills, equity, samples of the books that were traded, coverage and figures. Exact integers.

The run hash is over every order event, every fill with its mids, and every point of equity, in the order in which they happened: the same
input, parameters, fill model and seed give the same hash on any machine, in any process.
"""

from __future__ import annotations

import msgspec

from pipeline.messages.market import Side
from pipeline.messages.orders import Liquidity, OrderStatus, OrderType


class BacktestOrder(msgspec.Struct, array_like=True):
    """One order over its life. Times are UTC nanoseconds, 0 for what never came; money and shares are millionths.

    ``ahead_e6`` are the shares of others that stood before it when it joined its level, None if it never rested. ``seen`` is what the
    decision behind it was made on (JSON), ``why`` its words.
    """

    client_order_id: str
    strategy: str
    market: str
    token_id: str
    side: Side
    price_e6: int
    size_e6: int
    order_type: OrderType
    post_only: bool
    placed_ns: int
    live_ns: int = 0
    ended_ns: int = 0
    filled_e6: int = 0
    status: OrderStatus = "new"
    ahead_e6: int | None = None
    reason: str = ""
    why: str = ""
    seen: str = ""
    plan_id: str = ""


class BacktestFill(msgspec.Struct, array_like=True):
    """One trade of ours. ``mids`` are the mids at it and after it, by milliseconds, as far as they are known."""

    ts_ns: int
    trade_id: str
    client_order_id: str
    strategy: str
    market: str
    token_id: str
    side: Side
    price_e6: int
    size_e6: int
    notional_e6: int
    fee_e6: int
    liquidity: Liquidity
    mids: dict[int, int] = {}


class EquityPoint(msgspec.Struct, array_like=True):
    """Profit since the start with what is held at its last known mids, and how far it is below its peak."""

    ts_ns: int
    equity_e6: int
    drawdown_e6: int


class MarketPoint(msgspec.Struct, array_like=True):
    """A market at one moment, in terms of its first token: its best prices (None: an empty side), and the shares held net."""

    ts_ns: int
    bid_e6: int | None
    ask_e6: int | None
    inventory_e6: int


class TokenCoverage(msgspec.Struct):
    """How long the book of one token was in which state, in nanoseconds of the time traded over. ``spans`` are (from, to, state)."""

    token_id: str
    market: str
    name: str
    times_ns: dict[str, int]
    spans: list[tuple[int, int, str]]
    gaps: int = 0


class Parts(msgspec.Struct):
    """Profit and its parts in millionths of a dollar: pnl = spread + adverse[60000] + inventory - fees.

    ``adverse_e6`` and ``measured`` are by horizon in milliseconds. ``settlement_e6`` is the part of the profit that resolutions realised;
    rebates and rewards are estimates, not part of the profit.
    """

    trades: int = 0
    pnl_e6: int = 0
    spread_e6: int = 0
    adverse_e6: dict[int, int] = {}
    measured: dict[int, int] = {}
    inventory_e6: int = 0
    fees_e6: int = 0
    rebates_e6: int = 0
    rewards_e6: int = 0
    settlement_e6: int = 0
    volume_e6: int = 0


class MarketResult(msgspec.Struct):
    """One market that was traded: its names, its parts, and its samples."""

    market: str
    title: str
    tokens: list[str]
    parts: Parts
    orders: int
    fills: int
    points: list[MarketPoint]


class Played(msgspec.Struct):
    """What was played, and how: what a run is repeatable from.

    ``source`` is the path or database as given, ``digest`` the hash of its bytes (of a database: of its catalogue and span). ``code`` is
    the version and the hash of the program's source, ``config`` the hash of the settings in force, parameters included.
    """

    source: str
    kind: str
    digest: str
    strategy: str
    parameters: dict[str, str]
    fill_model: str
    seed: int
    code: str
    config: str
    start_ns: int = 0
    end_ns: int = 0
    messages: int = 0
    books: int = 0
    settings: dict[str, dict[str, str]] = {}


class RunResult(msgspec.Struct):
    """One run of the grid. ``run_hash`` is over orders, fills and equity; ``seconds`` is how long it took, the only thing that varies."""

    number: int
    played: Played
    parts: Parts
    max_drawdown_e6: int
    rejected: int
    rested: int
    orders: list[BacktestOrder]
    fills: list[BacktestFill]
    equity: list[EquityPoint]
    markets: list[MarketResult]
    coverage: list[TokenCoverage]
    run_hash: str
    seconds: float = 0.0

    @property
    def fill_rate(self) -> float | None:
        """The part of the shares asked for by resting orders that traded; None where none rested. For showing only."""
        asked = sum(order.size_e6 for order in self.orders if order.live_ns)
        return sum(order.filled_e6 for order in self.orders if order.live_ns) / asked if asked else None

    @property
    def covered(self) -> float | None:
        """Of the time in which books were known and their markets not over, the part in which they could be traded on; None without any.

        For showing only.
        """
        whole = sum(
            ns for token in self.coverage for state, ns in token.times_ns.items() if state not in ("DEAD", "NOT_OBSERVED")
        )
        good = sum(token.times_ns.get(state, 0) for token in self.coverage for state in ("VERIFIED", "QUIET", "UNVERIFIED"))
        return good / whole if whole else None


def encode(result: RunResult) -> bytes:
    """The result as JSON, as the folder of a run keeps it."""
    return msgspec.json.encode(result)


def decode(data: bytes) -> RunResult:
    """The result in such a JSON. Raises msgspec.DecodeError."""
    return msgspec.json.decode(data, type=RunResult)
