"""`polybot doctor` where nothing ran, where a session runs, and where one was killed; it changes nothing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.bus.compose import journal_path
from pipeline.bus.journal_segments import Head, new_segment, segment_path
from pipeline.store.open import open_store
from polybot.cli import main
from processes.child_output import JsonOutput
from processes.health_file import Health, RoleHealth, write_health
from processes.options import database_name
from processes.procfile import RoleCommand
from processes.supervisor import Supervisor

UNTIL_INPUT_ENDS = "import sys; print('up', flush=True); sys.stdin.read()"


class Place:
    """A state directory and a database."""

    def __init__(self, folder):
        self.folder, self.state_dir = folder, folder / "var"
        self.db = folder / "x.db"
        self.db_url = f"sqlite:///{self.db}"
        self.config = folder / "config.toml"
        self.config.write_text(f"[bus]\nstate_dir = '{self.state_dir}'\nmin_free_mb = 1\n[db]\nurl = '{self.db_url}'\n")

    def doctor(self, *options):
        return CliRunner().invoke(main, ["doctor", "--config", str(self.config), "--offline", *options])

    def findings(self, *options):
        """(exit code, {check: [(status, text)]})."""
        shown = self.doctor("--json", *options)
        found: dict[str, list[tuple[str, str]]] = {}
        for one in json.loads(shown.stdout)["findings"]:
            found.setdefault(one["check"], []).append((one["status"], one["text"]))
        return shown.exit_code, found

    def contents(self):
        """Every file with its bytes' digest, and every folder."""
        paths = sorted(self.folder.rglob("*"))
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "" for path in paths}

    def supervisor(self, *roles):
        config = Config(Settings()).with_values({"bus": {"state_dir": str(self.state_dir)}, "db": {"url": self.db_url}}, "test")
        commands = [RoleCommand(role, (sys.executable, "-c", UNTIL_INPUT_ENDS)) for role in roles]
        return Supervisor(commands, config, "20261122-120000-1", JsonOutput(io.StringIO()))


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_where_nothing_ever_ran_everything_is_fine_and_nothing_is_created(place):
    before = place.contents()
    code, found = place.findings()
    assert code == 0
    assert place.contents() == before
    assert found["session"] == [("ok", f"no session has run in {place.state_dir}")]
    assert found["database"] == [("ok", f"{place.db}: is not there yet; the first writer makes it")]
    assert found["config"] == [("ok", f"every setting is valid: {place.config}")]
    assert found["clock"][0][0] == "unknown"
    assert not [status for told in found.values() for status, _ in told if status == "problem"]


def test_it_reads_as_a_table_for_people(place):
    shown = place.doctor()
    assert shown.output.splitlines()[0].split() == ["check", "status", "found", "what", "to", "do"]
    assert shown.output.splitlines()[-1].endswith("1 unknown")


def test_a_setting_that_is_wrong_is_a_problem_with_file_and_field_and_exit_code_1(place):
    place.config.write_text("[bus]\nheartbeat_ms = 'often'\n")
    place.state_dir.mkdir()
    code, found = place.findings("--state-dir", str(place.state_dir), "--db-url", place.db_url)
    assert code == 1
    ((status, text),) = found["config"]
    assert status == "problem"
    assert text.startswith(f"{place.config}: [bus] heartbeat_ms = 'often'")


@pytest.mark.parametrize("options", [("--db-url", "postgresql://h/d"), ("--config", "nowhere"), ("--state-dir", "nowhere")])
def test_what_is_not_there_is_bad_input(place, options):
    shown = place.doctor(*options)
    assert shown.exit_code == 2
    assert len(shown.stderr.splitlines()) == 1


def test_a_running_session_is_told_role_by_role(place):
    open_store(place.db_url, venue="fake").close()
    with place.supervisor("writer", "executor", "fake_venue") as supervisor:
        supervisor.step(10)
        code, found = place.findings()
        assert code == 0
        assert found["session"] == [("ok", f"20261122-120000-1 is running under supervisor {os.getpid()}")]
        pids = {status.role: status.pid for status in supervisor.statuses()}
        assert found["heartbeats"] == [
            ("warning", f"writer (pid {pids['writer']}) starts"),
            ("warning", "executor waits for writer"),
            ("ok", f"fake_venue (pid {pids['fake_venue']}) is there; it sends no heartbeats"),
        ]
        assert found["locks"] == [("ok", f"held by supervisor {os.getpid()}")]
    code, found = place.findings()
    assert found["session"][0][1].startswith("none runs; 20261122-120000-1 ended in order")
    assert found["leftovers"] == [("ok", "nothing is left of earlier runs")]
    assert [status for status, _ in found["integrity"]] == ["ok"]


def test_roles_that_are_silent_down_or_dropping_are_told(place):
    with place.supervisor("writer") as supervisor:
        now_ns = time.time_ns()
        roles = (
            RoleHealth("writer", "running", 1, beat_ns=now_ns - 3_000_000_000_000, counts={"degraded": 1, "degraded_now": 1}),
            RoleHealth("strategy", "running", 2, beat_ns=now_ns - 6_000_000_000, counts={"dropped": 7}),
            RoleHealth("gateway", "waiting", None, restarts=1, last_death="SIGKILL: no output"),
            RoleHealth("executor", "running", 3, restarts=1, beat_ns=now_ns, last_death="SIGKILL: no output"),
        )
        write_health(place.state_dir, Health(supervisor.session_id, os.getpid(), now_ns, "running", roles, place.db_url))
        code, found = place.findings()
    assert code == 1
    told = found["heartbeats"]
    assert [status for status, _ in told] == ["problem", "problem", "warning", "warning", "problem", "warning"]
    assert "persistence degraded" in told[1][1]
    del told[1]
    assert told[2][1] == "strategy has dropped 7 samples or late commands; records of orders and fills never are"
    assert told[3][1] == "gateway is down (SIGKILL: no output)"
    assert told[4][1].endswith("1 restarts, the last after: SIGKILL: no output")


KILLED = """
import os, sys, time
from pathlib import Path
from pipeline.store.open import open_store
from processes.health_file import Health, RoleHealth, write_health
from processes.options import role_lock
state_dir = Path(sys.argv[1])
state_dir.mkdir(mode=0o700)
role_lock(state_dir, "supervisor").__enter__()
role_lock(state_dir, "writer").__enter__()
store = open_store(sys.argv[2], venue="fake")
conn = store.connect_for_writing()
with conn.begin():
    conn.exec_driver_sql("INSERT INTO meta (key, value) VALUES ('a', 'b')")
roles = (RoleHealth("writer", "running", os.getpid(), beat_ns=time.time_ns()),)
write_health(state_dir, Health("20261122-120000-1", os.getpid(), time.time_ns(), "running", roles, sys.argv[2]))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_after_a_killed_session_it_names_what_is_left_and_changes_none_of_it(place):
    words = [sys.executable, "-c", KILLED, str(place.state_dir), place.db_url]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"ready\n"
        _, running = place.findings()
        killed.send_signal(signal.SIGKILL)
        killed.wait(5)
    assert running["writer lock"] == [("ok", f"{place.db}: process {killed.pid} writes to it")]
    before = place.contents()
    code, found = place.findings()
    after = place.contents()
    index = f"{place.db}-shm"  # SQLite's own index of the log, which every reader makes anew
    assert {path: digest for path, digest in after.items() if path != index} == {
        path: digest for path, digest in before.items() if path != index
    }
    assert code == 0
    assert found["session"][0][1].startswith(f"20261122-120000-1 was killed: its supervisor (pid {killed.pid}) is gone")
    assert [status for status, _ in found["writer lock"]] == ["warning", "warning"]
    assert found["leftovers"] == [
        ("warning", f"left by a killed run: supervisor.pid of {killed.pid}, writer.pid of {killed.pid}")
    ]
    assert found["schema"][0] == (
        "ok",
        f"{place.db}: revision {found['schema'][0][1].split()[2].rstrip(',')}, data of venue fake",
    )


def test_records_that_the_database_lacks_are_counted(place):
    open_store(place.db_url).close()
    base = journal_path(place.state_dir, "executor", database_name(place.db_url))
    base.parent.mkdir(parents=True, mode=0o700)
    head = Head("00112233445566ff", 1, 41, "s", "s.executor.1", 1)
    segment_path(base, 1).write_bytes(new_segment(head, "executor@00112233445566ff", None, []) + b"torn")
    code, found = place.findings()
    assert code == 0
    told = dict(reversed(one) for one in found["journal"])
    assert told[f"{base.name}: 41 records, of which 41 are not in the database"] == "warning"
    assert told[f"{base.name}.000001: 4 bytes of a record that was never whole are at its end"] == "ok"
    segment_path(base, 1).write_bytes(b"something else entirely, longer than a magic line")
    assert place.findings()[0] == 1


def test_a_damaged_or_foreign_database_is_a_problem(place):
    place.db.write_bytes(b"not a database" * 500)
    code, found = place.findings()
    assert (code, found["schema"][0][0]) == (1, "problem")
