"""A checkpoint and the records behind it give what all records give, field by field, wherever it is taken."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pipeline.messages import Message
from pipeline.messages.checkpoint import Checkpoint, HoldingState, OrderState
from pipeline.messages.edges import RelayerEvent
from pipeline.messages.market import MarketResolved
from pipeline.messages.orders import Decision, MergePair, PlaceOrder
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderRecord
from pipeline.trading.checkpoint import checkpoint_of, order_from, order_state, restore
from pipeline.trading.daily import DAY_NS
from pipeline.trading.halt import Halt
from pipeline.trading.ledger import Ledger
from pipeline.trading.open_plans import OpenPlans
from pipeline.trading.orders import Order
from pipeline.trading.portfolio import Holding

ONE = 1_000_000
LATE_NS = 5_000_000_000
DURABLE = (OrderRecord, FillRecord, HaltRecord, AuditRecord)
TOKENS = ("m/yes", "m/no")


class Account:
    """What an executor recovers: the ledger, the halt and the plans under way."""

    def __init__(self) -> None:
        self.ledger = Ledger("paper", starting_cash_e6=1_000 * ONE, late_fill_ns=LATE_NS)
        self.halt, self.plans = Halt(), OpenPlans()

    def recover(self, records: Iterable[Message]) -> Account:
        for record in records:
            self.plans.recover(record)
            if isinstance(record, Checkpoint):
                restore(record, self.ledger, self.halt)
            elif isinstance(record, HaltRecord):
                self.halt.recover(record)
            else:
                self.ledger.recover((record,))
        return self

    def checkpoint(self, now_ns: int) -> Checkpoint:
        """As it comes back from a file."""
        told = checkpoint_of(self.ledger, self.halt, now_ns, self.plans)
        return msgspec.msgpack.decode(msgspec.msgpack.encode(told), type=Checkpoint)

    def state(self, now_ns: int) -> dict[str, Any]:
        """Every field, in plain values."""
        self.ledger.release(now_ns)
        seen = {name: value for name, value in vars(self.ledger).items() if name not in ("fees_of", "ignored")}
        seen["day"] = vars(self.ledger.day)
        seen["reserves"] = vars(self.ledger.reserves)
        seen["portfolio"] = [dataclasses.asdict(holding) for holding in self.ledger.portfolio]
        seen["_by_market"] = {market: list(orders) for market, orders in self.ledger._by_market.items() if orders}
        seen["order"] = [
            list(self.ledger.open),
            list(self.ledger._closed),
            list(self.ledger._fills),
            list(self.ledger._taker_plans),
        ]
        return seen | {"halt": vars(self.halt), "plans": vars(self.plans)}

    # --- what happens ----------------------------------------------------------------------------------------------

    def act(self, action: tuple[Any, ...], number: int, now_ns: int) -> Iterator[Message]:
        """Do one thing live; its records are those that an executor journals."""
        match action:
            case ("place", side, token, kind, cents, shares, refused):
                command = place(number, side, token, kind, cents, shares)
                if kind == "FAK":
                    self.plans.begin(command)
                yield self.ledger.record(self.ledger.add(command, now_ns, "no" if refused else ""), now_ns)
            case ("event", which, kind, trade, shares, status):
                event = RelayerEvent(
                    ts_ns=now_ns,
                    kind=kind,
                    client_order_id=f"x-s-{which}",
                    venue_order_id=f"v{trade}" if trade % 2 else "",
                    trade_id=f"t{trade}",
                    price_e6=450_000,
                    size_e6=shares * ONE,
                    fee_e6=trade,
                    trade_status=status,
                    reason="r" if shares % 2 else "",
                )
                yield from self.ledger.on_event(event, now_ns)
            case ("settle",):
                told = MarketResolved(ts_ns=now_ns, market="m", token_ids=TOKENS, winning_token_id=TOKENS[0], venue_ts="")
                yield from self.ledger.settle(told, now_ns)
            case ("merge", shares):
                decision = Decision(f"merge{number}", "s", "")
                command_of = MergePair(
                    ts_ns=now_ns,
                    strategy="s",
                    market="m",
                    token_ids=TOKENS,
                    size_e6=shares * ONE,
                    expires_ns=now_ns,
                    decision=decision,
                )
                if min(self.ledger.free_e6("s", token, "m") for token in TOKENS) >= command_of.size_e6:
                    yield from self.ledger.merge(command_of, now_ns)
            case ("halt", reason):
                yield from self.halt.set(reason, now_ns, "why")
            case ("audit", which):
                yield audit(f"p{which}", now_ns)


def place(number: int, side: str, token: str, kind: str, cents: int, shares: int) -> PlaceOrder:
    return PlaceOrder(
        ts_ns=number,
        client_order_id=f"x-s-{number}",
        token_id=token,
        market="m",
        side=side,  # type: ignore[arg-type]
        price_e6=cents * 10_000,
        size_e6=shares * ONE,
        order_type=kind,  # type: ignore[arg-type]
        post_only=kind == "GTC",
        expires_ns=10**18,
        decision=Decision(plan_id=f"p{number % 5}" if kind == "FAK" else "", strategy="s", reason="", intents=0),
    )


def audit(plan_id: str, now_ns: int) -> AuditRecord:
    return AuditRecord(
        ts_ns=now_ns, plan_id=plan_id, strategy="s", mode="paper", market="m", intents="[]", acks="[]", duration_ms=1, outcome="complete"
    )  # fmt: skip


WHICH, SHARES = st.integers(0, 8), st.integers(1, 12)
ACTIONS = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from(["BUY", "BUY", "SELL"]),
            st.sampled_from(TOKENS),
            st.sampled_from(["GTC", "FAK"]),
            st.integers(30, 60),
            SHARES,
            st.sampled_from([False, False, False, True]),
        ),
        st.tuples(
            st.just("event"),
            WHICH,
            st.sampled_from(["accepted", "filled", "filled", "trade_updated", "cancelled", "lost", "rejected", "expired"]),
            st.integers(0, 6),
            SHARES,
            st.sampled_from(["matched", "mined", "confirmed", "failed"]),
        ),
        st.tuples(st.just("settle")),
        st.tuples(st.just("merge"), SHARES),
        st.tuples(st.just("halt"), st.sampled_from([None, "stop"])),
        st.tuples(st.just("audit"), WHICH),
    ),
    max_size=40,
)


@given(ACTIONS, st.integers(0, 40), st.sampled_from([1_000_000_000, DAY_NS // 5]))
def test_a_live_checkpoint_and_what_follows_give_the_state_of_all_records(
    actions: list[tuple[Any, ...]], taken_at: int, step_ns: int
) -> None:
    live = Account()
    records: list[Message] = []
    now_ns = DAY_NS * 20_000
    checkpoint, before = live.checkpoint(now_ns), 0
    for number, action in enumerate(actions):
        now_ns += step_ns
        for said in live.act(action, number, now_ns):
            if isinstance(said, DURABLE):
                records.append(said)
                live.plans.take(said)
        if number == taken_at:
            checkpoint, before = live.checkpoint(now_ns), len(records)
    whole = Account().recover(records)
    short = Account().recover([checkpoint, *records[before:]])
    assert short.state(now_ns) == whole.state(now_ns)


@given(ACTIONS, st.lists(st.integers(0, 80), max_size=3))
def test_checkpoints_of_checkpoints_at_any_record_give_the_state_of_all_records(
    actions: list[tuple[Any, ...]], cuts: list[int]
) -> None:
    live = Account()
    now_ns = DAY_NS * 20_000
    records = [
        said
        for number, action in enumerate(actions)
        for said in live.act(action, number, now_ns + number * 1_000_000_000)
        if isinstance(said, DURABLE)
    ]
    short = Account()
    last = 0
    for cut in sorted(cuts):
        short.recover(records[last:cut])
        last = max(last, cut)
        short = Account().recover([short.checkpoint(now_ns)])
    short.recover(records[last:])
    now_ns += 10**12
    assert short.state(now_ns) == Account().recover(records).state(now_ns)


def test_a_checkpoint_holds_every_field_of_an_order_and_of_a_position() -> None:
    assert {field.name for field in dataclasses.fields(Order)} | {"late_until_ns"} == set(OrderState.__struct_fields__)
    assert {field.name for field in dataclasses.fields(Holding)} == set(HoldingState.__struct_fields__)
    order = Order(
        "c", "s", "t", "m", "SELL", 1, 5, "GTD", True, "p", 6, "unknown", 2, "v", "why", {"b", "a"}, 7, failed_e6=1, failed={"a"}
    )  # fmt: skip
    assert order_from(order_state(order)) == order


def test_a_trade_that_was_known_before_a_checkpoint_is_not_booked_again_behind_it() -> None:
    live = Account()
    list(live.act(("place", "BUY", "m/yes", "GTC", 50, 10, False), 1, 1))
    list(live.act(("event", 1, "filled", 1, 4, "matched"), 2, 2))
    again = Account().recover([live.checkpoint(3)])
    assert not list(again.act(("event", 1, "filled", 1, 4, "matched"), 3, 4))
    assert again.ledger.portfolio.inventory_e6("s", "m/yes") == 4 * ONE
    assert again.ledger.next_counters() == {"s": 2}
