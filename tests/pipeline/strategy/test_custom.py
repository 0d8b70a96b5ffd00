"""Strategies from the settings: made with typed parameters, or refused with one line that says what is wrong."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.config import load_config, write_effective
from pipeline.base.errors import ConfigError
from pipeline.strategy.base import Habits, Targets, View
from pipeline.strategy.custom import custom_strategies, custom_strategy, offered
from pipeline.strategy.quoter import Quoter
from processes.strategy import strategies_of

HERE = "strategies_for_test"


@dataclass(frozen=True, kw_only=True)
class Patient(Quoter):
    """A strategy with parameters of every kind."""

    size: Decimal = Decimal(1)
    count: int = 1
    words: tuple[str, ...] = ()
    bold: bool = False


class Plain:
    """Not a dataclass, and not a Quoter."""

    min_requote_interval_ns = 0
    min_change_ticks = 1
    max_book_age_ns = 1

    def __init__(self, name: str, edge: Decimal = Decimal("0.01")) -> None:
        self.name, self.edge = name, edge

    def refusal(self, view: View) -> str:
        return ""

    def decide(self, view: View) -> Targets:
        return Targets()


class Empty:
    """No strategy at all."""


@pytest.fixture(autouse=True)
def module() -> Iterator[None]:
    sys.modules[HERE] = sys.modules[__name__]
    yield
    del sys.modules[HERE]


def test_parameters_come_in_the_types_that_the_class_declares() -> None:
    table = {"class": f"{HERE}:Patient", "size": Decimal("2.5"), "count": 3, "words": ["a", "b"], "bold": True}
    made = custom_strategy("mine", table | {"max_mid_jump": "0.05", "min_quote_lifetime_ms": 250})
    assert made == Patient(
        name="mine",
        size=Decimal("2.5"),
        count=3,
        words=("a", "b"),
        bold=True,
        max_mid_jump=Decimal("0.05"),
        min_quote_lifetime_ms=250,
    )
    assert Habits.of(made) == Habits(min_quote_lifetime_ns=250_000_000, max_mid_jump_e6=50_000)


def test_any_class_that_does_what_a_strategy_does_will_do() -> None:
    made = custom_strategy("mine", {"class": f"{HERE}:Plain", "edge": "0.03"})
    assert isinstance(made, Plain) and (made.name, made.edge) == ("mine", Decimal("0.03"))
    assert Habits.of(made) == Habits()


@pytest.mark.parametrize(
    ("name", "table", "told"),
    [
        ("mine", {}, '[strategy.custom.mine] class = "mine": no package offers it'),
        ("mine", {"class": "nowhere.at_all:Mine"}, "No module named 'nowhere'"),
        ("mine", {"class": f"{HERE}:Missing"}, "has no attribute 'Missing'"),
        ("mine", {"class": f"{HERE}:HERE"}, "it is no class"),
        ("mine", {"class": f"{HERE}:Empty"}, "Empty: has no name; derive it from pipeline.strategy.quoter.Quoter"),
        (
            "mine",
            {"class": f"{HERE}:Patient", "sise": 1},
            "[strategy.custom.mine] sise: Patient has no such parameter; did you mean size?",
        ),
        ("mine", {"class": f"{HERE}:Patient", "count": "x"}, "[strategy.custom.mine] count = x: "),
        ("mine", {"class": f"{HERE}:Patient", "name": "other"}, "Patient has no such parameter"),
        ("dutch_book", {"class": f"{HERE}:Patient"}, "[strategy.custom.dutch_book]: a name has small letters"),
        ("My Own", {"class": f"{HERE}:Patient"}, "a name has small letters"),
    ],
)
def test_what_cannot_be_made_is_one_line(name: str, table: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        custom_strategies({name: table})
    assert told in str(refused.value) and "\n" not in str(refused.value)


def test_an_installed_package_offers_strategies_by_name(tmp_path: Path, clean_path: None) -> None:
    (tmp_path / "offering.py").write_text("from strategies_for_test import Patient\n")
    info = tmp_path / "offering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[polybot.strategies]\npatient = offering:Patient\n")
    sys.path.insert(0, str(tmp_path))
    assert offered()["patient"] == "offering:Patient"
    assert custom_strategy("patient", {"count": 7}) == Patient(name="patient", count=7)
    assert custom_strategy("mine", {"class": "patient"}).name == "mine"


@pytest.fixture
def clean_path() -> Iterator[None]:
    """What a test puts on the path is taken off again."""
    before = list(sys.path)
    yield
    sys.path[:] = before


def test_the_settings_name_them_and_child_processes_make_the_same(tmp_path: Path) -> None:
    (tmp_path / "default.toml").write_text("[strategy]\nspread_capture = false\ncustom = {}\n")
    (tmp_path / "local.toml").write_text(f'[strategy.custom.mine]\nclass = "{HERE}:Patient"\nsize = 1.25\ncount = 2\n')
    config = load_config(tmp_path)
    (made,) = strategies_of(config.settings)
    assert made == Patient(name="mine", size=Decimal("1.25"), count=2)
    write_effective(config, tmp_path / "run" / "effective.json")
    assert json.loads((tmp_path / "run" / "effective.json").read_text())["strategy"]["custom"]["mine"]["size"] == "1.25"
    assert strategies_of(load_config(tmp_path / "run" / "effective.json").settings) == [made]
