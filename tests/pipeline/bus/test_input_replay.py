"""A session of real stages on real sockets, asked again: the same words; and whatever is changed in it is found."""

from __future__ import annotations

import asyncio
import shutil
import threading
import zlib
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from pipeline.base.clock import EventClock, monotonic_ns
from pipeline.base.settings import IngestionSection, Settings
from pipeline.bus import input_log as log
from pipeline.bus.compose import Threads
from pipeline.bus.input_log import FRAME, INPUTS_MAGIC
from pipeline.bus.input_reading import AnyMessage, Head, LifeLog, lives
from pipeline.bus.input_replay import LifeResult, replay_life, with_state_then
from pipeline.bus.journal import scan
from pipeline.bus.runner import RunnerOptions
from pipeline.bus.stage import Stage
from pipeline.messages import Message
from pipeline.messages.market import BookSnapshot, Market, Outcome
from pipeline.recording.playback import PacedPlayback
from pipeline.recording.source import open_frames
from pipeline.store.open import open_store
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.limits import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.book_builder import BookBuilder
from processes.executor import Executor
from processes.gateway import Gateway
from processes.scheduler import Scheduler
from processes.strategy import StrategyEngine
from processes.writer import Writer

WAIT_NS = 10_000_000_000


def stage(role: str, edge: str = "0.01") -> Stage:
    """A stage of the session."""
    settings = Settings()
    if role == "executor":
        return Executor(FakeRelayer(Decimal("0.5")), Limits.from_settings(settings.risk), mode="fake")
    if role == "strategy":
        section = msgspec.structs.replace(settings.spread_capture, edge=Decimal(edge))
        return StrategyEngine([SpreadCapture.from_settings(section)], "threads", 2_000_000_000)
    if role == "book_builder":
        return BookBuilder()
    if role == "gateway":
        return Gateway(market="mkt-1")
    market = Market(market_id="mkt-1", outcomes=(Outcome("mkt-1/yes", "yes"),))
    return Scheduler(IngestionSection(), markets=(market,), source="test", venue="generic")


class OnceReady(PacedPlayback):
    """Plays the first frame, and the others once somebody has said that trading may begin: else a slow start would miss them all."""

    def __init__(self, messages: Callable[[], Iterable[Message]], speed: Decimal) -> None:
        super().__init__(messages, speed)
        self.may_begin = threading.Event()

    async def run(self, emit: Callable[[Message], None]) -> None:
        await self._followed.wait()
        first, *others = self._open()
        emit(first)
        await asyncio.to_thread(self.may_begin.wait, WAIT_NS / 1e9)
        self._open = lambda: others
        await super().run(emit)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input logs of five stages that ran in threads, on a recording."""
    place = tmp_path_factory.mktemp("session")
    source = open_frames(Path(__file__).resolve().parents[3] / "recordings" / "sample.jsonl", market="mkt-1")
    inputs = place / "runs" / "threads" / "inputs"
    with open_store(f"sqlite:///{place / 'threads.db'}") as store:
        writer = Writer(store, commit_interval_ms=1)
        stages = [writer, *map(stage, ("executor", "strategy", "book_builder", "gateway", "scheduler"))]
        strategy, gateway = stages[2], stages[4]
        assert isinstance(gateway, Gateway)
        logs = {one.role: inputs / f"threads.{one.role}.1.log" for one in stages if one is not writer}
        plans = [
            (one, RunnerOptions(journal_path=place / f"{one.role}.journal", input_log_path=logs.get(one.role))) for one in stages
        ]
        playback = OnceReady(source.messages, Decimal(200))
        assert isinstance(strategy, StrategyEngine)
        deadline = monotonic_ns() + WAIT_NS
        with Threads(plans, session_id="threads", clock=EventClock, edges={"gateway": [playback]}) as run:
            while monotonic_ns() < deadline and not run.failures:
                if strategy.quoters["spread_capture"].account.may_command:
                    playback.may_begin.set()
                if gateway.ended and strategy.counts()["spread_capture_decisions"] > 4 and writer.counts()["records"]:
                    break
    return inputs


def life_of(folder: Path, role: str) -> LifeLog:
    return next(life for life in lives(folder) if role in life.run_id)


def again(life: LifeLog, build: Callable[[Head], Stage] | None = None, for_decisions: bool = False) -> LifeResult:
    result = replay_life(life, build or (lambda head: stage(head.role)), for_decisions=for_decisions)
    assert result is not None
    return result


def unpacked(file: Path) -> bytes:
    """A segment, compressed or not yet."""
    data = file.read_bytes()
    return zlib.decompress(data, wbits=31) if file.suffix == ".gz" else data


def rewritten(folder: Path, role: str, target: Path, change: Callable[[list[bytes]], list[bytes]]) -> LifeLog:
    """A log with other entries, as if it had been written so."""
    life = life_of(folder, role)
    [file] = life.files
    data = unpacked(file)
    blocks = [
        msgspec.msgpack.decode(block, type=tuple[int, int, list[bytes]]) for _, block in scan(data, len(INPUTS_MAGIC)).records
    ]
    entries = change([entry for _, _, found in blocks for entry in found])
    block = msgspec.msgpack.encode((0, 0, entries))
    path = target / f"{life.run_id}.log.000001"
    path.write_bytes(INPUTS_MAGIC + FRAME.pack(len(block), zlib.crc32(block)) + block)
    return life_of(target, role)


def test_five_stages_that_ran_in_threads_say_the_same_again(session: Path) -> None:
    results = {life.run_id.split(".")[1]: again(life) for life in lives(session)}
    assert set(results) == {"executor", "strategy", "book_builder", "gateway", "scheduler"}
    for result in results.values():
        assert result.divergence is None, result.divergence
        assert result.ended
        assert not result.faults
    assert results["gateway"].inputs >= 200
    assert results["strategy"].decisions > 0
    assert results["executor"].durable


def test_another_parameter_is_found_at_the_first_decision_that_it_changes(session: Path) -> None:
    result = again(life_of(session, "strategy"), lambda head: stage(head.role, edge="0.002"), for_decisions=True)
    found = result.divergence
    assert found is not None
    assert found.is_decision
    assert found.was != found.is_
    assert found.inputs > 0


def test_the_states_of_both_sides_are_told_beside_a_decision_that_another_parameter_changes(session: Path) -> None:
    life = life_of(session, "strategy")
    found = again(life, lambda head: stage(head.role, edge="0.002"), for_decisions=True).divergence
    assert found is not None
    assert not found.both
    both = with_state_then(life, lambda head: stage(head.role), found)
    assert both.both
    assert (both.was, both.is_, both.event) == (found.was, found.is_, found.event)
    assert both.states
    here = dict(found.states[-1][2])["orders"]
    assert all(was != is_ for _, was, is_ in both.states)
    assert any(str(is_) in str(here) for _, _, is_ in both.states)
    same = with_state_then(life, lambda head: stage(head.role, edge="0.002"), found)
    assert same == found, "an original that does not say its own words again tells nothing of its state"


def test_a_changed_input_is_found_where_it_leads_to_other_words(session: Path, tmp_path: Path) -> None:
    decode = msgspec.msgpack.Decoder(tuple[int, int, int, int, AnyMessage]).decode
    changed: list[int] = []

    def cheaper(entries: list[bytes]) -> list[bytes]:
        """The book behind the second decision is another one."""
        decided = [i for i, entry in enumerate(entries) if entry[1] == log.SAID and b"PlaceOrder" in entry][1]
        place = max(i for i in range(decided) if entries[i][1] == log.INPUT and b"BookSnapshot" in entries[i])
        kind, now_ns, sender, seq, book = decode(entries[place])
        assert isinstance(book, BookSnapshot)
        moved = tuple(msgspec.structs.replace(level, price_e6=level.price_e6 - 30_000) for level in book.bids)
        changed.append(sum(entry[1] == log.INPUT for entry in entries[: place + 1]))
        other = msgspec.structs.replace(book, bids=moved)
        return [*entries[:place], msgspec.msgpack.encode((kind, now_ns, sender, seq, other)), *entries[place + 1 :]]

    found = again(rewritten(session, "strategy", tmp_path, cheaper)).divergence
    assert found is not None
    assert found.inputs >= changed[0]


@pytest.mark.parametrize("role", ["executor", "strategy", "book_builder", "gateway"])
def test_an_input_that_was_left_out_is_found(session: Path, tmp_path: Path, role: str) -> None:
    def without_one(entries: list[bytes]) -> list[bytes]:
        answered = [i for i, entry in enumerate(entries[:-1]) if entry[1] == log.INPUT and entries[i + 1][1] == log.SAID]
        place = answered[len(answered) // 2]
        return [entry for i, entry in enumerate(entries) if i not in (place, place + 1)]

    result = again(rewritten(session, role, tmp_path, without_one))
    assert result.divergence is not None


def test_an_answer_that_was_left_out_is_found(session: Path, tmp_path: Path) -> None:
    def without_one(entries: list[bytes]) -> list[bytes]:
        place = [i for i, entry in enumerate(entries) if entry[1] == log.SAID][2]
        return [entry for i, entry in enumerate(entries) if i != place]

    found = again(rewritten(session, "strategy", tmp_path, without_one)).divergence
    assert found is not None
    assert found.was is None
    assert found.is_ is not None


def test_a_log_that_was_cut_anywhere_is_the_same_as_far_as_it_goes(session: Path, tmp_path: Path) -> None:
    life = life_of(session, "strategy")
    data = unpacked(life.files[0])
    whole = again(life)
    for cut in range(len(INPUTS_MAGIC) + 200, len(data), len(data) // 7):
        (tmp_path / "threads.strategy.1.log.000001").write_bytes(data[:cut])
        result = replay_life(life_of(tmp_path, "strategy"), lambda head: stage(head.role))
        assert result is not None
        assert result.divergence is None
        assert not result.faults
        assert not result.ended
        assert result.inputs < whole.inputs


def test_a_damaged_byte_a_missing_segment_and_a_block_that_does_not_fit_are_told(session: Path, tmp_path: Path) -> None:
    life = life_of(session, "gateway")
    name = "threads.gateway.1.log.000001"
    entries = rewritten(session, "gateway", tmp_path, lambda entries: entries)
    [(_, block)] = scan(entries.files[0].read_bytes(), len(INPUTS_MAGIC)).records
    _, _, parts = msgspec.msgpack.decode(block, type=tuple[int, int, list[bytes]])
    data, offsets, done, before = bytearray(INPUTS_MAGIC), [], 0, 0
    for begin in range(0, len(parts), 20):
        block = msgspec.msgpack.encode((done, before, parts[begin : begin + 20]))
        before = zlib.crc32(block)
        offsets.append(len(data))
        data += FRAME.pack(len(block), before) + block
        done += sum(part[1] > log.END for part in parts[begin : begin + 20])
    (tmp_path / name).write_bytes(data)
    assert not again(life_of(tmp_path, "gateway")).faults
    (tmp_path / name).write_bytes(data[: offsets[2]] + data[offsets[3] :])
    assert any("does not follow" in fault for fault in again(life_of(tmp_path, "gateway")).faults)
    data[offsets[2] + FRAME.size + 5] ^= 1
    (tmp_path / name).write_bytes(data)
    assert any("damaged" in fault for fault in again(life_of(tmp_path, "gateway")).faults)
    (tmp_path / "other").mkdir()
    shutil.copy(life.files[0], tmp_path / "other" / life.files[0].name.replace("000001", "000002"))
    lost = life_of(tmp_path / "other", "gateway")
    assert lost.open() is None
    assert any("missing" in fault for fault in lost.faults)
