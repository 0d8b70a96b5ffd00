"""The ledger: what a relayer says becomes records and words, and the records give the same ledger back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import Message
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.orders import Decision, Fill, OrderUpdate, PlaceOrder
from pipeline.messages.records import FillRecord, OrderRecord
from pipeline.trading.ledger import Ledger
from pipeline.trading.risk import holding_stake_e6, stake_e6


def place(counter: int = 1, side: str = "BUY", size_e6: int = 10_000_000, price_e6: int = 400_000) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=counter,
        client_order_id=f"x-s-{counter}",
        token_id="yes",
        market="m",
        side=side,  # type: ignore[arg-type]
        price_e6=price_e6,
        size_e6=size_e6,
        order_type="GTC",
        post_only=True,
        expires_ns=10**9,
        decision=Decision(plan_id=f"p{counter}", strategy="s", reason=""),
    )


def event(kind: str, counter: int = 1, **values: object) -> RelayerEvent:
    return RelayerEvent(ts_ns=5, kind=kind, client_order_id=f"x-s-{counter}", **values)  # type: ignore[arg-type]


def filled(trade: str, size_e6: int, counter: int = 1, price_e6: int = 400_000, **values: object) -> RelayerEvent:
    return event("filled", counter, trade_id=trade, size_e6=size_e6, price_e6=price_e6, **values)


def kinds(messages: list[Message]) -> list[str]:
    return [type(msg).__name__ for msg in messages]


def test_a_fill_is_recorded_before_it_is_published() -> None:
    ledger = Ledger("fake")
    ledger.add(place(), 1)
    said = list(ledger.on_event(filled("t1", 4_000_000), 6))
    assert kinds(said) == ["FillRecord", "OrderRecord", "Fill", "OrderUpdate"]
    update = said[-1]
    assert isinstance(update, OrderUpdate)
    assert (update.status, update.filled_e6) == ("partially_filled", 4_000_000)
    assert ledger.portfolio.inventory_e6("s", "yes") == 4_000_000


def test_fractions_of_a_millionth_are_never_rounded_in_our_favour() -> None:
    ledger = Ledger("fake")
    ledger.add(place(1), 1)
    ledger.add(place(2, "SELL"), 1)
    bought = next(iter(ledger.on_event(filled("t1", 3_333_333, price_e6=410_000), 6)))
    sold = next(iter(ledger.on_event(filled("t2", 3_333_333, counter=2, price_e6=410_000), 6)))
    assert isinstance(bought, FillRecord) and isinstance(sold, FillRecord)
    assert (bought.notional_e6, sold.notional_e6) == (1_366_667, 1_366_666)


def test_a_repeated_trade_an_overfill_and_an_unknown_order_are_ignored_and_counted() -> None:
    ledger = Ledger("fake")
    ledger.add(place(), 1)
    assert list(ledger.on_event(filled("t1", 4_000_000), 6))
    assert not list(ledger.on_event(filled("t1", 4_000_000), 6))
    assert not list(ledger.on_event(filled("t2", 6_000_001), 6))
    assert not list(ledger.on_event(filled("t3", 1, counter=9), 6))
    assert ledger.ignored == 3
    assert ledger.portfolio.inventory_e6("s", "yes") == 4_000_000


def test_a_failed_trade_is_taken_back_by_a_second_row() -> None:
    ledger = Ledger("live")
    ledger.add(place(), 1)
    list(ledger.on_event(filled("t1", 10_000_000, fee_e6=50, trade_status="matched"), 6))
    mined = list(ledger.on_event(event("trade_updated", trade_id="t1", trade_status="mined"), 7))
    assert kinds(mined) == ["FillRecord"]
    failed = list(ledger.on_event(event("trade_updated", trade_id="t1", trade_status="failed"), 8))
    assert kinds(failed) == ["FillRecord", "OrderRecord", "Fill", "OrderUpdate"]
    record = failed[0]
    assert isinstance(record, FillRecord)
    assert (record.trade_id, record.reverses, record.side, record.fee_e6) == ("t1-failed", "t1", "SELL", -50)
    (holding,) = ledger.portfolio
    assert (holding.inventory_e6, holding.cash_e6, holding.fees_e6) == (0, 0, 0)
    assert not list(ledger.on_event(event("trade_updated", trade_id="t1", trade_status="mined"), 9))


def test_shares_on_offer_are_not_free() -> None:
    ledger = Ledger("fake")
    ledger.add(place(), 1)
    list(ledger.on_event(filled("t1", 10_000_000), 2))
    ledger.add(place(2, "SELL", 6_000_000), 3)
    assert ledger.free_e6("s", "yes", "m") == 4_000_000
    assert ledger.at_stake_e6 == 4_000_000


def test_counters_go_on_after_the_highest_id_even_of_a_refused_order() -> None:
    ledger = Ledger("fake")
    ledger.add(place(7), 1, refused="no")
    ledger.add(place(3), 1)
    assert ledger.next_counters() == {"s": 8}


steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), st.sampled_from(["BUY", "SELL"]), st.integers(1, 20)),
        st.tuples(st.just("fill"), st.integers(1, 8), st.integers(1, 20)),
        st.tuples(st.sampled_from(["accepted", "cancelled", "rejected", "expired", "lost"]), st.integers(1, 8), st.just(0)),
    ),
    max_size=40,
)


def run(script: list[tuple[str, str | int, int]]) -> tuple[Ledger, list[Message]]:
    ledger, said, counter = Ledger("fake"), list[Message](), 0
    for at, (what, first, second) in enumerate(script):
        if what == "place":
            counter += 1
            order = ledger.add(place(counter, str(first), second * 1_000_000), at)
            said.append(ledger.record(order, at))
        elif what == "fill":
            said.extend(ledger.on_event(filled(f"t{at}", second * 1_000_000, int(first)), at))
        else:
            said.extend(ledger.on_event(event(what, int(first)), at))
    return ledger, said


@given(steps)
def test_what_is_at_stake_is_the_sum_of_its_parts(script: list[tuple[str, str | int, int]]) -> None:
    ledger, _ = run(script)
    positions = sum(holding_stake_e6(held.inventory_e6, held.cost_e6) for held in ledger.portfolio)
    buys = [order for order in ledger.open.values() if order.side == "BUY"]
    sells = [order for order in ledger.open.values() if order.side == "SELL"]
    at_least = positions + sum(stake_e6("BUY", order.price_e6, order.remaining_e6) for order in buys)
    at_most = at_least + sum(stake_e6("SELL", order.price_e6, order.remaining_e6) for order in sells)
    assert at_least <= ledger.at_stake_e6 <= at_most
    assert all(order.is_open for order in ledger.open.values())
    assert {order.client_order_id for order in ledger.in_market("m")} == set(ledger.open)


@given(steps)
def test_the_records_give_the_same_ledger_back(script: list[tuple[str, str | int, int]]) -> None:
    ledger, said = run(script)
    again = Ledger("fake")
    again.recover(msg for msg in said if isinstance(msg, (OrderRecord, FillRecord)))
    assert again.shown() == ledger.shown()
    assert again.portfolio.shown() == ledger.portfolio.shown()
    assert again.next_counters() == ledger.next_counters()


@given(steps)
def test_published_fills_reconcile_with_positions(script: list[tuple[str, str | int, int]]) -> None:
    ledger, said = run(script)
    fills = [msg for msg in said if isinstance(msg, Fill)]
    signed = [(1 if fill.side == "BUY" else -1) * fill.size_e6 for fill in fills]
    assert ledger.portfolio.inventory_e6("s", "yes") == sum(signed)
    cash = -sum((1 if fill.side == "BUY" else -1) * fill.notional_e6 + fill.fee_e6 for fill in fills)
    assert sum(held.cash_e6 for held in ledger.portfolio) == cash


def test_a_fill_whose_order_record_was_torn_off_still_counts() -> None:
    ledger = Ledger("fake")
    order = ledger.add(place(), 1)
    first = ledger.record(order, 1)
    fill = next(iter(ledger.on_event(filled("t1", 10_000_000), 2)))
    again = Ledger("fake")
    again.recover([first, fill])
    (known,) = [again.order("x-s-1")]
    assert known is not None and known.filled_e6 == 10_000_000
    assert again.portfolio.inventory_e6("s", "yes") == 10_000_000
