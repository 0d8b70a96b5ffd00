"""What `up` was asked for becomes a configuration, or is refused before anything is started."""

from __future__ import annotations

import os
import socket
import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from pipeline.base.config import Config, merge
from pipeline.base.errors import BadInput, DatabaseBusy, PortInUse, RoleTaken
from pipeline.base.settings import Settings
from pipeline.store.open import open_store
from polybot.cli.up_plan import Asked, fuse, plan_up
from processes.fake_settings import FAKE_DB
from processes.options import role_lock
from processes.procfile import parse_procfile


@pytest.fixture
def config(tmp_path):
    return Config(Settings()).with_values(
        {"bus": {"state_dir": str(tmp_path / "var")}, "fake_venue": {"port": free_port()}}, "test"
    )


@pytest.fixture
def taken_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_fake_venue_is_the_default_with_a_database_of_its_own(config):
    plan = plan_up(Asked(), config, "s1")
    settings = plan.config.settings
    port = settings.fake_venue.port
    assert settings.venue.name == "fake"
    assert settings.db.url == FAKE_DB
    assert settings.polymarket.ws_url == f"ws://127.0.0.1:{port}/ws/market"
    assert settings.polymarket.gamma_url == settings.polymarket.clob_url == f"http://127.0.0.1:{port}"
    assert plan.commands[0].role == "fake_venue"
    assert plan.note == ""


def test_polymarket_keeps_the_configured_places(config):
    plan = plan_up(Asked(venue="polymarket", markets=("a", "b")), config, "s1")
    settings = plan.config.settings
    assert settings.polymarket == Settings().polymarket
    assert settings.db.url == Settings().db.url
    assert settings.universe.markets == ("a", "b")
    assert "fake_venue" not in [command.role for command in plan.commands]


def test_a_taken_port_that_nobody_asked_for_is_replaced(config, taken_port):
    config = config.with_values({"fake_venue": {"port": taken_port}}, "config/default.toml")
    plan = plan_up(Asked(), config, "s1")
    port = plan.config.settings.fake_venue.port
    assert port != taken_port
    assert plan.config.settings.polymarket.ws_url == f"ws://127.0.0.1:{port}/ws/market"
    assert plan.note == f"port {taken_port} is taken, so the fake venue uses {port}"


def test_a_taken_port_that_was_asked_for_is_refused(config, taken_port):
    with pytest.raises(PortInUse, match=rf"^--port {taken_port}: taken on 127.0.0.1"):
        plan_up(Asked(port=taken_port), config, "s1")
    config = config.with_values({"fake_venue": {"port": taken_port}}, "config/local.toml")
    with pytest.raises(PortInUse, match=rf"^config/local.toml: \[fake_venue\] port = {taken_port}: taken"):
        plan_up(Asked(), config, "s1")


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (Asked(venue="kalshi"), "--venue kalshi: expected fake, polymarket or recording:PATH"),
        (Asked(venue="recording"), "add its path: recording:PATH"),
        (Asked(venue="recording:"), "has no path"),
        (Asked(venue="recording:/no/such"), "/no/such: no such file or folder"),
        (Asked(speed=Decimal(2)), "--speed 2: is the pace of a recording"),
        (Asked(venue="polymarket", port=1), "--port 1: is the fake venue's"),
        (Asked(db_url="sqlite:///:memory:"), "cannot be shared by processes"),
        (Asked(db_url="postgresql://u:p@h/d"), "PostgreSQL comes in a later version"),
        (Asked(db_url="sqlite:////no/such/folder/x.db"), "the folder /no/such/folder does not exist"),
        (Asked(procfile=Path("/no/Procfile")), "/no/Procfile: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(config, asked, complaint):
    with pytest.raises(BadInput) as refused:
        plan_up(asked, config, "s1")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_frames_without_a_catalogue_are_refused(config, tmp_path):
    frames = tmp_path / "frames.jsonl"
    frames.write_text('{"type":"snapshot","seq":1,"bids":[],"asks":[]}\n')
    with pytest.raises(BadInput, match=r"has no markets.json"):
        plan_up(Asked(venue=f"recording:{frames}"), config, "s1")


def test_planning_creates_nothing(config, tmp_path):
    plan_up(Asked(), config, "s1")
    assert list(tmp_path.iterdir()) == []


def test_the_origin_of_a_planned_value_is_the_command(config):
    plan = plan_up(Asked(), merge(config, {}, "x"), "s1")
    assert plan.config.origin("venue", "name") == "polybot up"


def test_fused_puts_one_process_in_the_place_of_four_started_as_they_are(config):
    plan = plan_up(Asked(fused=True), config, "s1")
    assert [command.role for command in plan.commands] == ["fake_venue", "scheduler", "fused", "writer"]
    assert plan.commands[2].argv[1:] == ("-m", "processes.fused", "--venue", "fake")


def test_what_lacks_one_of_the_four_cannot_be_fused():
    with pytest.raises(BadInput, match="the Procfile has no strategy, book_builder, gateway"):
        fuse(parse_procfile("writer: python -m w\nexecutor: python -m e", "Procfile"))
    four = "\n".join(f"{role}: python -m mine.{role}" for role in ("executor", "strategy", "book_builder", "gateway"))
    with pytest.raises(BadInput, match=r"gateway is not started with -m processes\.gateway"):
        fuse(parse_procfile(four, "Procfile"))


def test_a_state_directory_in_use_is_refused_by_pid_before_a_port_is_looked_for(config, taken_port, tmp_path):
    state_dir = Path(config.settings.bus.state_dir)
    assert plan_up(Asked(), config, "s1").session_id == "s1"
    assert not state_dir.exists()
    state_dir.mkdir()
    with role_lock(state_dir, "supervisor"), pytest.raises(RoleTaken, match=rf"supervisor \(pid {os.getpid()}\) runs in"):
        plan_up(Asked(port=taken_port), config, "s2")
    assert plan_up(Asked(), config, "s3").session_id == "s3"
    assert not (state_dir / "supervisor.pid").exists()


def test_a_database_that_another_process_writes_to_is_refused_by_pid_but_for_an_orphan_of_this_place(config, tmp_path):
    state_dir, url = Path(config.settings.bus.state_dir), f"sqlite:///{tmp_path / 'x.db'}"
    with open_store(url):
        with pytest.raises(DatabaseBusy, match=rf"x\.db: process {os.getpid()} is writing"):
            plan_up(Asked(db_url=url), config, "s1")
        state_dir.mkdir()
        (state_dir / "writer.pid").write_text(f"{os.getpid()}\n")
        assert plan_up(Asked(db_url=url), config, "s2").session_id == "s2"


def test_signed_orders_for_a_venue_beyond_this_machine_are_refused_before_anything_is_started(config):
    signing = config.with_values({"execution": {"relayer": "clob"}}, "test")
    assert plan_up(Asked(), signing, "s1").config.settings.execution.relayer == "clob"
    with pytest.raises(BadInput, match="only to a venue on this machine"):
        plan_up(Asked(venue="polymarket"), signing, "s2")
    wrong = signing.with_values({"secrets": {"private_key": "0x12"}}, "test")
    with pytest.raises(BadInput, match="private_key"):
        plan_up(Asked(), wrong, "s3")


def test_a_database_of_somebody_else_or_of_another_venue_is_refused_untouched(config, tmp_path):
    foreign, real = tmp_path / "foreign.db", tmp_path / "real.db"
    with sqlite3.connect(foreign) as raw:
        raw.execute("CREATE TABLE theirs (a)")
    raw.close()
    open_store(f"sqlite:///{real}", venue="polymarket").close()
    for path, said in ((foreign, "is not Polybot's"), (real, "holds data of venue polymarket")):
        before = path.read_bytes()
        with pytest.raises(BadInput, match=rf"{path.name}.*{said}"):
            plan_up(Asked(db_url=f"sqlite:///{path}"), config, "s1")
        assert path.read_bytes() == before
        assert sorted(found.name for found in tmp_path.glob(f"{path.name}-*")) == []
    assert plan_up(Asked(venue="polymarket", db_url=f"sqlite:///{real}"), config, "s2").session_id == "s2"


def test_a_file_is_no_state_directory_and_nothing_below_it_is(config, tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "var"):
        with pytest.raises(BadInput, match=r"cannot be used as a state directory: .*file is a file; give another --state-dir"):
            plan_up(Asked(state_dir=place), config, "s1")
