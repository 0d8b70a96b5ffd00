"""Shared options: the database is the one given, or the one of the configuration."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from polybot.cli.options import config_option, db_url_option, json_option


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
