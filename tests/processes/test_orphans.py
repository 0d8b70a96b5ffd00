"""What outlived its supervisor is found by what it is, never by its id alone, and is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from pipeline.base.errors import BadInput
from processes.health_file import NAME, Health, RoleHealth, read_health, write_health
from processes.options import SESSION, role_lock
from processes.orphans import end_orphans, is_held, is_running, orphans_of

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals as POSIX has them")


@pytest.fixture
def process():
    """A process of session ``s`` that ends when it is told to."""
    started: list[subprocess.Popen[bytes]] = []

    def start(session: str = "s") -> subprocess.Popen[bytes]:
        code = "import sys; print('up', flush=True); sys.stdin.read()"
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {SESSION: session}
            )
        )
        assert started[-1].stdout is not None
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.wait(5)
        each.stdin.close()
        each.stdout.close()


def health(pid: int | None) -> Health:
    return Health("s", 1, 5, "running", (RoleHealth("strategy", "running", pid, beat_ns=4),))


def test_a_health_file_is_read_as_it_was_written_and_is_its_owners(tmp_path):
    assert read_health(tmp_path) is None
    write_health(tmp_path, health(7))
    assert read_health(tmp_path) == health(7)
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o600
    (tmp_path / NAME).write_text("{")
    with pytest.raises(BadInput, match="delete it"):
        read_health(tmp_path)


def test_a_folder_that_cannot_be_written_does_not_end_the_supervisor(tmp_path):
    write_health(tmp_path / "gone", health(7))
    assert not (tmp_path / "gone").exists()


def test_an_orphan_that_is_stopped_is_killed(tmp_path, process):
    orphan = process()
    os.kill(orphan.pid, signal.SIGSTOP)
    write_health(tmp_path, health(orphan.pid))
    assert end_orphans(tmp_path, 60_000) == {"strategy": orphan.pid}
    assert orphan.wait(5) == -signal.SIGKILL


def test_an_orphan_that_ends_by_itself_is_waited_for(tmp_path, process):
    orphan = process()
    write_health(tmp_path, health(orphan.pid))
    orphan.stdin.close()
    assert end_orphans(tmp_path, 10_000) == {}
    assert not is_running(orphan.pid)


def test_a_process_of_another_session_with_the_same_id_is_left_alone(tmp_path, process):
    other = process("another")
    write_health(tmp_path, health(other.pid))
    assert orphans_of(tmp_path, health(other.pid)) == {}
    assert end_orphans(tmp_path, 0) == {}
    assert other.poll() is None


def test_a_lock_is_seen_to_be_held_and_nothing_is_created(tmp_path):
    lock = tmp_path / "strategy.lock"
    assert not is_held(lock)
    with role_lock(tmp_path, "strategy"):
        assert is_held(lock)
    assert not is_held(lock)
    assert [file.name for file in tmp_path.iterdir()] == ["strategy.lock"]
