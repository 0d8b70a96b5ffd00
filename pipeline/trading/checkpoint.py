"""What a ledger and a halt amount to as one message, and back: recovering from it and the records behind it gives what all records give.

It reaches into the ledger's own fields, so that the ledger need not show them to anybody else. Not in it, as no record tells it either:
what a decision's audit has gathered so far, the shares that a sale would go short, and refusals and waits of the last minute.
"""

from __future__ import annotations

from pipeline.messages.checkpoint import Checkpoint, HoldingState, OrderState
from pipeline.messages.records import OrderIntent
from pipeline.trading.halt import Halt
from pipeline.trading.ledger import Ledger
from pipeline.trading.open_plans import OpenPlans
from pipeline.trading.orders import Order
from pipeline.trading.portfolio import Holding
from pipeline.trading.risk import holding_stake_e6


def checkpoint_of(
    ledger: Ledger, halt: Halt, now_ns: int, plans: OpenPlans | None = None, intents: tuple[OrderIntent, ...] = ()
) -> Checkpoint:
    """All that a start needs of the orders, positions, money and the halt, of plans under way and of intents."""
    day, result_e6 = ledger.day.state()
    return Checkpoint(
        ts_ns=now_ns,
        open=tuple(order_state(order) for order in ledger.open.values()),
        ended=tuple(order_state(order, ledger._late.get(name, (0,))[0]) for name, order in ledger._closed.items()),
        holdings=tuple(holding_state(holding) for holding in ledger.portfolio),
        fills=tuple(ledger._fills.values()),
        day=day,
        day_result_e6=result_e6,
        counters=dict(sorted(ledger.counters.items())),
        halt=halt.reason,
        halt_ns=halt.since_ns,
        taker_plans=ledger.taker_plans(),
        unconfirmed=tuple(record for market in ledger._unconfirmed.values() for record in market.values()),
        intents=intents,
        plans=plans.shown() if plans is not None else (),
        ended_plans=plans.ended() if plans is not None else (),
    )


def restore(checkpoint: Checkpoint, ledger: Ledger, halt: Halt) -> None:
    """Make an empty ledger and a halt what they were. Call it before any record is folded."""
    halt.restore(checkpoint.halt, checkpoint.halt_ns)
    ledger.counters = dict(checkpoint.counters)
    ledger.day.restore(checkpoint.day, checkpoint.day_result_e6)
    ledger._fills = {(record.trade_id, record.client_order_id): record for record in checkpoint.fills}
    ledger._taker_plans = dict.fromkeys(checkpoint.taker_plans)
    for state in checkpoint.holdings:
        holding = ledger.portfolio.holding(state.strategy, state.token_id, state.market)
        holding.inventory_e6, holding.cost_e6, holding.cash_e6 = state.inventory_e6, state.cost_e6, state.cash_e6
        holding.realised_e6, holding.fees_e6 = state.realised_e6, state.fees_e6
        stake_e6 = holding_stake_e6(state.inventory_e6, state.cost_e6)
        ledger.reserves.put(f"{state.strategy} {state.token_id}", stake_e6)
    for record in checkpoint.unconfirmed:
        ledger._doubt(record)
    for state_of in checkpoint.ended:
        order = order_from(state_of)
        if state_of.late_until_ns:
            ledger._late[order.client_order_id] = (state_of.late_until_ns, order)
        ledger._keep(order)
    for state_of in checkpoint.open:
        ledger._keep(order_from(state_of))


def order_state(order: Order, late_until_ns: int = 0) -> OrderState:
    """An order as a checkpoint holds it; its trades are sorted, so that equal orders give equal bytes."""
    return OrderState(
        client_order_id=order.client_order_id,
        strategy=order.strategy,
        token_id=order.token_id,
        market=order.market,
        side=order.side,
        price_e6=order.price_e6,
        size_e6=order.size_e6,
        order_type=order.order_type,
        post_only=order.post_only,
        plan_id=order.plan_id,
        placed_ns=order.placed_ns,
        status=order.status,
        filled_e6=order.filled_e6,
        venue_order_id=order.venue_order_id,
        reason=order.reason,
        trades=tuple(sorted(order.trades)),
        good_till_ns=order.good_till_ns,
        failed_e6=order.failed_e6,
        failed=tuple(sorted(order.failed)),
        late_until_ns=late_until_ns,
    )


def order_from(state: OrderState) -> Order:
    """The order that a checkpoint holds."""
    return Order(
        client_order_id=state.client_order_id,
        strategy=state.strategy,
        token_id=state.token_id,
        market=state.market,
        side=state.side,
        price_e6=state.price_e6,
        size_e6=state.size_e6,
        order_type=state.order_type,
        post_only=state.post_only,
        plan_id=state.plan_id,
        placed_ns=state.placed_ns,
        status=state.status,
        filled_e6=state.filled_e6,
        venue_order_id=state.venue_order_id,
        reason=state.reason,
        trades=set(state.trades),
        good_till_ns=state.good_till_ns,
        failed_e6=state.failed_e6,
        failed=set(state.failed),
    )


def holding_state(holding: Holding) -> HoldingState:
    """A position as a checkpoint holds it."""
    return HoldingState(
        strategy=holding.strategy,
        token_id=holding.token_id,
        market=holding.market,
        inventory_e6=holding.inventory_e6,
        cost_e6=holding.cost_e6,
        cash_e6=holding.cash_e6,
        realised_e6=holding.realised_e6,
        fees_e6=holding.fees_e6,
    )
