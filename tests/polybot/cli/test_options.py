"""Shared options: the database is the one given, or the one of the configuration."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from polybot.cli.options import config_option, db_url_option, json_option, stored_db_url_option
from processes.health_file import Health, write_health
from processes.runs import run_folder


@click.command()
@json_option
@config_option
@db_url_option
def command(as_json: bool, config_path: object, db_url: str) -> None:
    """Print what was passed."""
    click.echo(f"{as_json} {db_url}")


@pytest.fixture
def config(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('[db]\nurl = "sqlite:///own.db"\n')
    return str(file)


def run(*words: str) -> str:
    return CliRunner().invoke(command, list(words)).output.strip()


def test_the_database_of_the_configuration_is_the_default_in_any_order_of_options(config):
    assert run("--config", config) == "False sqlite:///own.db"
    assert run("--json", "--config", config) == "True sqlite:///own.db"


def test_a_given_database_wins(config):
    assert run("--db-url", "sqlite:///x.db", "--config", config) == "False sqlite:///x.db"


@click.command()
@click.option("--state-dir", type=click.Path(path_type=Path), is_eager=True)
@config_option
@stored_db_url_option
def reading(state_dir: Path | None, config_path: object, db_url: str) -> None:
    """Print what was passed."""
    click.echo(db_url)


def session(state_dir: Path, db_url: str) -> None:
    """What the supervisor of a session leaves."""
    state_dir.mkdir(exist_ok=True)
    write_health(state_dir, Health("20260101-000000-1", 1, 1, "stopped", db_url=db_url))


def read(*words: str) -> tuple[str, str]:
    result = CliRunner().invoke(reading, list(words))
    return result.stdout.strip(), result.stderr.strip()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A current folder with a configuration."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "default.toml").write_text('[db]\nurl = "sqlite:///./polybot.db"\n')
    with contextlib.chdir(tmp_path):
        yield tmp_path


def test_a_reader_that_is_told_nothing_finds_the_database_of_the_last_session_and_says_so(place: Path) -> None:
    assert read() == ("sqlite:///./polybot.db", "")
    (place / "fake.db").touch()
    session(place / "var", f"sqlite:///{place}/fake.db")
    assert read() == (f"sqlite:///{place}/fake.db", f"the database of the last session: --db-url sqlite:///{place}/fake.db")
    assert read("--db-url", "sqlite:///x.db") == ("sqlite:///x.db", "")
    (place / "polybot.db").touch()
    assert read() == ("sqlite:///./polybot.db", "")


def test_a_state_directory_names_its_session_and_a_database_that_is_gone_is_not_named(place: Path) -> None:
    (place / "polybot.db").touch()
    session(place / "other", f"sqlite:///{place}/other.db")
    assert read("--state-dir", "other") == ("sqlite:///./polybot.db", "")
    (place / "other.db").touch()
    assert read("--state-dir", "other") == (f"sqlite:///{place}/other.db", "")


def test_a_configured_database_is_meant_though_it_is_not_there(place: Path) -> None:
    (place / "fake.db").touch()
    session(place / "var", f"sqlite:///{place}/fake.db")
    (place / "config" / "local.toml").write_text('[db]\nurl = "sqlite:///./mine.db"\n')
    assert read() == ("sqlite:///./mine.db", "")


def test_without_a_readable_word_of_the_supervisor_the_newest_run_is_asked(place: Path) -> None:
    (place / "fake.db").touch()
    session(place / "var", "")
    for name, url in (("20260101-000000-1", "sqlite:///old.db"), ("20260102-000000-1", f"sqlite:///{place}/fake.db")):
        folder = run_folder(place / "var", name)
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(f'{{"db": {{"url": "{url}"}}}}')
    (place / "var" / "health.json").write_text("nonsense")
    assert read()[0] == f"sqlite:///{place}/fake.db"
