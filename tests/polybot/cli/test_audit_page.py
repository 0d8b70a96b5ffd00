"""A decision as one page: names instead of ids, each command with its times, and what came too late or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipeline.messages.market import Market, Outcome
from pipeline.messages.records import MarketVersion
from pipeline.store.catalogue import append_version, mention_outcomes
from pipeline.store.markets import names_of
from pipeline.store.open import open_store
from pipeline.store.rows import AuditRow
from pipeline.store.runs import Run, save_run
from polybot.cli.audit_page import ids_in, page
from polybot.cli.trading_words import with_short_ids

TOKEN, MARKET = "615503" + "1" * 68 + "2575", "0xbb99" + "a" * 56 + "a931"
NAMES = {TOKEN: "No of Di Dunn", MARKET: "Di Dunn"}


def audit(intents: list[dict[str, Any]], acks: list[dict[str, Any]], **changed: Any) -> AuditRow:
    known: dict[str, Any] = {
        "plan_id": "p1",
        "run_id": 1,
        "strategy": "spread_capture",
        "mode": "paper",
        "market_id": MARKET,
        "intents": json.dumps(intents),
        "acks": json.dumps(acks),
        "duration_ms": 120,
        "outcome": "partial",
        "reason": "quote",
        "seen": "",
        "expected_profit_e6": 0,
        "ts_ms": 0,
        "ts_ns": 0,
    }
    return AuditRow(**{name: (known | changed)[name] for name in AuditRow.__dataclass_fields__})


def place(name: str, **more: Any) -> dict[str, Any]:
    order = {"side": "BUY", "size": "20", "token_id": TOKEN, "price": "0.9", "order_type": "GTC", "post_only": True}
    return {"action": "place", "client_order_id": name, "after_ms": 13, **order, **more}


def test_each_command_is_told_with_its_way_and_what_it_is_about_by_name() -> None:
    told = page(
        audit(
            [{"action": "cancel", "client_order_id": "o1", "after_ms": 12}, place("o2"), place("o3", post_only=False)],
            [
                {
                    "action": "place",
                    "client_order_id": "o2",
                    "status": "refused",
                    "after_ms": 14,
                    "reason": "crosses the ask 0.9",
                },
                {"action": "cancel", "client_order_id": "o1", "status": "matched", "after_ms": 15, "sent_after_ms": 13},
            ],
        ),
        NAMES,
    )
    assert told[1:6] == [
        "  market    Di Dunn (0xbb99…a931)",
        "  at        1970-01-01 00:00:00.000 UTC, 120 ms from the decision to the last answer",
        "  why       quote",
        "  expected  -",
        "  outcome   partial",
    ]
    assert told[6:] == [
        "  seen",
        "    -",
        "  steps, with ms after the decision",
        "    cancel order o1",
        "      at the executor 12, sent 13, too late, matched 15",
        "    BUY 20 of No of Di Dunn (615503…2575) at 0.9, GTC, post-only: order o2",
        "      at the executor 13, refused 14: crosses the ask 0.9",
        "    BUY 20 of No of Di Dunn (615503…2575) at 0.9, GTC: order o3",
        "      at the executor 13, no answer",
    ]


def test_a_plan_of_several_legs_tells_its_event_and_its_end_once() -> None:
    seen = {
        "event": "Who wins?", "form": "NO", "sets": "100", "cost": "298", "pays_at_least": "300", "profit": "2",
        "cost_of_a_missed_leg": "0.2", "annual_return": "0.001732", "venue": "normal", "books": [],
    }  # fmt: skip
    leg = {"token_id": TOKEN, "market": MARKET, "planned": "100", "held": "100", "spent": "89.5", "earned": "0"}
    end = {"action": "end", "status": "complete", "after_ms": 422, "result": "3", "legs": [leg], "reason": "100 of 100 sets"}
    told = page(
        audit([], [end], seen=json.dumps(seen), reason="100 NO sets; 100 of 100 sets", expected_profit_e6=1_800_000), NAMES
    )
    assert told[1] == "  event     Who wins?"
    assert told[3:5] == ["  why       100 NO sets", "  expected  1.8 USDC (simulated)"]
    assert "    return until the event ends: 0.17 % a year" in told
    assert told[-3:] == [
        "  ended       complete after 422 ms: 100 of 100 sets",
        "    result    3 USDC at the worst resolution covered (simulated)",
        "    No of Di Dunn (615503…2575): 100 of 100 held, spent 89.5, earned 0",
    ]


def test_what_has_no_name_keeps_its_id_and_orders_of_every_market_are_told_so() -> None:
    cancel = {"action": "cancel_all", "market": "", "after_ms": 0}
    merge = {"action": "merge", "market": MARKET, "size": "18", "after_ms": 9}
    answers = [
        {"action": each, "status": status, "after_ms": 9} for each, status in (("cancel_all", "taken"), ("merge", "merged"))
    ]
    told = page(audit([cancel, merge], answers, market_id="", seen='{"pairs":"18"}'), {})
    assert told[1] == "  market    all"
    assert "    held and not offered: 18 pairs of both outcomes" in told
    assert told[-4:] == [
        "    cancel all orders in every market",
        "      at the executor 0, taken 9",
        "    merge 18 pairs of 0xbb99…a931 into dollars",
        "      at the executor 9, merged 9",
    ]


def test_names_are_those_of_the_catalogue(tmp_path: Path) -> None:
    known = Market(MARKET, (Outcome("1", "Yes"), Outcome(TOKEN, "No")), question="Will Di win?", group_item_title="Di Dunn")
    alone = Market("0x2", (Outcome("5", "Yes"),), question="Will it rain?")
    with open_store(f"sqlite:///{tmp_path / 'names.db'}") as store, store.begin() as conn:
        save_run(conn, Run(id=1, producer="test", run="test-1", started_ns=0))
        for market in (known, alone):
            append_version(conn, 1, MarketVersion(ts_ns=1, market=market, valid_from_ns=1, venue="fake"))
        mention_outcomes(conn, 1, [("mkt-1", "mkt-1/yes")])
        wanted = ids_in(audit([place("o1"), {"action": "cancel_all", "market": "0x2"}], []))
        assert wanted == {TOKEN, MARKET, "0x2"}
        assert names_of(conn, wanted) == NAMES | {"0x2": "Will it rain?"}
        assert names_of(conn, {"mkt-1", "mkt-1/yes", "5"}) == {"5": "Yes of Will it rain?"}
        assert names_of(conn, ()) == {}


def test_ids_within_reasons_are_cut_too() -> None:
    stale = f"book of {TOKEN} is stale: nothing has vouched for it in 40000 ms"
    assert with_short_ids(stale) == "book of 615503…2575 is stale: nothing has vouched for it in 40000 ms"
    assert with_short_ids(f"market {MARKET} takes no orders") == "market 0xbb99…a931 takes no orders"
    assert with_short_ids("book of mkt-1/yes is STALE") == "book of mkt-1/yes is STALE"
    ack = {"action": "place", "client_order_id": "o1", "status": "refused", "after_ms": 1, "reason": stale}
    assert f"at the executor 13, refused 1: {with_short_ids(stale)}" in page(audit([place("o1")], [ack]), NAMES)[-1]
