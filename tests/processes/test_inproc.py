"""All six stages on real inproc sockets, a thread each: the same classes as in six processes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pipeline.base.clock import EventClock, monotonic_ns
from pipeline.base.settings import IngestionSection, Settings
from pipeline.bus.compose import Threads
from pipeline.bus.runner import RunnerOptions
from pipeline.messages.market import Market, Outcome
from pipeline.recording.playback import PacedPlayback
from pipeline.recording.source import open_frames
from pipeline.store.open import open_store
from pipeline.store.status import market_statuses
from pipeline.store.trading import list_orders
from pipeline.strategy.spread import SpreadCapture
from pipeline.trading.risk import Limits
from pipeline.venue.fake_relayer import FakeRelayer
from processes.book_builder import BookBuilder
from processes.executor import Executor
from processes.gateway import Gateway
from processes.scheduler import Scheduler
from processes.strategy import StrategyEngine
from processes.writer import Writer

WAIT_NS = 10_000_000_000


def test_six_stages_in_threads_bring_a_recording_and_their_orders_into_the_database(repository: Path, tmp_path: Path) -> None:
    source = open_frames(repository / "recordings" / "sample.jsonl", market="mkt-1")
    market = Market(market_id="mkt-1", outcomes=(Outcome("mkt-1/yes", "yes"),))
    settings = Settings()
    with open_store(f"sqlite:///{tmp_path / 'threads.db'}") as store:
        gateway, builder = Gateway(market="mkt-1"), BookBuilder()
        writer = Writer(store, commit_interval_ms=1)
        executor = Executor(FakeRelayer(Decimal("0.5")), Limits.from_settings(settings.risk), mode="fake")
        stages = [
            writer,
            executor,
            StrategyEngine([SpreadCapture.from_settings(settings.spread_capture)], "threads", 2_000_000_000),
            builder,
            gateway,
            Scheduler(IngestionSection(), markets=(market,), source="test", venue="generic"),
        ]
        plans = [(stage, RunnerOptions(journal_path=tmp_path / f"{stage.role}.journal")) for stage in stages]
        playback = PacedPlayback(source.messages, Decimal(200))
        deadline = monotonic_ns() + WAIT_NS
        with Threads(plans, session_id="threads", clock=EventClock, edges={"gateway": [playback]}) as run:
            while monotonic_ns() < deadline and not run.failures:
                heard = gateway.ended and builder.counts().get("deltas", 0) >= 198
                if heard and executor.counts()["submitted"] and writer.counts()["records"]:
                    break
        with store.connect() as conn:
            [status] = market_statuses(conn, "mkt-1")
            orders = list_orders(conn)
    assert (status.last_seq, status.snapshots, status.deltas, status.resync_gap) == (199, 1, 198, 0)
    assert orders
    assert {order.mode for order in orders} == {"fake"}
    assert all(order.status in ("cancelled", "matched", "rejected") for order in orders)
