"""A short recording of the fake venue, and runs over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.config import Config
from pipeline.base.settings import FakeVenueSection, Settings
from polybot.backtest.plan import RunPlan, make_plans
from polybot.backtest.result import RunResult
from polybot.backtest.run import backtest
from polybot.backtest.source import look
from processes.fake_venue import write_recording


@pytest.fixture(scope="session")
def config() -> Config:
    return Config(Settings())


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty seconds of the fake venue."""
    folder = tmp_path_factory.mktemp("backtest") / "recording"
    write_recording(FakeVenueSection(seed=3, rate_per_s=40, binary_markets=2, event_markets=2, decoys=False), folder, 20)
    return folder


@pytest.fixture(scope="session")
def plans(recording: Path, config: Config) -> list[RunPlan]:
    """Two parameters with two fill models."""
    return make_plans([look(str(recording))], config, "spread_capture", [("size", ("10", "20"))], ("pessimistic", "optimistic"))


@pytest.fixture(scope="session")
def result(plans: list[RunPlan]) -> RunResult:
    """The first of them."""
    return backtest(plans[0])


@pytest.fixture(scope="session")
def other(plans: list[RunPlan]) -> RunResult:
    """The run with the other parameter."""
    return backtest(plans[2])
