"""The power fails: whatever reached the disk of the write-ahead log and of the journal, the database is whole, a prefix, and mended."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.bus import codec
from pipeline.bus.journal import Journal, read_journal
from pipeline.bus.stage import Arrival
from pipeline.messages.control import Committed
from pipeline.messages.market import TradePrint
from pipeline.messages.records import FillRecord, HaltRecord, OrderRecord
from pipeline.store.migrate import APPLICATION_ID
from pipeline.store.open import open_store
from processes.writer import Writer

MS = 1_000_000
NOW = 1_700_000_000_000 * MS
DURABLE, PRODUCER = "persist.durable", "executor@j1"
PAGE = 512
"""The smallest pages SQLite has, so that a transaction is short enough to be cut at every byte."""
COMMITS = 12
CONTENT = {
    "journal": "SELECT producer, seq, body FROM journal ORDER BY seq",
    "halts": "SELECT halted, reason, ts_ns FROM halts ORDER BY id",
    "orders": "SELECT client_order_id, status, filled_e6 FROM orders ORDER BY 1",
    "order_events": "SELECT client_order_id, status, filled_e6, ts_ns FROM order_events ORDER BY id",
    "fills": "SELECT trade_id, client_order_id, size_e6, notional_e6 FROM fills ORDER BY 1",
}
ABOUT = {
    "client_order_id": "x-s-1",
    "strategy": "s",
    "mode": "paper",
    "token_id": "mkt-1/yes",
    "market": "mkt-1",
    "side": "BUY",
    "price_e6": 410_000,
    "size_e6": 10_000_000,
}
Content = dict[str, list[tuple[object, ...]]]


def record(seq: int) -> HaltRecord | OrderRecord | FillRecord:
    """An order, its fills one by one, a halt in between."""
    filled = seq // 3
    if seq % 3 == 0:
        return HaltRecord(ts_ns=NOW + seq, halted=True, reason=f"number {seq}")
    if seq % 3 == 1:
        how = {"venue_order_id": "v", "order_type": "GTC", "post_only": True, "status": "live", "plan_id": "p"}
        return OrderRecord(ts_ns=NOW + seq, filled_e6=filled, **ABOUT, **how)  # type: ignore[arg-type]
    paid = {"notional_e6": 410_000 * seq, "fee_e6": 0, "liquidity": "maker", "status": "confirmed"}
    return FillRecord(ts_ns=NOW + seq, trade_id=f"t{seq:02}", **ABOUT, **paid)  # type: ignore[arg-type]


def sample(number: int) -> Arrival:
    trade = TradePrint(ts_ns=NOW, token_id="mkt-1/yes", market="mkt-1", price_e6=number, size_e6=1, side="BUY", venue_ns=NOW)
    return Arrival("persist.lossy", "book_builder", "run-b", 0, trade)


def content(path: Path) -> Content:
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA synchronous = OFF")  # reading mends the file; nobody pulls the plug on this test
    try:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
        return {name: raw.execute(sql).fetchall() for name, sql in CONTENT.items()}
    finally:
        raw.close()


class Life:
    """What was on disk of a pipeline in mid-life: database, log and journal, and the log's length after each commit."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        self.synchronous = synchronous
        path, journal_path = folder / "polybot.db", folder / "executor.journal"
        raw = sqlite3.connect(path)
        raw.execute(f"PRAGMA page_size = {PAGE}")
        raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        raw.execute("VACUUM")
        raw.close()
        journal = Journal(journal_path)
        self.sizes: list[int] = []
        self.journal_sizes: list[int] = []
        with open_store(f"sqlite:///{path}", synchronous=synchronous) as store:  # type: ignore[arg-type]
            writer = Writer(store)
            list(writer.start(NOW))
            for seq in range(1, COMMITS + 1):
                message = record(seq)
                journal.append(codec.encode(codec.topic_of(DURABLE, message), PRODUCER, "run-e", seq, message))
                self.journal_sizes.append(journal_path.stat().st_size)
                list(writer.receive(Arrival(DURABLE, PRODUCER, "run-e", seq, message), NOW))
                list(writer.receive(sample(seq), NOW))
                list(writer.on_timer(NOW + 100 * MS))
                self.sizes.append(path.with_name("polybot.db-wal").stat().st_size)
            self.database = path.read_bytes()
            self.log = path.with_name("polybot.db-wal").read_bytes()
        journal.close()
        self.journal = journal_path.read_bytes()
        self.whole = content(path)

    def put(self, folder: Path, log: bytes, journal: bytes) -> tuple[Path, Path]:
        """Files as a power cut may leave them."""
        for left in folder.glob("cut*"):
            left.unlink()
        path, journal_path = folder / "cut.db", folder / "cut.journal"
        path.write_bytes(self.database)
        path.with_name("cut.db-wal").write_bytes(log)
        journal_path.write_bytes(journal)
        return path, journal_path


@pytest.fixture(scope="module", params=["NORMAL", "FULL"])
def life(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Life:
    return Life(tmp_path_factory.mktemp("life"), request.param)


def resend(path: Path, journal_path: Path) -> int:
    """What a start does: the writer says where it stands, and gets from the journal what follows. Returns where it stood."""
    with open_store(f"sqlite:///{path}", synchronous="OFF") as store:
        writer = Writer(store)
        stood = max((msg.seq for msg in writer.start(NOW) if isinstance(msg, Committed)), default=0)
        arrivals = [codec.decode(DURABLE, frame) for frame in read_journal(journal_path)]
        for arrival in arrivals:
            if arrival.seq > stood:
                list(writer.receive(arrival, NOW))
        list(writer.stop(NOW))
    return stood


def edges(start: int, end: int) -> Iterator[int]:
    """Around every frame's border between two lengths of the log."""
    for border in range(start, end + 1, PAGE + 24):
        yield from (cut for cut in (border - 1, border, border + 25) if start <= cut <= end)


def test_cut_at_any_byte_of_the_last_commit_the_database_is_whole_and_a_prefix(life: Life, tmp_path: Path) -> None:
    start, end = life.sizes[-2:]
    assert end == len(life.log)
    # The file is the same whatever is waited for: the second time, the bytes around every frame's border will do.
    for cut in range(start, end + 1) if life.synchronous == "NORMAL" else edges(start, end):
        path, _ = life.put(tmp_path, life.log[:cut], life.journal)
        seen = content(path)
        kept = COMMITS if cut == end else COMMITS - 1
        assert [row[1] for row in seen["journal"]] == list(range(1, kept + 1)), cut
        assert seen["journal"] == life.whole["journal"][:kept]
        assert len(seen["halts"]) == kept // 3
        assert len(seen["fills"]) == (kept + 1) // 3


def test_the_journal_makes_it_whole_again_and_nothing_is_doubled(life: Life, tmp_path: Path) -> None:
    stood = set()
    for start, end in zip(life.sizes[-3:], life.sizes[-2:], strict=False):
        for cut in edges(start, end):
            for log in (life.log[:cut], life.log[:cut] + bytes(len(life.log) - cut)):  # cut off, or never written
                path, journal_path = life.put(tmp_path, log, life.journal)
                stood.add(resend(path, journal_path))
                assert content(path) == life.whole
    assert resend(path, journal_path) == COMMITS
    assert stood == {COMMITS - 2, COMMITS - 1, COMMITS}


def test_a_journal_cut_at_any_byte_keeps_every_record_before_and_is_appended_to(life: Life, tmp_path: Path) -> None:
    file = tmp_path / "cut.journal"
    whole = list(read_journal_of(tmp_path, life.journal))
    sizes = life.journal_sizes
    for cut in range(sizes[-3], sizes[-1] + 1):
        kept = COMMITS - 2 + sum(cut >= size for size in sizes[-2:])
        file.write_bytes(life.journal[:cut])
        journal = Journal(file, sync=False)
        assert list(journal.records()) == whole[:kept]
        journal.append(b"next")
        journal.close()
        assert list(read_journal(file)) == [*whole[:kept], b"next"]


def read_journal_of(folder: Path, data: bytes) -> Iterator[bytes]:
    file = folder / "whole.journal"
    file.write_bytes(data)
    return read_journal(file)


def test_log_and_journal_cut_together_agree_on_every_record_that_either_has(life: Life, tmp_path: Path) -> None:
    """A record is in the journal, and on its disk, before the writer gets it: the journal is never behind the database."""
    for stored in (COMMITS - 3, COMMITS - 2, COMMITS - 1):
        for known in range(stored, COMMITS + 1):
            for torn in (0, 5):
                journal = life.journal[: life.journal_sizes[known - 1] + torn]
                path, journal_path = life.put(tmp_path, life.log[: life.sizes[stored - 1] + torn], journal)
                assert resend(path, journal_path) == stored
                seen = content(path)
                assert seen["journal"] == life.whole["journal"][:known]
                assert len(seen["order_events"]) == (known + 2) // 3


def test_a_process_that_is_killed_loses_nothing_that_was_committed(life: Life, tmp_path: Path) -> None:
    """The system keeps what was written; only the power takes it."""
    path, journal_path = life.put(tmp_path, life.log, life.journal)
    assert content(path) == life.whole
    assert resend(path, journal_path) == COMMITS
