"""A compiled build says what the sources say: the same backtest, the same figure over its sources, and a session is the same in both."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1_800)]

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT / "recordings" / "fake-venue-10min"
SOURCES = [sys.executable, "-m", "polybot.cli"]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with a compiled Polybot in it."""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    for tool in ("uv", compiler):
        if shutil.which(tool) is None:
            pytest.skip(f"a compiled build needs {tool}")
    place = tmp_path_factory.mktemp("compiled")
    env = {**os.environ, "HATCH_BUILD_HOOKS_ENABLE": "1"}
    subprocess.run(["uv", "build", "-q", "--wheel", "-o", str(place / "dist"), str(ROOT)], check=True, env=env)
    (wheel,) = (place / "dist").glob("*.whl")
    subprocess.run(["uv", "venv", "-q", "--python", sys.executable, str(place / "venv")], check=True)
    python = place / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    subprocess.run(["uv", "pip", "install", "-q", "--python", str(python), str(wheel)], check=True)
    return python


def told(command: list[str], folder: Path) -> str:
    return subprocess.run(command, check=True, cwd=folder, stdout=subprocess.PIPE, text=True).stdout


def test_a_compiled_backtest_has_the_hash_of_the_sources(compiled: Path, tmp_path: Path) -> None:
    command = ["backtest", str(RECORDING), "--fill-model", "all", "--json"]
    theirs = json.loads(told([str(compiled), "-m", "polybot.cli", *command], tmp_path))
    ours = json.loads(told([*SOURCES, *command], ROOT))
    assert [run["run_hash"] for run in theirs] == [run["run_hash"] for run in ours]


def test_a_session_of_the_sources_is_identical_when_the_compiled_build_is_asked_again(compiled: Path, tmp_path: Path) -> None:
    asked = "from pipeline.base.code import code_version, is_compiled; print(is_compiled(), code_version())"
    theirs, ours = told([str(compiled), "-c", asked], tmp_path).split(), told([sys.executable, "-c", asked], ROOT).split()
    assert theirs == ["True", ours[1]] and ours[0] == "False"
    config = tmp_path / "config"
    config.mkdir()
    (config / "default.toml").write_text((ROOT / "config" / "default.toml").read_text(encoding="utf-8"), encoding="utf-8")
    (config / "local.toml").write_text("[bus]\nlog_inputs = true\n", encoding="utf-8")
    folder = ["--config", str(config)]
    told([*SOURCES, "up", "--for", "10", *folder], tmp_path)
    verified = told([str(compiled), "-m", "polybot.cli", "replay", "--verify", "last", *folder], tmp_path)
    assert re.search(r"inputs, \d+ decisions, identical", verified)
