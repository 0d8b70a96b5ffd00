"""A recording in, every message of the bus out: the stages of a live pipeline in lockstep, and their journal as JSON lines."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from pipeline.base.clock import EventClock
from pipeline.base.settings import Settings
from pipeline.bus.compose import Lockstep
from pipeline.bus.stage import Arrival, Stage, StagePlan
from pipeline.bus.topology import SCHEDULER
from pipeline.messages import Message
from pipeline.messages.market import MarketUniverse
from pipeline.messages.records import MarketVersion
from pipeline.recording.playback import Playback
from pipeline.recording.source import FrameSource, open_frames
from pipeline.store.open import Store, open_store
from pipeline.strategy.spread import SpreadCapture
from pipeline.venue.fake_relayer import FakeRelayer
from polybot.composition import generic_market
from polybot.quoting import traders
from processes.book_builder import BookBuilder
from processes.gateway import Gateway
from processes.writer import Writer

RECORDINGS = Path(__file__).parent / "recordings"
SESSION = "20260528-202640-1"
Arrange = Callable[[list[StagePlan]], list[StagePlan]]


def text_of(arrival: Arrival) -> str:
    """A message as one line: where it goes, who sent it, its kind, and its fields. Fields at their default are left out."""
    msg = arrival.message
    head = {"stream": arrival.stream, "from": arrival.run_id.removeprefix(f"{SESSION}."), "message": type(msg).__name__}
    body = {name: plain(value) for name, value in told(msg) if name != "pid"}  # the one thing that is the machine's
    return msgspec.json.encode(head | body).decode()


def told(msg: Message) -> Iterator[tuple[str, Any]]:
    """The fields that say something: without a default, or different from it."""
    fields = msgspec.structs.fields(msg)
    for known in fields:
        value = getattr(msg, known.name)
        default = known.default_factory() if known.default is msgspec.NODEFAULT and not known.required else known.default
        if known.required or value != default:
            yield known.name, value


def plain(value: Any) -> Any:
    """Inner structs as lists, as they are on the wire."""
    return msgspec.to_builtins(value)


class Replay:
    """One recording, played to its end through all stages, with a spread quoter trading on a relayer that fills half."""

    def __init__(self, source: FrameSource, store: Store, arrange: Arrange) -> None:
        self.store = store
        self.lines: list[str] = []
        generic = source.venue == "generic"
        markets = (generic_market("mkt-1", "yes"),) if generic else source.markets
        gateway = Gateway(market="mkt-1" if generic else "", mirror=False)
        quoter = SpreadCapture.from_settings(Settings().spread_capture)
        stages: Sequence[Stage] = traders(quoter, SESSION, FakeRelayer("0.5"), Settings())
        playback = Playback(source.messages())
        plans = [StagePlan(gateway, [playback]), *(StagePlan(stage) for stage in stages)]
        plans += [StagePlan(BookBuilder(resync=False)), StagePlan(Writer(store))]
        self.lockstep = Lockstep(arrange(plans), EventClock(playback.next_ns() or 0), session_id=SESSION, tap=self._hear)
        self.lockstep.start()
        now_ns = self.lockstep.clock.now_ns()
        for market in markets:
            self.lockstep.inject(SCHEDULER, MarketVersion(ts_ns=now_ns, market=market, valid_from_ns=now_ns, venue=source.venue))
        self.lockstep.inject(SCHEDULER, MarketUniverse(ts_ns=now_ns, markets=markets, version=1))
        self.lockstep.run(until=lambda: gateway.ended)
        self.lockstep.stop()

    def _hear(self, arrival: Arrival) -> None:
        self.lines.append(text_of(arrival))

    @property
    def journal(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def kinds(self) -> set[str]:
        """The kinds of message that were sent."""
        return {msgspec.json.decode(line)["message"] for line in self.lines}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """What the writer stored."""
        with self.store.connect() as conn:
            return [tuple(row) for row in conn.exec_driver_sql(sql).all()]


def as_listed(plans: list[StagePlan]) -> list[StagePlan]:
    return plans


@pytest.fixture
def replay() -> Iterator[Callable[..., Replay]]:
    """Play a recording of this folder, or any other that is given by its path."""
    stores: list[Store] = []

    def play(name: str | Path, arrange: Arrange = as_listed) -> Replay:
        stores.append(open_store("sqlite:///:memory:"))
        path = RECORDINGS / name
        return Replay(open_frames(path, market="mkt-1"), stores[-1], arrange)

    yield play
    for store in stores:
        store.close()
    structlog.reset_defaults()


class Golden:
    """Texts that were read and found right. ``--update-golden`` writes them anew; read the difference before you commit it."""

    def __init__(self, folder: Path, update: bool) -> None:
        self._folder, self._update = folder, update

    def check(self, name: str, text: str) -> None:
        file = self._folder / name
        if self._update:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
            return
        expected = file.read_text(encoding="utf-8") if file.is_file() else ""
        if text != expected:
            shown = [
                line[:400] for line in difflib.unified_diff(expected.splitlines(), text.splitlines(), name, "this run", "", "", 1)
            ]
            pytest.fail(
                "\n".join([*shown[:30], f"{name} differs; if that is right, run pytest --update-golden and read the change"])
            )


@pytest.fixture
def golden(repository: Path, request: pytest.FixtureRequest) -> Golden:
    return Golden(repository / "tests" / "golden", request.config.getoption("--update-golden"))
