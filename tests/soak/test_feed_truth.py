"""The feed on trial, with faults of every kind at random: what is said to be proved is true, and what is wrong is found in time."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from benchmarks import feed_truth
from benchmarks.feed_trial import HARMLESS, FeedTrial, TrialPlan
from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.base.units import NS_PER_S
from pipeline.fake_venue.scenarios import FAULTS
from pipeline.messages.control import Committed
from processes import executor, strategy

SLACK_S = 3
"""What a spot check needs beyond its turn: its answer, and the time that the feed has to catch up with it."""


def holds(trial: FeedTrial, spot_check_s: int) -> None:
    """What must be so at the end of any trial."""
    assert trial.wrong == []
    assert trial.false_alarms == []
    assert trial.unexplained == []
    assert trial.bad_orders == []
    assert [incident for incident in trial.incidents if incident.fault in HARMLESS and incident.alarm] == []
    longest_s = max(incident.exposed_ns for incident in trial.incidents) / NS_PER_S
    assert longest_s <= spot_check_s + SLACK_S


def test_without_a_fault_every_batch_is_proved_and_nothing_is_ever_doubted() -> None:
    trial = FeedTrial(TrialPlan(seed=3, rate_per_s=600, binary_markets=6, event_markets=3, quiet_markets=1))
    trial.run_to(20 * NS_PER_S)
    assert (trial.wrong, trial.false_alarms, trial.unexplained) == ([], [], [])
    assert {state for state, _ in trial.alarms} <= {"VERIFIED", "QUIET"}
    counts = trial.builder.counts()
    assert "hash_misses" not in counts and "undecided" not in counts
    assert trial.checked > 15_000


@pytest.mark.parametrize("seed", [1, 2])
def test_every_fault_at_random_beside_strategies_that_trade(seed: int, tmp_path: Any) -> None:
    values: dict[str, dict[str, Any]] = {"ingestion": {"spot_check_s": 6}, "bus": {"state_dir": str(tmp_path)}}
    config = Config(Settings()).with_values(values, "test")
    traders = [strategy.build(config, "trial"), executor.build(config)]
    plan = TrialPlan(seed=seed, rate_per_s=300, binary_markets=6, event_markets=3, quiet_markets=1, settings=values)
    trial = FeedTrial(plan, traders)
    trial.lockstep.inject("writer", Committed(ts_ns=trial.now_ns, producer="executor", seq=0))
    feed_truth.run(trial, 30, Random(seed), at_least=1)
    holds(trial, spot_check_s=6)
    assert {started.name for started in trial.started} == set(FAULTS)
    assert trial.orders > 20


@pytest.mark.soak
@pytest.mark.timeout(3_600)
def test_ten_minutes_at_ten_times_real_rates() -> None:
    trial = FeedTrial(TrialPlan(seed=1))
    feed_truth.run(trial, 600, Random(1))
    print(feed_truth.summary(trial, 600, 0))
    print(feed_truth.table(feed_truth.rows_of(trial)))
    holds(trial, spot_check_s=30)
    assert not [incident for incident in trial.incidents if not incident.healed_ns]
