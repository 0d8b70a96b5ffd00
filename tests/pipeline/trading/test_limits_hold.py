"""Limits hold whatever the venue answers, in any order: late fills, fees and trades that fail included."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.messages import Message
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import BookSnapshot, FeeSchedule, Level, Market, Outcome, Side
from pipeline.messages.orders import CancelOrder, Decision, Fill, OrderUpdate, PlaceOrder
from pipeline.messages.records import FillRecord, OrderRecord
from pipeline.trading.dispatch import Dispatcher
from pipeline.trading.exposure import event_loss_e6, market_loss_e6, market_values_e6
from pipeline.trading.fees import fee_floor_e6
from pipeline.trading.followed import Followed
from pipeline.trading.limits import Limits
from pipeline.trading.orders import TERMINAL
from pipeline.trading.rate_limits import Bucket, RateLimits

S = 1_000_000_000
ONE = 1_000_000
T = 1_000 * S
FEES = FeeSchedule(rate_e6=50_000)
EVENT = tuple(
    Market(
        market_id=name,
        outcomes=(Outcome(f"{name}-y", "Yes"), Outcome(f"{name}-n", "No")),
        neg_risk=True,
        neg_risk_market_id="e",
        fees=FEES,
    )
    for name in ("a", "b")
)
TOKENS = ("a-y", "a-n", "b-y", "b-n")
TIGHT = Limits(
    max_order_e6=20 * ONE,
    max_open_orders=5,
    max_total_e6=60 * ONE,
    max_market_e6=15 * ONE,
    max_event_e6=20 * ONE,
    max_inventory_e6=30 * ONE,
    late_fill_ns=10 * S,
)


class Wire:
    """A relayer that answers nothing by itself."""

    def submit_many(self, orders: Sequence[PlaceOrder], now_ns: int) -> Iterable[RelayerEvent]:
        return ()

    def cancel(self, client_order_id: str, now_ns: int) -> Iterable[RelayerEvent]:
        return ()

    def cancel_all(self, now_ns: int) -> Iterable[RelayerEvent]:
        return ()


def desk(limits: Limits) -> Dispatcher:
    followed = Followed()
    followed.on_universe(EVENT)
    for market in EVENT:
        followed.on_book(
            BookSnapshot(
                ts_ns=T,
                token_id=f"{market.market_id}-y",
                market=market.market_id,
                tick_size_e6=10_000,
                bids=(Level(400_000, 100 * ONE),),
                asks=(Level(470_000, 100 * ONE),),
                seq=1,
                venue_ns=T,
                state="VERIFIED",
                basis="hash",
            )
        )
    return Dispatcher(Wire(), limits, "fake", followed, RateLimits(Bucket(40, 60), Bucket(80, 120)))


def place(counter: int, token: str, side: Side, price_e6: int, size_e6: int) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=T,
        client_order_id=f"x-s-{counter}",
        token_id=token,
        market=token.partition("-")[0],
        side=side,
        price_e6=price_e6,
        size_e6=size_e6,
        order_type="GTC",
        post_only=False,
        expires_ns=T + 100 * S,
        decision=Decision(plan_id=f"p{counter}", strategy="s", reason="", decided_ns=T),
    )


def event(kind: str, counter: int, **values: object) -> RelayerEvent:
    return RelayerEvent(ts_ns=T, kind=kind, client_order_id=f"x-s-{counter}", **values)  # type: ignore[arg-type]


def fill(counter: int, trade: str, price_e6: int, size_e6: int, status: str = "confirmed", fee_e6: int = 0) -> RelayerEvent:
    return event(
        "filled",
        counter,
        trade_id=trade,
        price_e6=price_e6,
        size_e6=size_e6,
        fee_e6=fee_e6,
        trade_status=status,
        liquidity="taker",
    )


def failed(counter: int, trade: str) -> RelayerEvent:
    return event("trade_updated", counter, trade_id=trade, trade_status="failed")


def reasons(messages: Iterable[Message]) -> list[str]:
    return [msg.reason for msg in messages if isinstance(msg, OrderUpdate)]


# --- what each gap would let through --------------------------------------------------------------------------------

WIDE = Limits(max_order_e6=200 * ONE, max_open_orders=100, max_total_e6=1_000 * ONE)


def wide(**limits: int) -> Limits:
    """No limit but these."""
    return replace(WIDE, **limits)  # type: ignore[arg-type]


def test_the_room_of_a_cancelled_order_is_not_given_away_before_a_late_trade_of_it_would_have_been_told() -> None:
    dispatcher = desk(wide(max_inventory_e6=30 * ONE, late_fill_ns=10 * S))
    list(dispatcher.place(place(1, "a-y", "BUY", 400_000, 30 * ONE), T))
    list(dispatcher.apply([event("accepted", 1), event("cancelled", 1)], T))
    assert reasons(dispatcher.place(place(2, "a-y", "BUY", 400_000, 10 * ONE), T)) == ["inventory 40 is over max_inventory 30"]
    list(dispatcher.apply([fill(1, "t", 400_000, 25 * ONE)], T + S))
    assert reasons(dispatcher.place(place(3, "a-y", "BUY", 400_000, 5 * ONE), T + 11 * S)) == []
    assert dispatcher.ledger.portfolio.inventory_e6("s", "a-y") == 25 * ONE


def test_the_room_of_a_cancelled_order_is_free_once_all_its_trades_are_told() -> None:
    dispatcher = desk(wide(max_inventory_e6=30 * ONE, late_fill_ns=10 * S))
    list(dispatcher.place(place(1, "a-y", "BUY", 400_000, 30 * ONE), T))
    list(dispatcher.apply([event("accepted", 1), event("concluded", 1)], T))
    assert reasons(dispatcher.place(place(2, "a-y", "BUY", 400_000, 10 * ONE), T)) == ["inventory 40 is over max_inventory 30"]
    list(dispatcher.apply([event("cancelled", 1), event("concluded", 1)], T))
    assert reasons(dispatcher.place(place(3, "a-y", "BUY", 400_000, 30 * ONE), T)) == []


def test_the_fee_that_a_taker_may_be_charged_is_part_of_what_an_order_risks() -> None:
    # 20 shares at 0.4 cost 8, and at most 20 x 0.05 x 0.4 x 0.6 = 0.24 of fees.
    asked = place(1, "a-y", "BUY", 400_000, 20 * ONE)
    for limit in ("max_order_e6", "max_total_e6", "max_market_e6", "max_event_e6"):
        assert reasons(desk(wide(**{limit: 8_240_000})).place(asked, T)) == []
        (reason,) = reasons(desk(wide(**{limit: 8_239_999})).place(asked, T))
        assert "8.24" in reason
    dispatcher = desk(WIDE)
    list(dispatcher.place(asked, T))
    assert dispatcher.ledger.at_stake_e6 == 8_240_000


def test_a_hedge_that_may_fail_on_chain_makes_no_room() -> None:
    dispatcher = desk(wide(max_market_e6=13 * ONE))
    list(dispatcher.place(place(1, "a-y", "BUY", 400_000, 20 * ONE), T))
    list(dispatcher.apply([fill(1, "t1", 400_000, 20 * ONE)], T))
    list(dispatcher.place(place(2, "a-n", "BUY", 210_000, 20 * ONE), T))
    list(dispatcher.apply([fill(2, "t2", 210_000, 20 * ONE, "matched")], T))
    wanted = place(3, "a-y", "BUY", 400_000, 20 * ONE)
    (reason,) = reasons(dispatcher.place(wanted, T))
    assert reason.startswith("market could lose 16.24")
    list(dispatcher.apply([event("trade_updated", 2, trade_id="t2", trade_status="confirmed")], T))
    assert reasons(dispatcher.place(place(4, "a-y", "BUY", 400_000, 20 * ONE), T)) == []


def test_a_sale_that_may_fail_makes_no_room_in_the_inventory() -> None:
    dispatcher = desk(wide(max_inventory_e6=30 * ONE))
    list(dispatcher.place(place(1, "a-y", "BUY", 400_000, 30 * ONE), T))
    list(dispatcher.apply([fill(1, "t1", 400_000, 30 * ONE)], T))
    list(dispatcher.place(place(2, "a-y", "SELL", 410_000, 30 * ONE), T))
    list(dispatcher.apply([fill(2, "t2", 410_000, 30 * ONE, "matched")], T))
    assert reasons(dispatcher.place(place(3, "a-y", "BUY", 400_000, ONE), T)) == ["inventory 31 is over max_inventory 30"]
    list(dispatcher.apply([failed(2, "t2")], T))
    assert dispatcher.ledger.portfolio.inventory_e6("s", "a-y") == 30 * ONE


def test_a_failed_purchase_frees_its_room_once_and_is_not_filled_again_by_a_repeat() -> None:
    dispatcher = desk(wide(max_inventory_e6=30 * ONE))
    list(dispatcher.place(place(1, "a-y", "BUY", 400_000, 30 * ONE), T))
    list(dispatcher.apply([fill(1, "t1", 400_000, 20 * ONE, "matched"), failed(1, "t1"), failed(1, "t1")], T))
    (order,) = dispatcher.ledger.open.values()
    assert (order.filled_e6, order.remaining_e6) == (0, 10 * ONE)
    assert dispatcher.ledger.at_stake_e6 == 4_120_000
    list(dispatcher.apply([fill(1, "t1", 400_000, 20 * ONE), fill(1, "t1", 400_000, 10 * ONE)], T))
    assert dispatcher.ledger.portfolio.inventory_e6("s", "a-y") == 0
    assert reasons(dispatcher.place(place(2, "a-y", "BUY", 400_000, 20 * ONE), T)) == []
    assert reasons(dispatcher.place(place(3, "a-y", "BUY", 400_000, ONE), T)) == ["inventory 31 is over max_inventory 30"]


def test_over_a_limit_by_the_venues_doing_nothing_is_added_and_what_is_held_may_be_sold() -> None:
    dispatcher = desk(wide(max_market_e6=8_300_000, late_fill_ns=S))
    list(dispatcher.place(place(1, "a-y", "BUY", 400_000, 20 * ONE), T))
    list(dispatcher.apply([event("cancelled", 1)], T))
    list(dispatcher.place(place(2, "a-y", "BUY", 400_000, 20 * ONE), T + 2 * S))
    list(dispatcher.apply([fill(2, "t2", 400_000, 20 * ONE), fill(1, "t1", 400_000, 20 * ONE)], T + 2 * S))
    assert dispatcher.ledger.portfolio.inventory_e6("s", "a-y") == 40 * ONE
    (reason,) = reasons(dispatcher.place(place(3, "a-y", "BUY", 400_000, ONE), T + 2 * S))
    assert reason.startswith("market could lose 16.4")
    assert reasons(dispatcher.place(place(4, "a-y", "SELL", 410_000, 40 * ONE), T + 2 * S)) == []


def test_a_purchase_fits_the_cash_that_open_orders_leave_fees_included() -> None:
    dispatcher = desk(wide(starting_cash_e6=20 * ONE))
    list(dispatcher.place(place(1, "a-y", "BUY", 400_000, 20 * ONE), T))
    assert dispatcher.ledger.free_cash_e6 == 11_760_000
    (reason,) = reasons(dispatcher.place(place(2, "b-y", "BUY", 400_000, 29 * ONE), T))
    assert reason == "balance: 11.948 is needed and 11.76 of cash is free"
    updates = list(dispatcher.apply([fill(1, "t1", 400_000, 20 * ONE), event("cancelled", 1)], T))
    assert [msg.free_cash_e6 for msg in updates if isinstance(msg, OrderUpdate)] == [12 * ONE]
    assert reasons(dispatcher.place(place(3, "b-y", "BUY", 400_000, 29 * ONE), T)) == []


def test_a_sale_fits_the_free_shares_and_its_money_is_free_once_it_is_confirmed() -> None:
    dispatcher = desk(wide(starting_cash_e6=20 * ONE))
    (reason,) = reasons(dispatcher.place(place(1, "a-y", "SELL", 410_000, 5 * ONE), T))
    assert reason == "balance: only 0 shares of a-y are free to sell"
    list(dispatcher.place(place(2, "a-y", "BUY", 400_000, 20 * ONE), T))
    list(dispatcher.apply([fill(2, "t2", 400_000, 20 * ONE)], T))
    assert reasons(dispatcher.place(place(3, "a-y", "SELL", 410_000, 15 * ONE), T)) == []
    (reason,) = reasons(dispatcher.place(place(4, "a-y", "SELL", 410_000, 6 * ONE), T))
    assert reason == "balance: only 5 shares of a-y are free to sell"
    list(dispatcher.apply([fill(3, "t3", 410_000, 15 * ONE, "matched")], T))
    assert dispatcher.ledger.free_cash_e6 == 12 * ONE
    list(dispatcher.apply([event("trade_updated", 3, trade_id="t3", trade_status="confirmed")], T))
    assert dispatcher.ledger.free_cash_e6 == 18_150_000


# --- in any order ---------------------------------------------------------------------------------------------------

placing = st.tuples(
    st.just("place"),
    st.sampled_from(TOKENS),
    st.sampled_from(["BUY", "SELL"]),
    st.integers(1, 19).map(lambda price: price * 50_000),
    st.one_of(st.integers(1, 60), st.integers(40, 60)).map(lambda size: size * ONE // 2),
)
known_orders = st.one_of(st.integers(1, 4), st.integers(1, 12))
answers = st.sampled_from(["accepted", "rejected", "cancelled", "cancelled", "expired", "lost", "delayed", "cancel_refused"])
telling = st.tuples(st.just("tell"), answers, known_orders)
filling = st.tuples(
    st.just("fill"),
    known_orders,
    st.one_of(st.just(100), st.integers(1, 100)),
    st.integers(0, 9),
    st.sampled_from(["matched", "confirmed"]),
)
settling = st.tuples(st.just("settle"), st.integers(0, 5), st.sampled_from(["mined", "confirmed", "failed", "failed"]))
cancelling = st.tuples(st.just("cancel"), known_orders)
again = st.tuples(st.just("again"), placing, st.sampled_from(["matched", "confirmed"]))
"""An order ends without a trade, the same is asked for once more, and both turn out to have traded."""


def spelled_out(script: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    """The script with each ``again`` as the steps that it stands for."""
    steps: list[tuple[object, ...]] = []
    counter = 0
    for step in script:
        if step[0] == "again":
            _, place_it, status = step
            assert isinstance(place_it, tuple)
            steps += [place_it, ("tell", "cancelled", counter + 1), place_it]
            steps += [("fill", counter + number, 100, 0, status) for number in (1, 2)]
            counter += 2
        else:
            steps.append(step)
            counter += step[0] == "place"
    return steps


def losses(dispatcher: Dispatcher) -> tuple[list[int], int]:
    """The worst loss of each market and of the event from what is held alone."""
    values = []
    for market in EVENT:
        portfolio = dispatcher.ledger.portfolio.in_market(market.market_id)
        values.append(market_values_e6(market, [(each.token_id, each.inventory_e6, -each.cash_e6) for each in portfolio], ()))
    return [market_loss_e6(each) for each in values], event_loss_e6(values, exclusive=True)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(placing, telling, filling, settling, cancelling, again), max_size=40), st.sampled_from([None, 12 * ONE])
)
def test_limits_hold_under_any_order_of_acks_fills_cancels_late_fills_and_failures(
    script: list[tuple[object, ...]], cash_e6: int | None
) -> None:
    """A trade comes while its order is open or soon after its end, at its limit or better, and may fail until it is confirmed."""
    dispatcher = desk(replace(TIGHT, starting_cash_e6=cash_e6))
    ledger = dispatcher.ledger
    said: list[Message] = []
    trades: list[tuple[int, str]] = []
    ended: dict[str, str] = {}
    counter = 0
    for at, step in enumerate(spelled_out(script)):
        match step:
            case ("place", str(token), ("BUY" | "SELL") as side, int(price), int(size)):
                counter += 1
                before, free = ledger.at_stake_e6, ledger.free_e6("s", token, token[0])
                told = list(dispatcher.place(place(counter, token, side, price, size), T))
                said.extend(told)
                if any(isinstance(msg, OrderRecord) and msg.status == "submitted" for msg in told):
                    fee = fee_floor_e6(FEES, price, size) + 10
                    held = side == "SELL" and size <= free
                    assert ledger.at_stake_e6 <= (before + fee if held else TIGHT.max_total_e6 + 2)
            case ("tell", str(kind), int(which)):
                said.extend(dispatcher.apply([event(kind, which)], T))
            case ("fill", int(which), int(percent), int(better), str(status)):
                known = ledger.order(f"x-s-{which}")
                if known is not None and known.status not in ("rejected", "matched") and known.remaining_e6:
                    size = max(1, known.remaining_e6 * percent // 100)
                    price = known.price_e6 - better * 10_000 if known.side == "BUY" else known.price_e6 + better * 10_000
                    price = min(max(price, 10_000), 990_000)
                    trades.append((which, f"t{at}"))
                    said.extend(
                        dispatcher.apply([fill(which, f"t{at}", price, size, status, fee_floor_e6(FEES, price, size))], T)
                    )
            case ("settle", int(index), str(status)) if index < len(trades):
                which, trade = trades[index]
                said.extend(dispatcher.apply([event("trade_updated", which, trade_id=trade, trade_status=status)], T))
            case ("cancel", int(which)):
                decision = Decision(plan_id=f"c{at}", strategy="s", reason="", decided_ns=T)
                cancel = CancelOrder(ts_ns=T, client_order_id=f"x-s-{which}", expires_ns=T + S, decision=decision)
                said.extend(dispatcher.cancel(cancel, T))
        fills = [msg for msg in said if isinstance(msg, Fill)]
        by_market, by_event = losses(dispatcher)
        assert max(by_market) <= TIGHT.max_market_e6 + 2 * len(fills)
        assert by_event <= TIGHT.max_event_e6 + 2 * len(fills)
        assert len(ledger.open) <= TIGHT.max_open_orders
        assert cash_e6 is None or cash_e6 + sum(holding.cash_e6 for holding in ledger.portfolio) >= -2 * len(fills)
        # A purchase that fails after its shares were sold on leaves a short position: only the venue can bring that about.
        taken_back = Counter[str]()
        for record in said:
            if isinstance(record, FillRecord) and record.reverses and record.side == "SELL":
                taken_back[record.token_id] += record.size_e6
        for holding in ledger.portfolio:
            assert holding.inventory_e6 <= TIGHT.max_inventory_e6
            assert holding.inventory_e6 >= -TIGHT.max_inventory_e6 - taken_back[holding.token_id]
        for name in (f"x-s-{number}" for number in range(1, counter + 1)):
            known = ledger.order(name)
            if known is not None and known.status in TERMINAL:
                assert ended.setdefault(name, known.status) == known.status
    fills = [msg for msg in said if isinstance(msg, Fill)]
    for token in TOKENS:
        signed = [(1 if each.side == "BUY" else -1) * each.size_e6 for each in fills if each.token_id == token]
        assert ledger.portfolio.inventory_e6("s", token) == sum(signed)
    cash = -sum((1 if each.side == "BUY" else -1) * each.notional_e6 + each.fee_e6 for each in fills)
    assert sum(holding.cash_e6 for holding in ledger.portfolio) == cash
