"""The grid: every combination once, in a fixed order, and what cannot be tried is refused in one line."""

from __future__ import annotations

import pytest

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.settings import Settings, StrategySection
from polybot.backtest.plan import config_version, make_plans, parse_choice, parse_models, program_version
from polybot.backtest.source import Input

ONE = Input("one", "recording", "1", ())
TWO = Input("two", "recording", "2", ())


def test_every_combination_is_one_run_recordings_first(config: Config) -> None:
    choices = [("edge", ("0.01", "0.02")), ("paper.latency_ms", ("50", "200"))]
    plans = make_plans([ONE, TWO], config, "spread_capture", choices, parse_models("all"), seed=7)
    assert [plan.number for plan in plans] == list(range(1, 25))
    assert [plan.given.source for plan in plans] == ["one"] * 12 + ["two"] * 12
    assert len({(plan.given.source, plan.parameters, plan.fill_model) for plan in plans}) == 24
    last = plans[-1]
    assert (str(last.settings.spread_capture.edge), last.settings.paper.latency_ms) == ("0.02", 200)
    assert (last.settings.paper.fill_model, last.settings.paper.seed) == ("optimistic", 7)
    assert not last.settings.strategy.dutch_book and last.settings.strategy.spread_capture


@pytest.mark.parametrize(
    ("strategy", "choices", "words"),
    [
        ("spread_capture", [("egde", ("0.01",))], r"\[spread_capture\] egde: no such key; did you mean edge\?"),
        ("spread_capture", [("edge", ("much",))], "edge = 'much'.*expected a decimal number"),
        ("spread_capture", [("paper.latency", ("1",))], "latency: no such key; did you mean latency_ms"),
        ("spread_capture", [("paper.latency_ms", ("-1",))], "outside 0 to 60000"),
        ("spread_capture", [("size", ("-5",))], "size=-5: must not be negative"),
        ("spread_captur", [], "no such strategy; did you mean spread_capture"),
        ("spread_capture", [("edge", tuple(f"0.{n:05d}" for n in range(1, 20_000)))], "at most 10,000"),
    ],
)
def test_what_cannot_be_tried_is_refused(config: Config, strategy, choices, words) -> None:
    with pytest.raises(BadInput, match=words):
        make_plans([ONE], config, strategy, choices, ("pessimistic",))


@pytest.mark.parametrize("text", ["edge", "edge=", "=1", "edge=0.01,,0.02", "edge=0.01,0.01"])
def test_a_parameter_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--param"):
        parse_choice(text)


def test_a_fill_model_that_is_none_is_refused_with_the_nearest() -> None:
    assert parse_models("optimistic,pessimistic") == ("optimistic", "pessimistic")
    with pytest.raises(BadInput, match="did you mean pessimistic"):
        parse_models("pesimistic")


def test_a_strategy_of_your_own_takes_parameters_by_name() -> None:
    table = {"mine": {"class": "pipeline.strategy.spread:SpreadCapture", "edge_e6": 1, "size_e6": 5_000_000} | _REST}
    config = Config(Settings(strategy=StrategySection(custom=table)))
    plans = make_plans([ONE], config, "mine", [("edge_e6", ("10000", "20000"))], ("pessimistic",))
    assert [plan.settings.strategy.custom["mine"]["edge_e6"] for plan in plans] == [10_000, 20_000]


_REST = {"max_inventory_e6": 1, "max_exposure_e6": 1, "lean_e6": 0}


def test_versions_tell_settings_apart_and_never_the_day(config: Config) -> None:
    one, two = make_plans([ONE], config, "spread_capture", [("edge", ("0.01", "0.02"))], ("pessimistic",))
    assert config_version(one.settings) != config_version(two.settings)
    assert config_version(one.settings) == config_version(one.settings)
    assert program_version().startswith("0.1.0+")
