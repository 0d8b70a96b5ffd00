"""A journal that is synced beside the loop: turns go on, and nothing leaves before the records that it follows are on disk."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.bus import codec
from pipeline.bus.journal_files import JournalFiles
from pipeline.bus.outbox import DURABLE, DurableOutbox, Outbox
from pipeline.bus.syncing import BackgroundSync
from pipeline.bus.topology import Stream
from pipeline.messages import Message
from pipeline.messages.control import Committed
from pipeline.messages.orders import TradingHalted
from pipeline.messages.records import HaltRecord

RECORD = HaltRecord(ts_ns=1, halted=True, reason="x")


class Disk:
    """A disk whose syncs end when they are let, one at a time."""

    def __init__(self) -> None:
        self.begun, self.let, self.woken = threading.Semaphore(0), threading.Semaphore(0), threading.Semaphore(0)
        self.syncs = 0

    def sync(self) -> None:
        self.begun.release()
        assert self.let.acquire(timeout=10)
        self.syncs += 1

    def open_wake(self) -> tuple[object, object]:
        return self.woken.release, lambda: None

    def end_sync(self) -> None:
        self.let.release()
        assert self.woken.acquire(timeout=10)


class SlowJournal(JournalFiles):
    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path, session_id="s1", sync=False)
        self._disk = disk

    def settle(self) -> None:
        if self._unsettled:
            super().settle()
            self._disk.sync()


class Line:
    """Notes what leaves, by time and number."""

    def __init__(self) -> None:
        self.left: list[str] = []

    def send_frame(self, stream: Stream, frame: bytes) -> bool:
        self.left.append(f"record {codec.decode(DURABLE, frame).seq}")
        return True

    def gather(self, stream: Stream, msg: Message) -> None:
        self.left.append(f"word {msg.ts_ns}")


def test_turns_go_on_while_a_sync_lasts_and_what_they_say_waits_for_their_own_records(tmp_path: Path) -> None:
    disk, line = Disk(), Line()
    durable = DurableOutbox(
        "executor", "r", line, SlowJournal(tmp_path / "j", disk), resend_ms=10_000, beside=disk.open_wake  # type: ignore[arg-type]
    )  # fmt: skip
    outbox = Outbox("executor", line, durable, {})  # type: ignore[arg-type]
    durable.on_committed(Committed(ts_ns=1, producer=durable.producer, seq=0))
    outbox.send_all([TradingHalted(ts_ns=1, reason="x"), RECORD, TradingHalted(ts_ns=2, reason="x")])
    assert disk.begun.acquire(timeout=10)
    outbox.send_all([TradingHalted(ts_ns=3, reason="x")])  # behind the first turn's
    outbox.send_all([RECORD, TradingHalted(ts_ns=4, reason="x")])
    outbox.send_all([RECORD, TradingHalted(ts_ns=5, reason="x")])
    outbox.release()
    assert line.left == ["word 1"]
    disk.end_sync()
    outbox.release()
    assert line.left == ["word 1", "record 1", "word 2", "word 3"]
    assert disk.begun.acquire(timeout=10)  # one sync for both turns
    durable.tick()
    outbox.release()
    assert len(line.left) == 4
    disk.end_sync()
    outbox.release()
    assert line.left[4:] == ["record 2", "record 3", "word 4", "word 5"]
    outbox.send_all([TradingHalted(ts_ns=6, reason="x")])
    assert line.left[-1] == "word 6"
    assert disk.syncs == 2
    durable.close()


def test_waiting_ends_when_all_that_was_settled_is_safe(tmp_path: Path) -> None:
    disk, line = Disk(), Line()
    durable = DurableOutbox(
        "executor", "r", line, SlowJournal(tmp_path / "j", disk), resend_ms=10_000, beside=disk.open_wake  # type: ignore[arg-type]
    )  # fmt: skip
    outbox = Outbox("executor", line, durable, {})  # type: ignore[arg-type]
    for number in range(3):
        outbox.send_all([RECORD, TradingHalted(ts_ns=number, reason="x")])
        disk.let.release()
    outbox.wait()
    assert durable.safe == durable.seq == 3
    assert line.left == ["word 0", "word 1", "word 2"]  # the writer has not spoken: records are not pushed
    durable.close()


def test_a_sync_that_fails_is_raised_where_the_loop_looks() -> None:
    disk = Disk()

    def broken() -> None:
        raise OSError("the disk is gone")

    beside = BackgroundSync(broken, disk.open_wake)  # type: ignore[arg-type]
    beside.ask(1)
    assert disk.woken.acquire(timeout=10)
    beside.wait()
    with pytest.raises(OSError, match="gone"):
        _ = beside.done
    beside.close()


def test_what_was_asked_for_before_the_close_is_synced_even_where_both_came_during_a_sync() -> None:
    synced: list[int] = []

    def sync() -> None:
        synced.append(len(synced))
        if len(synced) == 1:
            beside.ask(2)
            beside._asked.put(None)  # as ``close`` does, which would wait here

    beside = BackgroundSync(sync, lambda: (lambda: None, lambda: None))
    beside.ask(1)
    beside.wait()
    beside.close()
    assert len(synced) == 2
    assert beside.done == 2
