"""What became of each decision: the commands it intended, how each was answered, and how long each step took.

Every ``after_ms`` counts from the decision: of an intent to its arrival here, ``sent_after_ms`` to its leaving for the relayer, of an
answer to the answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from pipeline.base.units import NS_PER_MS, NS_PER_S, format_e6
from pipeline.messages.orders import CancelAll, CancelOrder, ConvertSet, Decision, MergePair, Mode, PlaceOrder, PlanEnded
from pipeline.messages.records import AuditRecord

Command = PlaceOrder | CancelOrder | CancelAll | MergePair | ConvertSet
AckKey = tuple[str, str]
"""(action, client order id): a cancel and a placement of one order are answered apart. For CancelAll the id is empty."""

_encoder = msgspec.json.Encoder()
REFUSALS = frozenset({"rejected", "refused"})
OPEN_PLAN_NS = 60 * NS_PER_S
"""How long after its last command a plan of several steps is waited for: whoever carried it out is gone then."""


@dataclass(slots=True)
class OpenPlan:
    """A decision whose commands are still arriving, or still waiting for their answers."""

    decision: Decision
    market: str
    deadline_ns: int
    intents: list[dict[str, Any]] = field(default_factory=list)
    acks: list[dict[str, Any]] = field(default_factory=list)
    waiting: set[AckKey] = field(default_factory=set)
    sent_ns: dict[AckKey, int] = field(default_factory=dict)
    last_ack_ns: int = 0
    ended: PlanEnded | None = None

    @property
    def is_answered(self) -> bool:
        """All commands of the decision came (of several steps: its end was told), and each has its answer."""
        if self.waiting:
            return False
        return self.ended is not None if not self.decision.intents else len(self.intents) >= self.decision.intents


class PlanLog:
    """The open plans, oldest first. A plan closes when all is answered, or at the expiry of its last command."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self._open: dict[str, OpenPlan] = {}
        self._plan_of: dict[AckKey, str] = {}

    def intend(self, command: Command, market: str, now_ns: int = 0) -> AckKey:
        """Note a command that arrived. The key is what answers it."""
        key = ack_key(command)
        decision = command.decision
        plan = self._open.get(decision.plan_id)
        if plan is None:
            plan = self._open[decision.plan_id] = OpenPlan(decision, market, command.expires_ns)
        grace_ns = 0 if decision.intents else OPEN_PLAN_NS
        plan.deadline_ns = max(plan.deadline_ns, command.expires_ns + grace_ns)
        plan.market = plan.market or market
        intent = described(command)
        intent["after_ms"] = _ms(now_ns - decision.decided_ns)
        plan.intents.append(intent)
        plan.waiting.add(key)
        self._plan_of[key] = decision.plan_id
        return key

    def has_all(self, plan_id: str) -> bool:
        """No further command of this plan is to be expected at once: all came, or they come one after the other."""
        plan = self._open.get(plan_id)
        return plan is None or not plan.decision.intents or len(plan.intents) >= plan.decision.intents

    def sent(self, key: AckKey, now_ns: int) -> None:
        """Note that a command went to the relayer."""
        plan = self._open.get(self._plan_of.get(key, ""))
        if plan is not None:
            plan.sent_ns[key] = now_ns

    def end(self, told: PlanEnded) -> None:
        """Note how a plan of several steps ended; it closes once its last answers have come."""
        decision = told.decision
        plan = self._open.get(decision.plan_id)
        if plan is None:
            plan = self._open[decision.plan_id] = OpenPlan(decision, told.market, told.ts_ns)
        plan.ended = told
        plan.market = told.market or plan.market
        plan.last_ack_ns = max(plan.last_ack_ns, told.ts_ns)

    def is_waiting(self, key: AckKey) -> bool:
        """The command of this key has no answer yet."""
        return key in self._plan_of

    def acknowledge(self, key: AckKey, status: str, now_ns: int, reason: str = "", filled_e6: int = 0) -> None:
        """Note the first answer to a command; later ones are the order's own history."""
        plan_id = self._plan_of.pop(key, None)
        plan = self._open.get(plan_id) if plan_id is not None else None
        if plan is None:
            return
        plan.waiting.discard(key)
        plan.last_ack_ns = now_ns
        decided_ns = plan.decision.decided_ns
        ack: dict[str, Any] = {"action": key[0], "status": status, "after_ms": _ms(now_ns - decided_ns)}
        if key in plan.sent_ns:
            ack["sent_after_ms"] = _ms(plan.sent_ns.pop(key) - decided_ns)
        if key[1] and key[0] not in ("merge", "convert"):
            ack["client_order_id"] = key[1]
        if filled_e6:
            ack["filled"] = format_e6(filled_e6)
        if reason:
            ack["reason"] = reason
        plan.acks.append(ack)

    def closed(self, now_ns: int, everything: bool = False) -> Iterable[AuditRecord]:
        """The records of the plans that are answered or over their deadline (or of all); they are open no longer."""
        if not self._open:
            return ()
        done = [plan_id for plan_id, plan in self._open.items() if everything or plan.is_answered or now_ns >= plan.deadline_ns]
        return [self._close(plan_id, now_ns) for plan_id in done] if done else ()

    def next_deadline_ns(self) -> int | None:
        """When the next open plan runs out of time."""
        return min([plan.deadline_ns for plan in self._open.values()]) if self._open else None

    def _close(self, plan_id: str, now_ns: int) -> AuditRecord:
        plan = self._open.pop(plan_id)
        for key in plan.waiting:
            self._plan_of.pop(key, None)
        decision, ended = plan.decision, plan.ended
        if ended is not None:
            told = {"action": "end", "status": ended.outcome, "after_ms": _ms(ended.ts_ns - decision.decided_ns)}
            told |= {"result": format_e6(ended.result_e6), "legs": json.loads(ended.legs or "[]"), "reason": ended.reason}
            plan.acks.append(told)
        return AuditRecord(
            ts_ns=now_ns,
            plan_id=decision.plan_id,
            strategy=decision.strategy,
            mode=self.mode,
            market=plan.market,
            intents=_json(plan.intents),
            acks=_json(plan.acks),
            duration_ms=_ms((plan.last_ack_ns or now_ns) - decision.decided_ns),
            outcome=outcome_of(plan),
            reason=decision.reason if ended is None else f"{decision.reason}; {ended.reason}",
            seen=decision.seen,
            expected_profit_e6=decision.expected_profit_e6,
        )


def outcome_of(plan: OpenPlan) -> str:
    """``complete``: every command was taken; ``rejected``: none was; ``partial``: some; ``expired``: commands or answers are missing.

    A plan of several steps says its outcome itself.
    """
    if plan.ended is not None:
        return plan.ended.outcome
    if not plan.is_answered:
        return "expired"
    refused = sum(ack["status"] in REFUSALS for ack in plan.acks)
    if not refused:
        return "complete"
    return "rejected" if refused == len(plan.acks) else "partial"


def ack_key(command: Command) -> AckKey:
    """What answers a command."""
    match command:
        case PlaceOrder():
            return ("place", command.client_order_id)
        case CancelOrder():
            return ("cancel", command.client_order_id)
        case MergePair():
            return ("merge", command.decision.plan_id)
        case ConvertSet():
            return ("convert", command.decision.plan_id)
        case _:
            return ("cancel_all", "")


def described(command: Command) -> dict[str, Any]:
    """A command in words that a person reads, money and shares as decimal texts."""
    match command:
        case PlaceOrder():
            return {
                "action": "place",
                "client_order_id": command.client_order_id,
                "token_id": command.token_id,
                "side": command.side,
                "price": format_e6(command.price_e6),
                "size": format_e6(command.size_e6),
                "order_type": command.order_type,
                "post_only": command.post_only,
            }
        case CancelOrder():
            return {"action": "cancel", "client_order_id": command.client_order_id}
        case MergePair():
            return {"action": "merge", "market": command.market, "size": format_e6(command.size_e6)}
        case ConvertSet():
            told = {"action": "convert", "event": command.event, "market": command.market, "legs": str(len(command.token_ids))}
            return told | {"size": format_e6(command.size_e6), "cost": format_e6(command.cost_e6)}
        case _:
            return {"action": "cancel_all", "market": command.market}


def _ms(duration_ns: int) -> int:
    return max(0, duration_ns) // NS_PER_MS


def _json(values: list[dict[str, Any]]) -> str:
    return _encoder.encode(values).decode()
