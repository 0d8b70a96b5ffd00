"""The supervisor with small real processes: restarts, hangs, crash loops, an orderly end with nothing left behind."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.base.config import Config
from pipeline.base.errors import BadInput, CrashLoop, RoleTaken
from pipeline.base.settings import Settings
from pipeline.bus.transport import socket_folder
from processes.child_output import FileOutput, JsonOutput
from processes.health_file import read_health
from processes.procfile import RoleCommand
from processes.runs import run_folder
from processes.stop_signals import StopSignals
from processes.supervisor import Supervisor, how_it_ended

UNTIL_INPUT_ENDS = "import sys; print('up', flush=True); sys.stdin.read()"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
BEATS = """
import os, sys, threading, zmq
from pathlib import Path
from pipeline.base.config import load_config
from pipeline.bus.stage import Identity
from pipeline.bus.topology import STREAM
from pipeline.bus.transport import choose_transport
from pipeline.bus.wires import Wires
from pipeline.messages.control import Heartbeat

bus = load_config().settings.bus
transport = choose_transport(bus)
context = zmq.Context()
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
with Wires("writer", Identity(os.environ["POLYBOT_SESSION"], str(os.getpid()), "writer"), transport, context, only=["health"]) as wires:
    while not ended.wait(0.02):
        wires.send(STREAM["health"], Heartbeat(ts_ns=1, role="writer", pid=os.getpid(), counts={"rows": 2}))
context.destroy(linger=100)
"""


def command(role: str, code: str) -> RoleCommand:
    return RoleCommand(role, (sys.executable, "-c", code))


def config(state_dir: Path, **supervisor: int) -> Config:
    quick = {"restart_min_ms": 10, "restart_max_ms": 40, "stop_timeout_ms": 1_500} | supervisor
    return Config(Settings()).with_values({"bus": {"state_dir": str(state_dir)}, "supervisor": quick}, "test")


@pytest.fixture
def state_dir(tmp_path):
    return tmp_path / "var"


@pytest.fixture
def supervised(state_dir):
    """Makes supervisors whose lines go to ``supervised.out``."""

    def make(*commands: RoleCommand, **settings: int) -> Supervisor:
        return Supervisor(commands, config(state_dir, **settings), "session-1", JsonOutput(make.out))

    make.out = io.StringIO()
    return make


def step_until(supervisor: Supervisor, reached: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < deadline, supervisor.statuses()
        supervisor.step(10)


def status(supervisor: Supervisor, role: str):
    return next(found for found in supervisor.statuses() if found.role == role)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_roles_get_the_session_and_its_configuration(supervised, state_dir):
    names = "('POLYBOT_SESSION', 'POLYBOT_SUPERVISED', 'MALLOC_ARENA_MAX', 'POLYBOT_CONFIG')"
    says = f"import os, sys; print(*(os.environ[name] for name in {names}), flush=True); sys.stdin.read()"
    with supervised(command("alpha", says)) as supervisor:
        step_until(supervisor, lambda: supervised.out.getvalue())
    line = json.loads(supervised.out.getvalue().splitlines()[0])
    effective = run_folder(state_dir, "session-1") / "config.json"
    arenas = os.environ.get("MALLOC_ARENA_MAX", "2")
    assert line == {"role": "alpha", "event": "output", "text": f"session-1 1 {arenas} {effective.resolve()}"}
    assert json.loads(effective.read_text())["bus"]["state_dir"] == str(state_dir)


def test_a_killed_role_comes_back_and_the_others_go_on(supervised):
    with supervised(command("alpha", UNTIL_INPUT_ENDS), command("beta", UNTIL_INPUT_ENDS)) as supervisor:
        alpha, beta = status(supervisor, "alpha").pid, status(supervisor, "beta").pid
        os.kill(alpha, signal.SIGKILL)
        step_until(supervisor, lambda: status(supervisor, "alpha").restarts == 1)
        assert status(supervisor, "alpha").pid != alpha
        assert (status(supervisor, "beta").pid, status(supervisor, "beta").restarts) == (beta, 0)


def test_leaving_stops_every_process_and_leaves_no_socket_or_lock(supervised, state_dir):
    with supervised(command("alpha", UNTIL_INPUT_ENDS), command("beta", UNTIL_INPUT_ENDS)) as supervisor:
        pids = [found.pid for found in supervisor.statuses()]
        assert socket_folder(state_dir).is_dir() or os.name == "nt"
    assert not any(map(is_alive, pids))
    assert not socket_folder(state_dir).exists()
    assert [found.state for found in supervisor.statuses()] == ["stopped", "stopped"]
    with supervised(command("alpha", UNTIL_INPUT_ENDS)):
        pass


def test_what_does_not_listen_is_killed_in_time(supervised):
    with supervised(command("alpha", DEAF), stop_timeout_ms=1_000) as supervisor:
        step_until(supervisor, lambda: "up" in supervised.out.getvalue())
        pid = status(supervisor, "alpha").pid
        began = time.monotonic()
    assert not is_alive(pid)
    assert time.monotonic() - began < 1.0


def test_a_second_request_to_stop_kills_at_once(state_dir):
    output = JsonOutput(out := io.StringIO())
    commands = (command("alpha", DEAF),)
    with Supervisor(commands, config(state_dir, stop_timeout_ms=30_000), "s", output, hurry=lambda: True) as supervisor:
        step_until(supervisor, lambda: "up" in out.getvalue())
        began = time.monotonic()
    assert time.monotonic() - began < 5


def test_a_role_that_keeps_dying_ends_everything_with_its_last_words(supervised):
    dies = "print('first'); print('the disk is on fire'); raise SystemExit(7)"
    with pytest.raises(CrashLoop) as ended, supervised(command("beta", UNTIL_INPUT_ENDS), command("alpha", dies)) as supervisor:
        beta = status(supervisor, "beta").pid
        step_until(supervisor, lambda: False)
    assert str(ended.value) == (
        "alpha died 5 times within a minute, the last time with exit code 7; its last line: the disk is on fire"
    )
    assert ended.value.exit_code == 4
    assert not is_alive(beta)


def test_a_role_that_refuses_its_input_ends_everything_as_bad_input(supervised):
    refuses = "print('writer: polybot.db belongs to venue fake'); raise SystemExit(2)"
    with (
        pytest.raises(BadInput, match=r"^alpha refuses to run: writer: polybot.db belongs to venue fake$"),
        supervised(command("alpha", refuses)) as one,
    ):
        step_until(one, lambda: False)


def test_a_program_that_does_not_exist_is_refused(supervised):
    missing = supervised(RoleCommand("alpha", ("no-such-program",)))
    with pytest.raises(BadInput, match=r"alpha: no-such-program cannot be started"), missing:
        pass


def test_heartbeats_make_a_role_run_and_bring_its_counts(supervised):
    with supervised(command("writer", BEATS)) as supervisor:
        assert status(supervisor, "writer").state == "starting"
        step_until(supervisor, lambda: status(supervisor, "writer").state == "running")
        assert status(supervisor, "writer").counts == {"rows": 2}
        os.kill(status(supervisor, "writer").pid, signal.SIGKILL)
        step_until(supervisor, lambda: status(supervisor, "writer").totals == {"rows": 4})
        assert status(supervisor, "writer").restarts == 1


def test_a_role_without_heartbeats_is_killed_and_started_again(supervised):
    with supervised(command("writer", UNTIL_INPUT_ENDS), start_timeout_ms=150) as supervisor:
        first = status(supervisor, "writer").pid
        step_until(supervisor, lambda: status(supervisor, "writer").restarts == 1)
        assert not is_alive(first)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGSTOP is POSIX's")
def test_a_role_that_was_stopped_is_found_killed_and_started_again(supervised, state_dir):
    with supervised(command("writer", BEATS), command("beta", UNTIL_INPUT_ENDS), heartbeat_timeout_ms=1_500) as supervisor:
        step_until(supervisor, lambda: status(supervisor, "writer").state == "running")
        first = status(supervisor, "writer").pid
        os.kill(first, signal.SIGSTOP)
        step_until(supervisor, lambda: status(supervisor, "writer").restarts == 1)
        assert not is_alive(first)
        step_until(supervisor, lambda: status(supervisor, "writer").state == "running")
        found = status(supervisor, "writer")
        assert (found.hangs, status(supervisor, "beta").restarts) == (1, 0)
        assert re.match(r"SIGKILL, as it gave no sign of life for 1\.\d s: no output$", found.last_death)


def test_a_supervisor_that_stood_still_holds_nobodys_silence_against_him(supervised):
    with supervised(command("writer", BEATS), heartbeat_timeout_ms=1_500) as supervisor:
        step_until(supervisor, lambda: status(supervisor, "writer").state == "running")
        os.kill(status(supervisor, "writer").pid, signal.SIGSTOP)  # so that nothing waits to be heard
        for _ in range(30):
            supervisor.step(0)
        supervisor._roles["writer"].life._heard_ns -= 5_000_000_000
        supervisor._stepped_ns -= 5_000_000_000
        supervisor.step(0)
        assert status(supervisor, "writer").hangs == 0
        os.kill(status(supervisor, "writer").pid, signal.SIGCONT)


def test_an_executor_is_not_started_again_before_the_writer_is(supervised):
    roles = (command("executor", UNTIL_INPUT_ENDS), command("writer", UNTIL_INPUT_ENDS))
    with supervised(*roles, restart_min_ms=300, restart_max_ms=300) as supervisor:
        assert [found.role for found in supervisor.statuses()] == ["writer", "executor"]
        assert status(supervisor, "executor").waits_for == ("writer",)
        executor, writer = status(supervisor, "executor").pid, status(supervisor, "writer").pid
        os.kill(executor, signal.SIGKILL)
        step_until(supervisor, lambda: status(supervisor, "executor").pid is None)
        os.kill(writer, signal.SIGKILL)
        step_until(supervisor, lambda: status(supervisor, "writer").pid is None)
        while status(supervisor, "executor").pid is None:
            assert status(supervisor, "writer").restarts == 0
            supervisor.step(5)
            if status(supervisor, "executor").pid is not None:
                break
            if status(supervisor, "writer").pid is not None:
                step_until(supervisor, lambda: status(supervisor, "executor").pid is not None)
        assert status(supervisor, "writer").restarts == 1


def test_how_everything_stands_is_on_disk_while_it_runs_and_afterwards(supervised, state_dir):
    with supervised(command("writer", BEATS)) as supervisor:
        (found,) = read_health(state_dir).roles
        assert (found.role, found.pid, found.state, found.beat_ns) == (
            "writer",
            status(supervisor, "writer").pid,
            "starting",
            None,
        )
        step_until(supervisor, lambda: read_health(state_dir).roles[0].state == "running")
        health = read_health(state_dir)
        assert (health.session_id, health.pid, health.state) == ("session-1", os.getpid(), "running")
        assert health.roles[0].counts == {"rows": 2}
        assert abs(time.time_ns() - health.roles[0].beat_ns) < 60_000_000_000
    health = read_health(state_dir)
    assert (health.state, health.roles[0].state, health.roles[0].pid) == ("stopped", "stopped", None)
    assert [role for role, _ in supervisor.stopped.waited_ms] == ["writer"]


def test_log_files_are_written_by_the_processes_themselves(state_dir):
    folder = run_folder(state_dir, "s")
    folder.mkdir(parents=True)
    with Supervisor([command("alpha", UNTIL_INPUT_ENDS)], config(state_dir), "s", FileOutput(folder)) as supervisor:
        step_until(supervisor, lambda: (folder / "alpha.log").read_text() == "up\n")


def test_a_crash_loop_quotes_the_log_file_as_well(state_dir):
    folder = run_folder(state_dir, "s")
    folder.mkdir(parents=True)
    (folder / "alpha.log").write_text("from an earlier life\n")
    with pytest.raises(CrashLoop, match=r"SIGKILL; its last line: no output$"):
        dies = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
        with Supervisor([command("alpha", dies)], config(state_dir), "s", FileOutput(folder)) as supervisor:
            step_until(supervisor, lambda: False)


def test_a_second_supervisor_in_the_same_state_directory_is_refused_with_the_holders_pid(supervised, state_dir):
    first, second = supervised(command("alpha", UNTIL_INPUT_ENDS)), supervised(command("alpha", UNTIL_INPUT_ENDS))
    with first, pytest.raises(RoleTaken, match=rf"another supervisor \(pid {os.getpid()}\)"), second:
        pass


KILLED = """
import sys, json, io
from pathlib import Path
from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.base.log import set_up_logging
from processes.child_output import JsonOutput, role_stream
from processes.procfile import RoleCommand
from processes.supervisor import Supervisor
output = JsonOutput(sys.stdout)
set_up_logging("info", role_stream(output, "supervisor"))
config = Config(Settings()).with_values({"bus": {"state_dir": sys.argv[1]}}, "test")
child = RoleCommand("alpha", (sys.executable, "-c", "import sys, os; print(os.getpid(), flush=True); sys.stdin.read()"))
with Supervisor([child], config, "s", output) as supervisor:
    while True:
        supervisor.step()
"""


def test_a_supervisor_killed_by_force_leaves_no_orphan_and_does_not_block_the_next(supervised, state_dir):
    with subprocess.Popen([sys.executable, "-c", KILLED, str(state_dir)], stdout=subprocess.PIPE) as killed:
        child = int(next(line["text"] for line in map(json.loads, killed.stdout) if "text" in line))
        killed.kill()
    deadline = time.monotonic() + 5
    while is_alive(child):
        assert time.monotonic() < deadline
    with supervised(command("alpha", UNTIL_INPUT_ENDS)) as supervisor:
        assert status(supervisor, "alpha").pid


def test_the_end_of_a_process_is_told_in_words():
    assert [how_it_ended(code) for code in (0, 3, -signal.SIGKILL, -99)] == ["exit code 0", "exit code 3", "SIGKILL", "signal 99"]


def test_signals_at_once_are_one_request_and_later_ones_insist():
    with StopSignals() as told:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        assert (told.requests, told.insists) == (1, False)
        told._last_ns -= 600_000_000
        signal.raise_signal(signal.SIGINT)
        assert (told.requests, told.insists) == (2, True)


PLAYS_TWO = BEATS.replace(
    'wires.send(STREAM["health"], Heartbeat(ts_ns=1, role="writer", pid=os.getpid(), counts={"rows": 2}))',
    """for role, counts in (("gateway", {"frames": 3}), ("executor", {"fills": 1})):
            wires.send(STREAM["health"], Heartbeat(ts_ns=1, role=role, pid=os.getpid(), counts=counts))""",
)


def test_what_became_too_old_while_a_session_runs_goes_in_its_time(supervised, state_dir):
    old = run_folder(state_dir, "20200101-000000-1")
    with supervised(command("quiet", UNTIL_INPUT_ENDS)) as supervisor:
        old.mkdir()
        supervisor.step(0)
        assert old.is_dir()
        supervisor._prune_ns = 0
        supervisor.step(0)
        assert not old.exists() and supervisor.run_dir.is_dir()


def test_a_process_that_plays_several_roles_lives_and_dies_as_one_and_each_role_has_a_row(supervised, state_dir):
    with supervised(command("fused", PLAYS_TWO)) as supervisor:
        step_until(supervisor, lambda: status(supervisor, "executor").counts and status(supervisor, "gateway").counts)
        first = status(supervisor, "fused")
        assert (first.state, first.part_of) == ("running", "")
        assert status(supervisor, "gateway").totals == {"frames": 3}
        assert (status(supervisor, "gateway").pid, status(supervisor, "gateway").part_of) == (first.pid, "fused")
        os.kill(first.pid, signal.SIGKILL)
        step_until(supervisor, lambda: status(supervisor, "fused").restarts == 1)
        step_until(supervisor, lambda: status(supervisor, "gateway").totals == {"frames": 6})
        assert (status(supervisor, "gateway").restarts, status(supervisor, "gateway").last_death) == (0, "")
    assert [role.role for role in read_health(state_dir).roles if role.part_of == "fused"] == [
        "executor",
        "strategy",
        "book_builder",
        "gateway",
    ]
