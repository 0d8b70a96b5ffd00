"""What the documents say is true: commands and options exist, examples run, links lead somewhere, nothing is left out."""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import polybot
from polybot.cli import main
from polybot.cli.contents import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "recordings").rglob("*.md")]
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)\)")
PROGRAM = re.compile(r"(?:uv run )?(?:python -m polybot\.cli|polybot)\s+(?P<words>.+)")
MODULE = re.compile(r"python -m (?P<module>(?:processes|polybot|benchmarks)[\w.]*)(?P<words>.*)")
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def code_of(document: Path) -> Iterator[str]:
    """Every line of a code block without a language, and every quoted piece of a sentence or a table."""
    text = document.read_text(encoding="utf-8")
    for language, block in FENCE.findall(text):
        if language in ("", "sh", "console", "bash", "powershell"):
            yield from (part.strip() for line in block.splitlines() for part in line.split("&&"))
    yield from QUOTED.findall(FENCE.sub("", text))


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words name, and the words behind its name."""
    command: click.Command = main
    context = click.Context(main)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *rest = words
        below = command.get_command(context, name)
        if below is None and command is not main:
            break
        assert below is not None, f"there is no command polybot {name}"
        command, words = below, rest
        context = click.Context(command, parent=context, info_name=name)
    return command, words


def unknown_options(command: click.Command, words: list[str]) -> list[str]:
    known = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
    return [word for word in words if word.startswith("-") and word.split("=")[0] not in known and not word[1:2].isdigit()]


@each_document
def test_commands_and_options_that_are_named_exist(document: Path) -> None:
    for code in code_of(document):
        match = PROGRAM.fullmatch(code)
        if match is None:
            continue
        command, rest = command_of(shlex.split(match["words"].partition(" > ")[0]))
        assert not unknown_options(command, rest), f"{document.name}: {code}: no such option of polybot {command.name}"


@each_document
def test_modules_that_are_named_can_be_run(document: Path) -> None:
    for code in code_of(document):
        match = MODULE.fullmatch(code.removeprefix("uv run "))
        if match is not None:
            assert importlib.util.find_spec(match["module"]) is not None, f"{document.name}: {code}"


@pytest.mark.parametrize("row", COMMANDS, ids=lambda row: row.name)
def test_every_command_is_in_the_readme_with_an_example_that_parses(row) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(rf"^\| `{row.name}` \|.*$", readme, re.MULTILINE)
    example = QUOTED.findall(line)[-1]
    command, words = command_of(shlex.split(example)[1:])
    arguments = [param for param in command.params if isinstance(param, click.Argument) and param.required]
    context = command.make_context(example, list(words), resilient_parsing=False)
    assert all(context.params[argument.name or ""] for argument in arguments)


def test_every_section_of_the_configuration_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    sections = tomllib.loads((ROOT / "config" / "default.toml").read_text(encoding="utf-8"))
    assert re.findall(r"^\| `\[(\w+)\]` \|", readme, re.MULTILINE) == list(sections)


def test_every_programmatic_name_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Programmatic use")[2]
    for name in polybot.__all__:
        assert re.search(rf"`{name}\b", table), f"{name} is not told"


def test_every_folder_is_on_the_map() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    told = {name for line in re.findall(r"^\| (`.+?`) \| ", readme, re.MULTILINE) for name in QUOTED.findall(line)}
    rooms = {f"pipeline/{path.name}" for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").is_file()}
    assert rooms <= told, rooms - told
    assert {"processes", "polybot", "config", "recordings", "tests"} <= told


def test_the_examples_of_the_readme_run() -> None:
    blocks = FENCE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    examples = "\n".join(block for language, block in blocks if language == "pycon")
    runner = doctest.DocTestRunner()
    with contextlib.chdir(ROOT):
        runner.run(doctest.DocTestParser().get_doctest(examples, {}, "README.md", "README.md", 0))
    assert runner.tries > 15
    assert runner.failures == 0


@each_document
def test_links_to_files_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(document.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"


@each_document
def test_files_of_the_repository_that_are_named_are_there(document: Path) -> None:
    named = re.compile(r"(?:config|recordings|tests|pipeline|processes|polybot|docs|benchmarks)/[\w./-]*\w")
    ours = {"config/local.toml", "config/secrets.local.toml", "recordings/mine"}
    for code in code_of(document):
        for path in named.findall(code):
            assert path in ours or (ROOT / path).exists(), f"{document.name} names {path}"
