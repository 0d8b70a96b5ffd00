"""An intent keeps to its table: looked up when unknown, sent again only while wanted, given up only when the venue says no."""

from __future__ import annotations

import pytest

from pipeline.base.units import NS_PER_S, ONE_E6
from pipeline.messages.records import OrderIntent
from pipeline.trading.intents import LOOKS, RESENDS, RESTING_NS, Intent, IntentLedger

T = 1_790_000_000_000_000_000


def record(name: str = "a", *, post_only: bool = True) -> OrderIntent:
    return OrderIntent(
        ts_ns=T,
        client_order_id=name,
        venue_order_id=f"0x{name}",
        token_id="1",
        market="m",
        side="BUY",
        price_e6=500_000,
        size_e6=10 * ONE_E6,
        order_type="GTC" if post_only else "FAK",
        post_only=post_only,
        body="{}",
        expires_ns=T + 2 * NS_PER_S,
    )


def unknown(intent: Intent) -> Intent:
    assert intent.on("send") and intent.on("lose")
    intent.sends += 1
    return intent


def test_what_the_table_does_not_allow_changes_nothing() -> None:
    intent = Intent(record())
    assert not intent.on("acknowledge")
    assert intent.on("send") and intent.on("refuse")
    assert not intent.on("acknowledge") and intent.state == "refused"


def test_one_no_is_not_believed_and_a_wanted_order_is_sent_again_then_given_up() -> None:
    intent = unknown(Intent(record()))
    verdicts = []
    for _ in range(1 + RESENDS):
        verdicts += [intent.not_found(T) for _ in range(LOOKS)]
        intent.missing = 0
        intent.sends += 1
    assert verdicts == (["look"] * (LOOKS - 1) + ["resend"]) * RESENDS + ["look"] * (LOOKS - 1) + ["give_up"]


@pytest.mark.parametrize(("post_only", "until_ns"), [(True, T + RESTING_NS), (False, T + 2 * NS_PER_S)])
def test_an_order_is_worth_sending_again_only_for_its_time_and_while_nobody_cancelled_it(post_only: bool, until_ns: int) -> None:
    intent = unknown(Intent(record(post_only=post_only)))
    assert intent.may_be_sent_again(until_ns) and not intent.may_be_sent_again(until_ns + 1)
    intent.wanted = False
    assert not intent.may_be_sent_again(T)


def test_an_id_or_a_hash_is_taken_once() -> None:
    ledger = IntentLedger()
    ledger.prepare(record())
    with pytest.raises(ValueError, match="exists already"):
        ledger.prepare(record())


def test_a_trade_is_new_once_and_one_that_failed_stays_so() -> None:
    ledger = IntentLedger()
    intent = ledger.prepare(record())
    told = [
        ledger.trade(intent, "t", 4, status, T) for status in ("matched", "matched", "mined", "failed", "matched", "confirmed")
    ]  # type: ignore[arg-type]
    assert told == ["new", "", "moved", "moved", "", ""]
    assert (intent.matched_e6, intent.booked_e6) == (4, 0)
    assert ledger.trade(intent, "u", 3, "failed", T) == ""
    assert (intent.matched_e6, intent.booked_e6) == (7, 0)


def test_a_checkpoint_keeps_open_intents_whole_and_ended_ones_without_their_bodies() -> None:
    ledger = IntentLedger()
    ledger.prepare(record("a")).told_end = True
    ledger.prepare(record("b"))
    assert [(kept.client_order_id, kept.body) for kept in ledger.kept()] == [("a", ""), ("b", "{}")]
