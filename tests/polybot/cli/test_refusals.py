"""What a command cannot use is one line on standard error and exit code 2, whoever finds it: the parser of options or the command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from polybot.cli import main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("nonsense", "No such command 'nonsense'; `polybot --help` explains it"),
        ("--log-level loud pnl", "'loud' is not one of 'debug', 'info', 'warning', 'error'; `polybot --help` explains it"),
        ("up --for 0", "Invalid value for '--for': 0.0 is not in the range x>0; `polybot up --help` explains it"),
        ("up --port 99999", "99999 is not in the range 1<=x<=65535; `polybot up --help` explains it"),
        ("audit show", "Missing argument 'PLAN_ID'; `polybot audit show --help` explains it"),
        ("audit shwo", "No such command 'shwo'"),
        ("opportunities --limit 0", "Invalid value for '--limit'"),
        ("pnl --mode real", "'real' is not one of 'fake', 'paper', 'replay', "),
        ("positions --mode real", "'real' is not one of 'fake', 'paper', 'replay', "),
        ("dutch-run-replay {file}/x mkt-1", "no such file or folder"),
        ("dutch-run-replay {sample} mkt-1 --safety-margin-usdc -1", "expected a number of dollars from 0 on"),
        ("quoter-run-replay {sample}", "Missing argument 'MARKET_ID'"),
        ("halt --state-dir {file}", "cannot be used as a state directory: File exists; give another --state-dir"),
        ("resume --state-dir {file}", "cannot be used as a state directory"),
    ],
)
def test_it_is_one_line_that_says_where_help_is(words: str, said: str, tmp_path: Path, repository: Path) -> None:
    file = tmp_path / "file"
    file.write_text("taken")
    named = words.format(file=file, sample=repository / "recordings" / "sample.jsonl").split()
    result = CliRunner().invoke(main, named)
    assert result.exit_code == 2, result.output
    assert (result.stdout, len(result.stderr.splitlines())) == ("", 1)
    assert result.stderr.startswith("polybot: ")
    assert said in result.stderr


@pytest.mark.parametrize("words", [[], ["audit"]])
def test_a_group_alone_still_shows_its_commands(words: list[str]) -> None:
    result = CliRunner().invoke(main, words)
    assert "Commands:" in result.output or "Run the pipeline:" in result.output
    assert "Usage: " in result.output
