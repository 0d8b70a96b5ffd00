"""Orders of users rest in the public book, trade with its flow, and leave money, shares and words behind that fit."""

from __future__ import annotations

import contextlib
from random import Random
from typing import Any

import pytest

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6
from pipeline.fake_venue.accounts import Refused
from pipeline.fake_venue.desk import Desk
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.matching import BID

SECOND_KEY = "0x" + "11" * 32


@pytest.fixture
def token(desk: Desk) -> str:
    return desk.orders.exchange.markets[1].spec.token_ids[0]


@pytest.fixture
def other(desk: Desk) -> str:
    return desk.orders.exchange.markets[1].spec.token_ids[1]


@pytest.fixture
def free(desk: Desk) -> str:
    """A token of a market without fees."""
    return desk.orders.exchange.markets[2].spec.token_ids[0]


def top(desk: Desk, token: str) -> tuple[int, int]:
    """Best bid and best ask of a token."""
    market, outcome = desk.orders.exchange.market_of(token) or (None, 0)
    assert market is not None
    bid, ask = market.best_e6
    assert bid is not None and ask is not None
    return (ONE_E6 - ask, ONE_E6 - bid) if outcome else (bid, ask)


def level(desk: Desk, token: str, price: str) -> int:
    """Shares bid at a price in the public book of a token."""
    body: Any = desk.orders.exchange.rest_book(token)
    return next((int(float(row["size"]) * ONE_E6) for row in body["bids"] if row["price"] == price), 0)


# --- nobody trades


def test_the_market_is_the_same_to_the_byte_where_nobody_trades(desk: Desk) -> None:
    plain = FakeExchange(ExchangePlan(seed=7, rate_per_s=20), desk.orders.exchange.now_ns)
    expected = plain.advance(plain.now_ns + 30 * NS_PER_S)
    desk.orders.catch_up(plain.now_ns)
    assert desk.orders.frames == expected and len(expected) > 300


# --- resting


@pytest.mark.parametrize("outcome", [0, 1])
def test_a_resting_order_is_in_the_public_book_of_its_token_until_it_is_cancelled(desk: Desk, trader: Any, outcome: int) -> None:
    token = desk.orders.exchange.markets[1].spec.token_ids[outcome]
    before = level(desk, token, "0.03")
    order = trader.place(token, "BUY", "0.03", "50.5")
    assert order.reply()["status"] == "live" and order.reply()["makingAmount"] == ""
    assert level(desk, token, "0.03") == before + 50_500_000
    assert desk.orders.cancel([order.order_id], trader.owner, trader.now_ns) == {"canceled": [order.order_id], "not_canceled": {}}
    assert level(desk, token, "0.03") == before
    assert [(word["type"], word["status"]) for word in trader.told()] == [("PLACEMENT", "LIVE"), ("CANCELLATION", "CANCELED")]


def test_books_still_verify_while_users_trade(desk: Desk, trader: Any, readers_of: Any) -> None:
    readers = readers_of.of(desk.orders.exchange)
    tokens = [token for market in desk.orders.exchange.markets[:3] for token in market.spec.token_ids]
    for round_ in range(12):
        for at, token in enumerate(tokens):
            bid, ask = top(desk, token)
            if (round_ + at) % 3 == 0:
                trader.place(token, "BUY", format_e6(ask), "20")
            elif (round_ + at) % 3 == 1:
                trader.place(token, "BUY", format_e6(bid), "10")
            else:
                mine = [order.order_id for order in desk.orders.open_of(trader.address)]
                desk.orders.cancel(mine[:2], trader.owner, trader.now_ns)
                for order_id in mine[2:3]:
                    desk.orders.fill(order_id, 3_000_000, trader.now_ns)
        trader.wait(1)
    readers.check(desk.orders.frames)
    assert readers.matched > 300 and readers.missed == 0
    assert len(desk.orders.trades.trades) > 10


def test_time_priority_holds_at_a_price(desk: Desk, trader: Any, token: str) -> None:
    bid, _ = top(desk, token)
    market = desk.orders.exchange.markets[1]
    ahead = market.book.total(BID, bid)
    order = trader.place(token, "BUY", format_e6(bid), "10")
    market.enter(1, bid, ahead + 4_000_000, False, 0, trader.now_ns)
    assert order.matched_e6 == 4_000_000
    assert [leg.order_id == order.order_id for leg in next(iter(desk.orders.trades.trades.values())).makers][-1]


def test_an_order_on_the_wrong_side_of_what_all_believe_is_taken_by_the_flow(desk: Desk, trader: Any, token: str) -> None:
    _, ask = top(desk, token)
    order = trader.place(token, "BUY", format_e6(ask + 40_000), "15000")
    assert order.status == "LIVE"
    trader.wait(30)
    assert order.status == "MATCHED"
    last = list(desk.orders.trades.trades.values())[-1]
    assert last.taker.account is None and last.makers[-1].order_id == order.order_id


# --- trading


def test_a_taker_pays_the_makers_prices_and_the_fee_on_top(desk: Desk, trader: Any, token: str) -> None:
    _, ask = top(desk, token)
    order = trader.place(token, "BUY", format_e6(ask), "10")
    assert order.reply()["status"] == "matched"
    fee = 10 * 70_000 * ask * (ONE_E6 - ask) // 10**12 // 10 * 10
    assert trader.account.cash_e6 == 10_000 * ONE_E6 - 10 * ask - fee
    assert trader.account.positions == {token: 10_000_000}
    assert order.reply()["makingAmount"] == format_e6(10 * ask) and order.reply()["takingAmount"] == "10"


def test_what_one_user_sells_another_can_buy_in_the_other_token(desk: Desk, trader: Any, free: str) -> None:
    """A BUY of YES at p meets a BUY of NO at 1 - p: both pay, a pair of tokens is made."""
    from_second = type(trader)(desk, SECOND_KEY)
    market = desk.orders.exchange.markets[2]
    yes, no = market.spec.token_ids
    bid, _ = top(desk, yes)
    price = bid + market.tick_e6
    maker = trader.place(yes, "BUY", format_e6(price), "10")
    assert maker.resting is not None
    taker = from_second.place(no, "BUY", format_e6(ONE_E6 - price), "10")
    assert (maker.status, taker.status) == ("MATCHED", "MATCHED")
    assert trader.account.positions == {yes: 10_000_000} and from_second.account.positions == {no: 10_000_000}
    assert trader.account.cash_e6 + from_second.account.cash_e6 == 2 * 10_000 * ONE_E6 - 10 * ONE_E6
    trade = next(iter(desk.orders.trades.trades.values()))
    seen = {key: trade.rest_body(key) for key in trade.api_keys}
    assert seen[trader.owner.api_key]["trader_side"] == "MAKER" and seen[from_second.owner.api_key]["trader_side"] == "TAKER"
    (made,) = seen[trader.owner.api_key]["maker_orders"]
    assert (made["asset_id"], made["side"], made["price"]) == (yes, "BUY", format_e6(price))
    assert (seen[trader.owner.api_key]["asset_id"], seen[trader.owner.api_key]["price"]) == (no, format_e6(ONE_E6 - price))


def test_a_market_buy_spends_its_budget_and_no_more(desk: Desk, trader: Any, token: str) -> None:
    _, ask = top(desk, token)
    order = trader.place(token, "BUY", format_e6(min(ask + 50_000, 990_000)), "25", "FAK")
    assert order.status == "MATCHED" and 25_000_000 - 10_000 < order.spent_e6 <= 25_000_000
    assert order.rest_body()["original_size"] == "25"
    assert sum(leg.size_e6 for trade in desk.orders.trades.trades.values() for leg in trade.makers) == order.matched_e6


def test_fill_or_kill_is_all_or_nothing_and_leaves_no_trace(desk: Desk, trader: Any, token: str) -> None:
    _, ask = top(desk, token)
    with pytest.raises(Refused, match="couldn't be fully filled"):
        trader.place(token, "BUY", format_e6(ask), "9000", "FOK")
    with pytest.raises(Refused, match="no orders found to match"):
        trader.place(token, "BUY", "0.02", "10", "FAK")
    assert not desk.orders.orders and not desk.orders.frames and trader.account.cash_e6 == 10_000 * ONE_E6
    assert trader.place(token, "BUY", format_e6(ask), "5", "FOK").status == "MATCHED"


def test_a_partly_filled_order_rests_with_what_is_left(desk: Desk, trader: Any, token: str) -> None:
    _, ask = top(desk, token)
    there = desk.orders.exchange.markets[1].book.reach(BID, ask)[0][1]
    order = trader.place(token, "BUY", format_e6(ask), format_e6(there + 7_000_000))
    assert (order.status, order.left_e6, order.reply()["status"]) == ("LIVE", 7_000_000, "matched")
    assert trader.orders.fill(order.order_id, 3_000_000, trader.now_ns)
    assert (order.status, order.left_e6) == ("LIVE", 4_000_000)
    assert trader.orders.fill(order.order_id, None, trader.now_ns)
    assert (order.status, order.left_e6) == ("MATCHED", 0)
    assert not trader.orders.fill(order.order_id, None, trader.now_ns)
    kinds = [(word["event_type"], word["type"], word["status"]) for word in trader.told()]
    assert kinds[-4:] == [
        ("trade", "TRADE", "MATCHED"),
        ("order", "UPDATE", "LIVE"),
        ("trade", "TRADE", "MATCHED"),
        ("order", "UPDATE", "MATCHED"),
    ]
    assert desk.orders.cancel([order.order_id], trader.owner, trader.now_ns)["not_canceled"]


# --- refusals


def test_what_the_venue_does_not_take(desk: Desk, trader: Any, token: str, other: str) -> None:
    _, ask = top(desk, token)
    placed = trader.body(token, "BUY", "0.03", "10")
    desk.orders.place(placed, trader.owner, trader.now_ns)
    dear, now_s = format_e6(ask), trader.now_ns // NS_PER_S
    refused: list[tuple[dict[str, Any], str]] = [
        (placed, r"order 0x[0-9a-f]{64} is invalid\. Duplicated\."),
        ({**trader.body(token, "BUY", "0.03", "10"), "owner": "somebody"}, "the order owner has to be"),
        (trader.body(token, "BUY", "0.035", "10"), "breaks minimum tick size rule"),
        (trader.body(token, "BUY", "0.03", "4.99"), "size lower than the minimum"),
        (trader.body(token, "BUY", "0.03", "10.001"), "invalid amounts"),
        (trader.body(token, "BUY", dear, "0.999", "FAK"), "invalid amounts"),
        (trader.body(token, "BUY", dear, "0.99", "FAK"), r"min size: \$1"),
        (trader.body(token, "BUY", dear, "10", post_only=True), "order crosses book"),
        (trader.body(token, "BUY", "0.03", "10", "GTD", expiration=str(now_s + 179)), "invalid expiration"),
        (trader.body(token, "BUY", "0.03", "10", expiration=str(now_s + 900)), "invalid expiration"),
        (trader.body(token, "BUY", "0.03", "400000"), "not enough balance / allowance"),
        (trader.body(other, "SELL", "0.9", "10"), "not enough balance / allowance"),
        ({"order": {}}, "Invalid order payload"),
    ]
    for body, why in refused:
        with pytest.raises(Refused, match=why) as error:
            desk.orders.place(body, trader.owner, trader.now_ns)
        assert error.value.status == 400
    assert len(desk.orders.orders) == 1


def test_open_orders_hold_back_what_they_may_spend(desk: Desk, trader: Any, token: str) -> None:
    for _ in range(3):
        trader.place(token, "BUY", "0.03", "100000")
    with pytest.raises(Refused, match="sum of active orders: 9000000000"):
        trader.place(token, "BUY", "0.03", "40000")
    desk.orders.cancel([next(iter(desk.orders.orders))], trader.owner, trader.now_ns)
    trader.place(token, "BUY", "0.03", "40000")
    trader.place(token, "BUY", format_e6(top(desk, token)[1]), "10")
    trader.place(token, "SELL", "0.98", "6")
    with pytest.raises(Refused, match="sum of active orders: 6000000"):
        trader.place(token, "SELL", "0.98", "6")


def test_another_key_can_neither_read_nor_cancel_nor_trade_for_an_account(desk: Desk, trader: Any, token: str) -> None:
    second = type(trader)(desk, SECOND_KEY)
    order = trader.place(token, "BUY", "0.03", "10")
    assert desk.orders.cancel([order.order_id], second.owner, trader.now_ns)["canceled"] == []
    assert desk.orders.open_of(second.address) == []
    body = {**trader.body(token, "BUY", "0.03", "10"), "owner": second.owner.api_key}
    with pytest.raises(Refused, match="signer address has to be the address of the API KEY"):
        desk.orders.place(body, second.owner, trader.now_ns)


# --- what holds whatever happens


def test_books_money_and_orders_agree_after_any_sequence(desk: Desk, trader: Any) -> None:
    """Orders and shares add up to the trades, what rests in the market is what is open, and nothing is spent twice."""
    second = type(trader)(desk, SECOND_KEY)
    rng = Random(5)
    tokens = [token for market in desk.orders.exchange.markets[:5] for token in market.spec.token_ids]
    for step in range(150):
        who, token = rng.choice((trader, second)), rng.choice(tokens)
        market, _ = desk.orders.exchange.market_of(token) or (None, 0)
        assert market is not None
        bid, ask = top(desk, token)
        price = min(
            max(rng.choice((bid, ask, bid - market.tick_e6, ask + market.tick_e6)), market.tick_e6), ONE_E6 - market.tick_e6
        )
        side, kind = rng.choice(("BUY", "BUY", "SELL")), rng.choice(("GTC", "GTC", "FAK", "FOK"))
        if step == 75:
            desk.start_fault("trade-failed", {"count": "5"})
        with contextlib.suppress(Refused):
            who.place(token, side, format_e6(price), str(rng.randint(5, 400)), kind)
        mine = [order.order_id for order in desk.orders.open_of(who.address)]
        if mine and rng.random() < 0.3:
            desk.orders.cancel([rng.choice(mine)], who.owner, who.now_ns)
        who.wait(rng.random())
    assert len(desk.orders.trades.trades) > 40
    _check_books(desk)
    _check_money(desk)


def _check_books(desk: Desk) -> None:
    resting = {
        (market.spec.id, number): order.size_e6
        for market in desk.orders.exchange.markets
        for number, order in market.users.items()
    }
    mine = (order for order in desk.orders.orders.values() if order.resting is not None)
    assert {(order.market.spec.id, order.resting): order.left_e6 for order in mine} == resting
    legs = [leg for trade in desk.orders.trades.trades.values() for leg in trade.legs if leg.account is not None]
    for order in desk.orders.orders.values():
        fills = [leg for leg in legs if leg.order_id == order.order_id]
        assert order.matched_e6 == sum(leg.size_e6 for leg in fills)
        assert order.spent_e6 == sum(leg.price_e6 * leg.size_e6 // ONE_E6 for leg in fills)
        at_least = order.terms.price_e6 if order.side == "SELL" else 0
        assert all(at_least <= leg.price_e6 and (order.side == "SELL" or leg.price_e6 <= order.terms.price_e6) for leg in fills)


def _check_money(desk: Desk) -> None:
    for account in desk.accounts.by_address.values():
        cash, shares = 10_000 * ONE_E6, dict.fromkeys(account.positions, 0)
        for trade in desk.orders.trades.trades.values():
            for leg in trade.legs:
                if leg.account is account and trade.status != "FAILED":
                    sign = 1 if leg.side == "BUY" else -1
                    cash -= sign * leg.price_e6 * leg.size_e6 // ONE_E6 + leg.fee_e6
                    shares[trade.market.spec.token_ids[leg.outcome]] += sign * leg.size_e6
        assert (account.cash_e6, account.positions) == (cash, shares)


# --- what time does


def test_a_gtd_order_dies_a_minute_before_the_time_it_names(desk: Desk, trader: Any, token: str) -> None:
    order = trader.place(token, "BUY", "0.03", "10", "GTD", expiration=str(trader.now_ns // NS_PER_S + 200))
    trader.wait(139)
    assert order.status == "LIVE"
    trader.wait(2)
    assert order.status == "CANCELED"


def test_the_orders_of_a_market_that_resolves_are_gone(desk: Desk, trader: Any, token: str) -> None:
    order = trader.place(token, "BUY", "0.03", "10")
    desk.orders.frames += desk.orders.exchange.resolve(desk.orders.exchange.markets[1], 0, trader.now_ns)
    trader.wait(1)
    assert order.status == "CANCELED_MARKET_RESOLVED"
    with pytest.raises(Refused, match="No orderbook exists"):
        trader.place(token, "BUY", "0.03", "10")


def test_sports_hold_back_what_would_trade_and_it_cannot_be_cancelled_meanwhile(trader: Any) -> None:
    exchange = FakeExchange(ExchangePlan(seed=7, rate_per_s=20, sports_delay_s=3), trader.now_ns)
    desk = Desk(exchange, trader.desk.clock, trader.desk._api.mode, lambda frames: None, 10_000 * ONE_E6, 1 << 20)
    late = type(trader)(desk)
    token = exchange.markets[0].spec.token_ids[0]
    assert exchange.listings()[0].market.seconds_delay == 3
    order = late.place(token, "BUY", format_e6(top(desk, token)[1]), "10")
    assert order.reply()["status"] == "delayed"
    assert "delayed" in desk.orders.cancel([order.order_id], late.owner, late.now_ns)["not_canceled"][order.order_id]
    assert late.place(token, "BUY", "0.03", "10").status == "LIVE"
    late.wait(3)
    assert order.status in ("MATCHED", "LIVE")
    assert next(word["status"] for word in late.told() if word.get("id") == order.order_id) == "DELAYED"
