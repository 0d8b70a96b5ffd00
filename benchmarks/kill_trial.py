"""Processes killed at random while they trade at the fake venue; afterwards venue, journal and database are held against each other.

``python -m benchmarks.kill_trial --kills 1000`` runs ``polybot up`` with the clob relayer, kills one role after another with SIGKILL at
random moments (the venue itself excepted: its memory is what everything is compared with), halts trading, and reads all three sides.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.three_sides import compare, journal_of
from pipeline.base.fault_points import VARIABLE

KILLED = ("executor", "writer", "strategy", "gateway", "book_builder", "scheduler", "executor", "writer")
"""Who is killed; the two that keep the record are drawn twice as often."""
SETTINGS = """
[execution]
relayer = "clob"
[spread_capture]
min_requote_interval_ms = 100
min_quote_lifetime_ms = 100
[fake_venue]
rate_per_s = 100
[supervisor]
max_deaths_per_minute = 100000
restart_min_ms = 20
restart_max_ms = 100
[ingestion]
record = false
[bus]
journal_segment_bytes = 262144
"""
PATIENCE_S = 60.0
Process = subprocess.Popen[bytes]
TRADED_BETWEEN = 0.5
"""How often a kill waits until orders are placed again; the others hit processes that are still recovering."""


@dataclass
class KillReport:
    """What a trial came to. ``differences`` is empty if nothing was lost, doubled or altered."""

    kills: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    trades: int = 0
    records: int = 0
    seconds: float = 0.0
    exit_code: int | None = None
    integrity: str = ""
    differences: list[str] = field(default_factory=list)

    def told(self) -> str:
        """In a few lines."""
        whom = ", ".join(f"{role} {count}" for role, count in sorted(self.kills.items()))
        return (
            f"{self.kills.total()} kills ({whom}) in {self.seconds:.0f} s; {self.orders:,} orders and {self.trades:,} fills at the venue, "
            f"{self.records:,} records; exit code {self.exit_code}, integrity_check {self.integrity}; "
            f"{len(self.differences)} differences between venue, journal and database"
        )


class KillTrial:
    """One pipeline in a folder of its own, from its first order to the comparison."""

    def __init__(self, folder: Path, seed: int = 1, gap_s: tuple[float, float] = (0.05, 0.6), settings: str = SETTINGS) -> None:
        self.folder, self.state_dir, self.database = folder, folder / "var", folder / "kills.db"
        self._random, self._gap_s = random.Random(seed), gap_s
        self._fault_point = folder / "fault-point"
        self.report = KillReport()
        (folder / "kills.toml").write_text(settings)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._places = ["--state-dir", str(self.state_dir), "--config", str(folder / "kills.toml")]

    def run(self, kills: int) -> KillReport:
        """Trade, kill at random moments, halt, wait until all is told, stop, compare."""

        def strike(up: Process) -> None:
            for _ in range(kills):
                if self._random.random() < TRADED_BETWEEN:
                    self._until_it_trades(up)
                self._kill(up)

        return self._trial(strike)

    def run_points(self, points: Sequence[str]) -> KillReport:
        """The same with crashes at steps, one after another, each ``<role>:<point>:<n>``."""

        def strike(up: Process) -> None:
            for said in points:
                self._fault_point.write_text(said)
                self._until(up, lambda: not self._fault_point.exists(), f"a crash at {said}")
                self.report.kills[said.partition(":")[0]] += 1

        return self._trial(strike)

    def _trial(self, strike: Callable[[Process], None]) -> KillReport:
        began = time.monotonic()
        command = [sys.executable, "-m", "polybot.cli", "up", "--plain", "--port", str(self.port)]
        command += ["--db-url", f"sqlite:///{self.database}", *self._places]
        environment = os.environ | {VARIABLE: str(self._fault_point)}
        with (self.folder / "up.txt").open("w") as said:
            up = subprocess.Popen(command, stdout=said, stderr=said, stdin=subprocess.DEVNULL, env=environment)
            try:
                self._until(up, lambda: len(self._venue("orders")) >= 5, "the first orders")
                strike(up)
                self._until_it_trades(up)
                self._halt()
                self._until(up, self._is_settled, "an end of all orders, trades and records")
                orders, trades = self._venue("orders"), self._venue("trades")
                up.send_signal(signal.SIGINT)
                self.report.exit_code = up.wait(PATIENCE_S)
            finally:
                if up.poll() is None:
                    up.kill()
        self.report.seconds = time.monotonic() - began
        self._compare(orders, trades)
        return self.report

    # --- killing

    def _kill(self, up: Process) -> None:
        """Kill a role that runs, at a random moment from now."""
        until = time.monotonic() + self._random.uniform(*self._gap_s)
        role = self._random.choice(KILLED)
        time.sleep(max(0.0, until - time.monotonic()))
        found: list[int] = []
        self._until(up, lambda: found.append(pid) if (pid := self._pid(role)) else False, f"a process of {role}", found)
        os.kill(found[0], signal.SIGKILL)
        self.report.kills[role] += 1

    def _pid(self, role: str) -> int | None:
        """The process that the supervisor started last for a role, if it lives and was not killed here yet."""
        pid = None
        for event in self._supervisor_events():
            if event.get("child") == role and event["event"] in ("role_started", "role_restarted"):
                pid = int(event["pid"])
            elif event.get("child") == role and event["event"] == "role_died":
                pid = None
        return pid if pid is not None and _runs(pid) else None

    def _supervisor_events(self) -> Iterator[dict[str, Any]]:
        for log in self.state_dir.glob("runs/*/supervisor.log"):
            for line in log.read_text().splitlines():
                if line.startswith("{"):
                    yield json.loads(line)

    # --- waiting

    def _until_it_trades(self, up: Process) -> None:
        """Wait for an order that is not there yet."""
        before = self._stored("orders")
        self._until(up, lambda: self._stored("orders") > before, "a new order")

    def _stored(self, table: str) -> int:
        """Rows of a table."""
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30) as conn:
            return int(conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def _until(self, up: Process, reached: Callable[[], object], what: str, found: Sequence[Any] = ()) -> None:
        end = time.monotonic() + PATIENCE_S
        while not (reached() or found):
            if up.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{what}: not within {PATIENCE_S:.0f} s (up: {up.poll()})\n{self._last_words()}")
            time.sleep(0.02)

    def _venue(self, what: str) -> list[dict[str, Any]]:
        """All orders or all trades that the venue ever had; none while it is not there yet."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/admin/{what}", timeout=10) as answer:
                rows: list[dict[str, Any]] = json.load(answer)
                return rows
        except OSError:
            return []

    def _halt(self) -> None:
        """The command itself may meet an executor that is just starting: it waits for the answer."""
        subprocess.run(
            [sys.executable, "-m", "polybot.cli", "halt", "--cancel", *self._places],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )

    def _is_settled(self) -> bool:
        """Nothing is open at the venue or in the database, every trade is final, and the database has the whole journal."""
        if any(order["status"] in ("LIVE", "DELAYED") for order in self._venue("orders")):
            return False
        if any(trade["status"] not in ("CONFIRMED", "FAILED") for trade in self._venue("trades")):
            return False
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as conn:
            (stored,) = conn.execute("SELECT count(*) FROM journal").fetchone()
            closed = "('matched', 'cancelled', 'rejected', 'expired')"
            (open_orders,) = conn.execute(f"SELECT count(*) FROM orders WHERE status NOT IN {closed}").fetchone()
            (open_trades,) = conn.execute("SELECT count(*) FROM fills WHERE status NOT IN ('confirmed', 'failed')").fetchone()
        return not open_orders and not open_trades and stored == len(journal_of(self.state_dir))

    def _last_words(self) -> str:
        logs = sorted(self.state_dir.glob("runs/*/*.log"))
        ends = (f"--- {log.name}\n" + "\n".join(log.read_text().splitlines()[-4:]) for log in logs)
        return "\n".join([(self.folder / "up.txt").read_text()[-1_000:], *ends])

    # --- comparing

    def _compare(self, orders: list[dict[str, Any]], trades: list[dict[str, Any]]) -> None:
        report = self.report
        report.orders, report.trades = len(orders), len(trades)
        records = journal_of(self.state_dir)
        report.records = len(records)
        with sqlite3.connect(f"file:{self.database}?mode=ro", uri=True) as conn:
            (report.integrity,) = conn.execute("PRAGMA integrity_check").fetchone()
            conn.row_factory = sqlite3.Row
            report.differences = compare(orders, trades, records, conn)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def main(argv: Sequence[str] | None = None) -> int:
    """Run one trial and print its report; exit code 1 if the sides differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kill_trial", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args(argv)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="polybot-kills-"))
    folder.mkdir(parents=True, exist_ok=True)
    report = KillTrial(folder, options.seed).run(options.kills)
    print(report.told())
    print("\n".join(report.differences[:50]))
    print(f"all of it is in {folder}")
    return 0 if report.exit_code == 0 and not report.differences else 1


if __name__ == "__main__":
    sys.exit(main())
