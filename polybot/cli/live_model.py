"""What the live view knows of a running pipeline: books, our orders and fills, the processes. Fed with messages, drawn elsewhere."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.base.printable import printable
from pipeline.base.units import NS_PER_S
from pipeline.bus.topology import BOOK_BUILDER
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, MarketUniverse, TradePrint
from pipeline.messages.orders import (
    OPEN_STATUSES,
    ExecSnapshot,
    Fill,
    OpenOrder,
    OrderUpdate,
    TradingHalted,
    TradingResumed,
)
from pipeline.trading.markouts import NO_TRADES
from pipeline.trading.portfolio import Portfolio
from processes.supervisor import RoleStatus

TRUSTED_STATES = frozenset({"VERIFIED", "QUIET"})
_RATE_WINDOW_NS = 3 * NS_PER_S


@dataclass(slots=True)
class TokenRow:
    """One token as the screen shows it."""

    token_id: str
    name: str
    position: int
    book: BookSnapshot | None = None
    """Its latest book, of which the best levels are kept."""
    trades: int = 0
    our_bid_e6: int | None = None
    our_ask_e6: int | None = None


class PipelineModel:
    """State of the pipeline as seen from outside. ``on_message`` and ``on_statuses`` feed it; the rest reads it."""

    def __init__(self) -> None:
        self.halted: str | None = None
        self.accepts = False
        self.venue_state = "normal"
        self.fills = 0
        """Trades at the venue; what was merged, converted or settled is none."""
        self.latest_ns = 0
        """The time of the newest message: what a recording takes for the present."""
        self.statuses: tuple[RoleStatus, ...] = ()
        self._tokens: dict[str, TokenRow] = {}
        self._orders: dict[str, OpenOrder] = {}
        self._portfolio = Portfolio()
        self._fills_seen: set[tuple[str, str]] = set()
        self._placed: set[str] = set()
        self._handled: dict[str, deque[tuple[int, int]]] = {}

    # --- feeding ---------------------------------------------------------------------------------------------------

    def on_message(self, msg: Message) -> None:
        """One message of ``universe``, ``book`` or ``exec``; any other kind changes nothing."""
        self.latest_ns = max(self.latest_ns, msg.ts_ns)
        match msg:
            case BookSnapshot():
                self._token(msg.token_id).book = msg.cut_to(1)
            case TradePrint():
                self._token(msg.token_id).trades += 1
            case OrderUpdate():
                self._on_update(msg)
            case Fill():
                self._on_fill(msg)
            case ExecSnapshot():
                self._orders = {order.client_order_id: order for order in msg.orders}
                self._placed.update(self._orders)
                self._portfolio.load(msg.positions)
                self.accepts, self.halted = msg.accepts, printable(msg.reason) if msg.halted else None
                self.venue_state = msg.venue_state
                self._requote()
            case TradingHalted():
                self.halted = printable(msg.reason)
            case TradingResumed():
                self.halted = None
            case MarketUniverse():
                self._on_universe(msg)

    def on_statuses(self, statuses: Iterable[RoleStatus], now_ns: int) -> None:
        """How the processes stand; ``now_ns`` is the monotonic clock's."""
        self.statuses = tuple(statuses)
        for status in self.statuses:
            seen = self._handled.setdefault(status.role, deque())
            seen.append((now_ns, status.totals.get("handled", 0)))
            while len(seen) > 2 and seen[1][0] <= now_ns - _RATE_WINDOW_NS:
                seen.popleft()

    def _on_universe(self, msg: MarketUniverse) -> None:
        position = 0
        for market in msg.markets:
            title = market.group_item_title or market.question or market.slug or market.market_id
            for outcome in market.outcomes:
                row = self._token(outcome.token_id)
                row.name, row.position = printable(f"{title} / {outcome.name}"), position
                position += 1

    def _on_update(self, msg: OrderUpdate) -> None:
        if msg.status in OPEN_STATUSES:
            self._placed.add(msg.client_order_id)
            self._orders[msg.client_order_id] = OpenOrder(
                client_order_id=msg.client_order_id,
                strategy=msg.strategy,
                token_id=msg.token_id,
                market=msg.market,
                side=msg.side,
                price_e6=msg.price_e6,
                size_e6=msg.size_e6,
                filled_e6=msg.filled_e6,
                status=msg.status,
                placed_ns=msg.ts_ns,
            )
        else:
            self._orders.pop(msg.client_order_id, None)
        self._requote()

    def _on_fill(self, msg: Fill) -> None:
        identity = (msg.trade_id, msg.client_order_id)
        if identity in self._fills_seen or msg.status == "failed":
            return
        self._fills_seen.add(identity)
        self.fills += msg.liquidity not in NO_TRADES
        holding = self._portfolio.holding(msg.strategy, msg.token_id, msg.market)
        holding.trade(msg.side, msg.size_e6, msg.notional_e6, msg.fee_e6)

    def _requote(self) -> None:
        for row in self._tokens.values():
            row.our_bid_e6 = row.our_ask_e6 = None
        for order in self._orders.values():
            row = self._token(order.token_id)
            if order.side == "BUY":
                row.our_bid_e6 = max(row.our_bid_e6 or 0, order.price_e6)
            elif row.our_ask_e6 is None or order.price_e6 < row.our_ask_e6:
                row.our_ask_e6 = order.price_e6

    def _token(self, token_id: str) -> TokenRow:
        row = self._tokens.get(token_id)
        if row is None:
            name = token_id if len(token_id) <= 24 else f"{token_id[:8]}…{token_id[-6:]}"
            row = self._tokens[token_id] = TokenRow(token_id, name, position=len(self._tokens))
        return row

    # --- reading ---------------------------------------------------------------------------------------------------

    def tokens(self) -> list[TokenRow]:
        """Every token known, in the order of the catalogue."""
        return sorted(self._tokens.values(), key=lambda row: row.position)

    @property
    def books(self) -> int:
        """Tokens whose book was seen."""
        return sum(1 for row in self._tokens.values() if row.book is not None)

    @property
    def trusted(self) -> int:
        """Tokens whose book is proved equal to the venue's."""
        return sum(1 for row in self._tokens.values() if row.book is not None and row.book.state in TRUSTED_STATES)

    def doubted(self) -> dict[str, int]:
        """How many books are in each state that is not trusted, in the order of the states' names."""
        states = sorted(row.book.state for row in self._tokens.values() if row.book is not None)
        return dict(Counter(state for state in states if state not in TRUSTED_STATES))

    @property
    def open_orders(self) -> int:
        """Orders that may still trade."""
        return len(self._orders)

    @property
    def placed(self) -> int:
        """Orders seen open since the view began."""
        return len(self._placed)

    def pnl_e6(self) -> int:
        """Profit so far in millionths of a dollar, holdings at the mid (at cost where there is none), fees taken off."""
        total = 0
        for holding in self._portfolio:
            row = self._tokens.get(holding.token_id)
            mark = row.book.mid_e6 if row is not None and row.book is not None else None
            total += holding.realised_e6 - holding.fees_e6 + (holding.unrealised_e6(mark) or 0)
        return total

    def rate(self, role: str) -> int:
        """Messages a second that a role handled over the last seconds."""
        seen = self._handled.get(role)
        if seen is None or len(seen) < 2:
            return 0
        (then_ns, before), (now_ns, after) = seen[0], seen[-1]
        return max(0, (after - before) * NS_PER_S // max(1, now_ns - then_ns))

    @property
    def batches(self) -> int:
        """Closed batches of book changes; on the generic stream, where each message is one, its deltas."""
        return self.total(BOOK_BUILDER, "batches") or self.total(BOOK_BUILDER, "deltas")

    def total(self, role: str, name: str) -> int:
        """A count of a role over all its processes in this session."""
        return sum(status.totals.get(name, 0) for status in self.statuses if status.role == role)
