"""Whatever the stages answer, and in whatever form, everybody hears everything in one order."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from hypothesis import given
from hypothesis import strategies as st

from pipeline.bus.lockstep import Lockstep
from pipeline.bus.stage import Stage, StagePlan
from pipeline.bus.topology import ROLES, routes
from pipeline.messages import Message
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import BookSnapshot, TradePrint, VenueTrade
from pipeline.messages.orders import CancelAll, Decision, ExecSnapshot
from pipeline.messages.records import PortfolioRow

DEEPEST = 4
DECISION = Decision(plan_id="p", strategy="s", reason="")


def trade(number: int, ts_ns: int) -> Message:
    return VenueTrade(ts_ns=ts_ns, token_id=str(number), market="m", venue_ts="1", price="0.5", size="1", side="BUY")


def book(number: int, ts_ns: int) -> Message:
    return BookSnapshot(ts_ns, str(number), "m", 1, (), (), 1, 1, "VERIFIED", "seq")


def printed(number: int, ts_ns: int) -> Message:
    return TradePrint(ts_ns=ts_ns, token_id=str(number), market="m", price_e6=1, size_e6=1, side="BUY", venue_ns=number)  # type: ignore[arg-type]


def cancel(number: int, ts_ns: int) -> Message:
    return CancelAll(ts_ns=ts_ns, strategy=str(number), expires_ns=9, decision=DECISION)


def held(number: int, ts_ns: int) -> Message:
    return ExecSnapshot(ts_ns=ts_ns, accepts=True, halted=False, mode="fake", orders=(), positions=(), reason=str(number))


def row(number: int, ts_ns: int) -> Message:
    return PortfolioRow(
        ts_ns=ts_ns,
        strategy="s",
        mode="fake",
        token_id=str(number),
        market="m",
        inventory_e6=0,
        cost_e6=0,
        realised_e6=0,
        unrealised_e6=None,
        fees_e6=0,
    )


SAYS: dict[str, tuple[Callable[[int, int], Message], ...]] = {
    "gateway": (trade,),
    "book_builder": (book, printed),
    "strategy": (cancel, row),
    "executor": (held,),
    "writer": (),
}
Answer = tuple[bool, list[tuple[int, int]]]
"""Whether it is a generator, and what is said: which kind, and how far in the future."""


class Scripted(Stage):
    """Answers each message with what is next in the script, until the answers nest too deeply; notes what it hears."""

    def __init__(self, role: str, script: list[Answer], log: list[str]) -> None:
        self.role = role  # type: ignore[misc]
        self.script, self.log = script, log
        self.heard = 0

    def handle(self, msg: Message, now_ns: int) -> Iterable[Message]:
        name = getattr(msg, "reason", "") or msg.key
        number = int(name) if name.isdigit() else 0
        self.log.append(f"{self.role} hears {type(msg).__name__} {number} at {now_ns}")
        if not self.script or number >= 10 ** (DEEPEST - 1) or not SAYS[self.role]:
            return ()
        is_lazy, wanted = self.script[self.heard % len(self.script)]
        self.heard += 1
        said = [
            SAYS[self.role][kind % len(SAYS[self.role])](number * 10 + place + 1, now_ns + later)
            for place, (kind, later) in enumerate(wanted)
        ]
        return iter(said) if is_lazy else said


answers = st.tuples(st.booleans(), st.lists(st.tuples(st.integers(0, 1), st.sampled_from([0, 0, 0, 1])), max_size=3))
scripts = st.fixed_dictionaries({role: st.lists(answers, max_size=3) for role in SAYS})


def heard(script: dict[str, list[Answer]], tapped: bool) -> list[str]:
    log: list[str] = []
    stages = [StagePlan(Scripted(role, said, log)) for role, said in script.items()]
    run = Lockstep(stages, tap=(lambda arrival: None) if tapped else None)
    for ts_ns in (10, 20):
        run.hear("gateway", RawFrame(ts_ns=ts_ns, link_id="1", data=b""))
        run.run_until_idle()
    return log


@given(scripts)
def test_what_is_handed_straight_on_is_heard_as_if_it_had_waited_in_an_inbox(script: dict[str, list[Answer]]) -> None:
    assert heard(script, tapped=False) == heard(script, tapped=True)


def test_every_kind_of_the_script_has_a_stream_to_go_on() -> None:
    assert all(type(make(1, 1)) in routes(role) for role, makes in SAYS.items() for make in makes)
    assert set(SAYS) <= set(ROLES)
