"""The command line as a table of contents: every command has help with an example, and nothing is imported early."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from pipeline.base.errors import BadInput, CommandStalled, PolybotError
from polybot.cli import Contents, main
from polybot.cli.contents import COMMANDS, HEADINGS, LOOK, Row

PRESENT = [row for row in COMMANDS if importlib.util.find_spec(f"polybot.cli.{row.module}")]


def with_subcommands(row: Row) -> list[list[str]]:
    command = importlib.import_module(f"polybot.cli.{row.module}").command
    below = sorted(command.commands) if isinstance(command, click.Group) else []
    return [[row.name], *([row.name, name] for name in below)]


def test_help_lists_every_command_under_its_heading():
    shown = CliRunner().invoke(main, ["--help"])
    assert shown.exit_code == 0
    places = [shown.output.index(f"{heading}:") for heading in HEADINGS]
    assert places == sorted(places)
    for row in COMMANDS:
        assert f"\n  {row.name} " in shown.output
        assert row.help in shown.output


def test_every_command_has_a_heading_that_is_shown():
    assert {row.heading for row in COMMANDS} == set(HEADINGS)
    assert len({row.name for row in COMMANDS}) == len(COMMANDS)


@pytest.mark.parametrize("row", PRESENT, ids=lambda row: row.name)
def test_every_command_has_help_with_an_example(row):
    for words in with_subcommands(row):
        shown = CliRunner().invoke(main, [*words, "--help"], prog_name="polybot")
        assert shown.exit_code == 0, shown.output
        assert "Example" in shown.output, f"{' '.join(words)} --help shows no example"


def test_help_of_the_whole_imports_no_command_and_no_slow_library():
    slow = (
        "[m for m in ('sqlalchemy', 'httpx', 'websockets', 'starlette', 'uvicorn', 'zmq', 'rich', 'alembic') if m in sys.modules]"
    )
    code = f"import sys; from polybot.cli import main; main(['--help'], standalone_mode=False); print({slow}, file=sys.stderr)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stderr.strip() == "[]"


def test_the_module_is_the_same_program():
    run = subprocess.run(
        [sys.executable, "-m", "polybot.cli", "--version"], capture_output=True, text=True, timeout=30, check=True
    )
    assert run.stdout.startswith("polybot ")


def test_an_unknown_command_is_refused():
    shown = CliRunner().invoke(main, ["stauts"])
    assert shown.exit_code == 2
    assert "No such command 'stauts'" in shown.output


@pytest.mark.parametrize("error", [BadInput("replay: no such file x"), CommandStalled("full"), PolybotError("no")])
def test_an_error_is_one_line_and_its_exit_code(error):
    class Failing(Contents):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            @click.command()
            def command() -> None:
                raise error

            return command

    shown = CliRunner().invoke(Failing((Row("fail", "fail", LOOK, "Fail."),), name="polybot"), ["fail"])
    assert shown.exit_code == error.exit_code
    assert shown.stderr == f"polybot: {error}\n"
    assert shown.stdout == ""


def test_letters_that_a_pipe_cannot_hold_do_not_end_a_command(tmp_path):
    (tmp_path / "default.toml").write_text('[universe]\nevents = ["curaçao-…"]\n', encoding="utf-8")
    words = [sys.executable, "-m", "polybot.cli", "config", "show", "universe", "--config", str(tmp_path)]
    run = subprocess.run(words, capture_output=True, timeout=30, check=True, env={**os.environ, "PYTHONIOENCODING": "latin-1"})
    assert b"cura\xe7ao-?" in run.stdout
