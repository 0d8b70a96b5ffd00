"""A replay does not depend on the process it runs in: nothing hangs on hash seeds, ids of the machine, or the time of day."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

RECORDING = Path(__file__).parent / "recordings" / "two-sided"


def dumped(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every table but ``runs``, which tells of the process."""
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True) as conn:
        tables = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name != 'runs' ORDER BY name").fetchall()
        return {name: conn.execute(f"SELECT * FROM {name}").fetchall() for (name,) in tables}


def test_two_processes_with_different_hash_seeds_write_the_same_database(tmp_path: Path) -> None:
    databases = []
    for seed in ("1", "2"):
        database = tmp_path / f"{seed}.db"
        words = [sys.executable, "-m", "polybot.cli", "replay", str(RECORDING), "all", "--db-url", f"sqlite:///{database}"]
        subprocess.run(words, check=True, timeout=50, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed})
        databases.append(dumped(database))
    assert databases[0] == databases[1]
    assert databases[0]["orderbook_events"]
