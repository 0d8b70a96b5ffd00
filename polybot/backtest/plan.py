"""The grid of a backtest: every recording with every set of parameters and every fill model, as settings for one run each."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import metadata
from pathlib import Path
from typing import Any, cast

import msgspec

from pipeline.base.code import code_version
from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.settings import Settings, shown
from pipeline.strategy.base import Strategy
from pipeline.strategy.dutch_rules import DutchRules
from pipeline.trading.paper.queue import FILL_MODELS, FillModel
from polybot.backtest.source import Input
from processes.strategy import dutch_book_of, strategies_of

MOST_RUNS = 10_000
SECTIONS_OF_STRATEGIES = ("spread_capture", "dutch_book")
Choice = tuple[str, tuple[str, ...]]
"""A parameter and the values to try."""


@dataclass(frozen=True)
class RunPlan:
    """One run: what is played, with which settings. ``from_ns`` and ``to_ns`` bound the time traded in; 0 is the recording's own."""

    number: int
    given: Input
    settings: Settings
    strategy: str
    parameters: tuple[tuple[str, str], ...]
    fill_model: FillModel
    seed: int
    code: str
    from_ns: int = 0
    to_ns: int = 0

    @property
    def title(self) -> str:
        """The run in a few words."""
        words = [Path(self.given.source).name, *(f"{name}={value}" for name, value in self.parameters), self.fill_model]
        return " ".join(words)


def make_plans(
    inputs: Sequence[Input],
    config: Config,
    strategy: str,
    choices: Sequence[Choice],
    models: Sequence[FillModel],
    *,
    seed: int = 1,
    from_ns: int = 0,
    to_ns: int = 0,
) -> list[RunPlan]:
    """Every combination, recordings first, then parameters in the order given, then fill models. Raises BadInput."""
    count = max(1, len(inputs)) * len(models)
    for _, values in choices:
        count *= len(values)
    if count > MOST_RUNS:
        raise BadInput(f"the grid has {count:,} runs, at most {MOST_RUNS:,} are made; give fewer values or recordings")
    if to_ns and to_ns <= from_ns:
        raise BadInput("--to is not after --from; give a later moment")
    section, table = _place(config.settings, strategy)
    code = program_version()
    plans: list[RunPlan] = []
    combinations = [
        tuple(zip((name for name, _ in choices), values, strict=True)) for values in itertools.product(*(v for _, v in choices))
    ]
    settings_of = {
        (parameters, model): _settings(
            config, strategy, section, table, (*parameters, ("paper.fill_model", model), ("paper.seed", str(seed)))
        )
        for parameters in combinations
        for model in models
    }
    for given in inputs:
        for (parameters, model), settings in settings_of.items():
            plans.append(RunPlan(len(plans) + 1, given, settings, strategy, parameters, model, seed, code, from_ns, to_ns))
    return plans


def parse_choice(text: str) -> Choice:
    """``edge=0.01,0.02`` as a command's option writes it. Raises BadInput."""
    name, equals, values = text.partition("=")
    found = tuple(part.strip() for part in values.split(","))
    if not equals or not name.strip() or not all(found):
        raise BadInput(f"--param {text}: expected NAME=VALUE or NAME=VALUE,VALUE, e.g. edge=0.01,0.02")
    if len(set(found)) != len(found):
        raise BadInput(f"--param {text}: a value stands there twice")
    return name.strip(), found


def parse_models(text: str) -> tuple[FillModel, ...]:
    """``pessimistic,optimistic``; ``all`` is every model. Raises BadInput."""
    if text == "all":
        return FILL_MODELS
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
    for word in found:
        if word not in FILL_MODELS:
            close = difflib.get_close_matches(word, FILL_MODELS, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(FILL_MODELS)}"
            raise BadInput(f"--fill-model {word or '(empty)'}: no such model; {hint}")
    return cast("tuple[FillModel, ...]", found)


def strategy_of(settings: Settings, name: str) -> tuple[list[Strategy], DutchRules | None]:
    """What trades: one quoting strategy, or the Dutch Book desk. Raises BadInput for a strategy that is not there."""
    if name == "dutch_book":
        return [], dutch_book_of(settings)
    return [each for each in strategies_of(settings) if each.name == name], None


def config_version(settings: Settings) -> str:
    """A short hash of the settings that a run is made with; where its files are, and secrets, are no part of it."""
    apart = {name: getattr(settings, name) for name in _TOLD}
    return hashlib.sha256(msgspec.json.encode(apart, order="sorted")).hexdigest()[:12]


def shown_settings(settings: Settings, strategy: str) -> dict[str, dict[str, str]]:
    """The settings that a result depends on, as TOML writes them."""
    wanted = [
        name for name in (strategy, "paper", "risk", "confidence", "execution", "book") if name in Settings.__struct_fields__
    ]
    told = {
        name: {key: shown(getattr(getattr(settings, name), key)) for key in getattr(settings, name).__struct_fields__}
        for name in wanted
    }
    custom = settings.strategy.custom.get(strategy)
    return (
        told if custom is None else {f"strategy.custom.{strategy}": {key: shown(value) for key, value in custom.items()}} | told
    )


def program_version() -> str:
    """The version of the program with a short hash of its source, so that two checkouts are told apart."""
    try:
        version = metadata.version("polybot")
    except metadata.PackageNotFoundError:
        version = "unpacked"
    return f"{version}+{code_version('polybot')[:12]}"


_TOLD = (
    "strategy",
    "thresholds",
    "spread_capture",
    "dutch_book",
    "execution",
    "paper",
    "risk",
    "rate_limits",
    "book",
    "confidence",
    "ingestion",
)


def _place(settings: Settings, strategy: str) -> tuple[str, dict[str, Any] | None]:
    """The section in which a strategy's parameters stand, and its table if it is one of your own. Raises BadInput."""
    if strategy in SECTIONS_OF_STRATEGIES:
        return strategy, None
    custom = settings.strategy.custom.get(strategy)
    if custom is None:
        known = (*SECTIONS_OF_STRATEGIES, *settings.strategy.custom)
        close = difflib.get_close_matches(strategy, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
        raise BadInput(f"--strategy {strategy}: no such strategy; {hint}")
    return "strategy", dict(custom)


def _settings(
    config: Config, strategy: str, section: str, custom: dict[str, Any] | None, parameters: Sequence[tuple[str, str]]
) -> Settings:
    """The configuration with these parameters laid over it, and with this strategy alone on the paper relayer. Raises BadInput."""
    values: dict[str, dict[str, Any]] = {"execution": {"relayer": "paper"}, "strategy": {}}
    for name, text in parameters:
        place, dot, key = name.rpartition(".")
        if custom is not None and not dot:
            custom[key] = _value(text)
        else:
            values.setdefault(place if dot else section, {})[key] = _value(text)
    table = config.settings.strategy.custom
    values["strategy"] |= {
        "dutch_book": strategy == "dutch_book",
        "spread_capture": strategy == "spread_capture",
        "custom": table if custom is None else {strategy: custom},
    }
    if custom is None:
        values["strategy"]["custom"] = {}
    settings = config.with_values(values, "--param").settings
    if not any((*strategy_of(settings, strategy)[0], strategy_of(settings, strategy)[1])):
        raise BadInput(f"--strategy {strategy}: cannot be made from these settings")
    _sensible(settings)
    return settings


def _sensible(settings: Settings) -> None:
    """A size or a cap below nothing makes no run."""
    for name in ("size", "max_inventory", "max_exposure_usdc"):
        if getattr(settings.spread_capture, name) < 0:
            raise BadInput(f"--param {name}={getattr(settings.spread_capture, name)}: must not be negative")


def _value(text: str) -> Any:
    """A value as TOML reads it; what is none is a text."""
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return text
