"""The tutorial for a strategy of one's own: its files and commands, as they stand there, in an empty folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_FILE = re.compile(r"```\w+ file=(\S+)\n(.*?)```", re.DOTALL)
_COMMANDS = re.compile(r"```sh\n(.*?)```", re.DOTALL)


def repository() -> Path:
    return Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tutorial's files and the recording, and nothing else: the other settings are those of the program."""
    place = tmp_path_factory.mktemp("tutorial")
    text = (repository() / "docs/write-a-strategy.md").read_text(encoding="utf-8")
    (place / "config").mkdir()
    (place / "recordings").mkdir()
    shutil.copy(repository() / "recordings/sample.jsonl", place / "recordings")
    for name, body in _FILE.findall(text):
        (place / name).write_text(body, encoding="utf-8")
    return place


def polybot(folder: Path, *arguments: str) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "POLYBOT_CONFIG"}
    command = [sys.executable, "-m", "polybot.cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_command_of_the_tutorial_runs_and_the_strategy_trades(folder: Path) -> None:
    text = (folder / "my_strategy.py").read_text(encoding="utf-8")
    assert "class Mine(Quoter)" in text
    document = (repository() / "docs/write-a-strategy.md").read_text(encoding="utf-8")
    commands = [line.split() for block in _COMMANDS.findall(document) for line in block.splitlines()]
    assert len(commands) == 4
    told = [polybot(folder, *command[1:]) for command in commands]
    assert re.fullmatch(r"200 messages: [1-9]\d* orders, .* simulated \(mode replay\)\n", told[0])
    assert "s" in told[1] and "mine" in told[2]
    audits = json.loads(polybot(folder, "audit", "list", "--json", "--strategy", "mine", "--db-url", "sqlite:///./mine.db"))
    assert any(audit["reason"].startswith("around the mid 0.4") for audit in audits)
    assert {intent["size"] for audit in audits for intent in audit["intents"] if intent["action"] == "place"} == {"20"}


def test_it_can_be_found_when_polybot_is_started_by_its_own_name(folder: Path) -> None:
    script = Path(sys.executable).with_name("polybot")
    if not script.exists():
        pytest.skip("polybot is not installed as a command here")
    command = [str(script), "quoter-run-replay", "recordings/sample.jsonl", "mkt-1", "yes", "--strategy", "mine", "--json"]
    done = subprocess.run(
        [*command, "--db-url", "sqlite:///./again.db"], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["strategy"] == "mine"
