"""How an operator's word reaches trading: left on disk first, then told to the executor, and believed once it says so."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import zmq
from filelock import FileLock, Timeout

from pipeline.base.config import Config
from pipeline.base.errors import BadInput, PolybotError
from pipeline.base.halt_file import HaltWord, write_halt
from pipeline.base.settings import BusSection
from pipeline.bus.stage import Identity
from pipeline.bus.topology import CLI, EXECUTOR, STREAM
from pipeline.bus.transport import choose_transport
from pipeline.bus.wires import Wires
from pipeline.messages import Message
from pipeline.messages.orders import (
    OPEN_STATUSES,
    ExecSnapshot,
    Halt,
    OrderUpdate,
    Resume,
    TradingHalted,
    TradingResumed,
)
from polybot.cli.onlooker import Onlooker

PATIENCE_S = 5.0
_TURN_MS = 50


class Unconfirmed(PolybotError):
    """An executor runs, but has not said that it heard. What was asked is on disk for its next start."""


@dataclass
class Heard:
    """What the executor has said since we listen: whether trading is halted, and the orders that are open."""

    halted: bool | None = None
    confirmed: bool = False
    open: set[str] = field(default_factory=set)

    def take(self, msg: Message, wanted: bool) -> None:
        """One message of ``exec``; ``wanted`` is the halt that is to be confirmed."""
        match msg:
            case ExecSnapshot():
                self.halted = msg.halted
                self.open = {order.client_order_id for order in msg.orders}
            case TradingHalted() | TradingResumed():
                self.halted = isinstance(msg, TradingHalted)
                self.confirmed = self.confirmed or self.halted == wanted
            case OrderUpdate() if msg.status in OPEN_STATUSES:
                self.open.add(msg.client_order_id)
            case OrderUpdate():
                self.open.discard(msg.client_order_id)


@dataclass(frozen=True)
class Outcome:
    """How a word was received. ``running``: an executor heard it and said so; otherwise it is on disk only.

    ``cancelled`` counts the orders that were open before and are not any more.
    """

    halted: bool
    reason: str
    running: bool
    file: str
    cancelled: int = 0

    def as_object(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def say(config: Config, word: Halt | Resume, patience_s: float = PATIENCE_S) -> Outcome:
    """Leave a halt or a resumption in the state directory, and tell a running executor.

    A halt that cancels is waited for until no order is open. Raises Unconfirmed if the executor does not answer in time, and BadInput for
    a state directory that cannot be written to.
    """
    try:
        return _said(config, word, patience_s)
    except OSError as error:
        place = config.settings.bus.state_dir
        raise BadInput(
            f"{place}: cannot be used as a state directory: {error.strerror or error}; give another --state-dir"
        ) from None


def _said(config: Config, word: Halt | Resume, patience_s: float) -> Outcome:
    bus = config.settings.bus
    state_dir = Path(bus.state_dir)
    halted = isinstance(word, Halt)
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = FileLock(state_dir / f"{EXECUTOR}.lock")
    try:
        with lock.acquire(timeout=0):
            # Nobody can start in between and miss the word.
            file = write_halt(state_dir, HaltWord(halted, word.reason, time.time_ns(), isinstance(word, Halt) and word.cancel))
        return Outcome(halted, word.reason, running=False, file=str(file))
    except Timeout:
        file = write_halt(state_dir, HaltWord(halted, word.reason, time.time_ns(), isinstance(word, Halt) and word.cancel))
    heard, before = _tell(bus, word, time.monotonic() + patience_s)
    if not heard.confirmed:
        raise Unconfirmed(
            f"the executor{_pid(state_dir)} has not confirmed within {patience_s:g} s; the word is on disk in {file} "
            "and counts from its next start; look at `polybot tap exec`"
        )
    left = len(heard.open) if isinstance(word, Halt) and word.cancel else 0
    if left:
        raise Unconfirmed(
            f"trading is halted, but {left} orders are still open after {patience_s:g} s; see `polybot orders --open`"
        )
    return Outcome(halted, word.reason, running=True, file=str(file), cancelled=len(before - heard.open))


def _tell(bus: BusSection, word: Halt | Resume, until: float) -> tuple[Heard, set[str]]:
    """Tell the executor, and listen until it has done what was asked or the time is up; and the orders that were open before."""
    heard, halts = Heard(), isinstance(word, Halt)
    before: set[str] = set()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    transport = choose_transport(bus)
    try:
        with (
            Onlooker(["exec"], bus) as look,
            Wires(CLI, Identity("", "operator", CLI), transport, context, only=("operator",)) as wires,
        ):
            told = False
            while time.monotonic() < until:
                for arrival in look.receive(_TURN_MS):
                    heard.take(arrival.message, halts)
                if not told and heard.halted is not None:
                    # Its snapshot has come, so what it says next is heard too.
                    heard.confirmed, before = False, set(heard.open)
                    told = wires.send(STREAM["operator"], word)
                elif heard.confirmed and not (isinstance(word, Halt) and word.cancel and heard.open):
                    break
    finally:
        context.destroy(linger=1_000)
    return heard, before


def _pid(state_dir: Path) -> str:
    file = state_dir / f"{EXECUTOR}.pid"
    return f" (pid {file.read_text().strip()})" if file.is_file() else ""
