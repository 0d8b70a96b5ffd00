"""``polybot config show``: merged values, the origin of each, and secrets that stay secret."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from pipeline.base.settings import Settings
from polybot.cli import main


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "default.toml").write_text("[universe]\nmax_tokens = 100\n[thresholds]\nmin_profit_usdc = 0.05\n")
    (tmp_path / "local.toml").write_text('[universe]\nevents = ["one"]\n')
    (tmp_path / "secrets.local.toml").write_text('[secrets]\nprivate_key = "0xdeadbeef"\n')
    return tmp_path


def show(*words: object):
    return CliRunner().invoke(main, ["config", "show", *map(str, words)])


def test_each_value_is_shown_with_the_file_it_comes_from(folder):
    lines = show("--config", folder).output.splitlines()
    assert any(line.split() == ["[universe]", "max_tokens", "100", str(folder / "default.toml")] for line in lines)
    assert any(line.split() == ["[universe]", "events", '["one"]', str(folder / "local.toml")] for line in lines)
    assert any(line.split() == ["[risk]", "max_open_orders", "200", "built", "in"] for line in lines)


def test_every_setting_is_shown(folder):
    settings = Settings()
    values = json.loads(show("--config", folder, "--json").output)
    assert {name: set(table) for name, table in values.items()} == {
        name: set(getattr(settings, name).__struct_fields__) for name in settings.__struct_fields__
    }


def test_secrets_are_never_printed(folder):
    for words in ((), ("--json",)):
        printed = show("--config", folder, *words).output
        assert "deadbeef" not in printed
        assert "(set, not shown)" in printed


def test_json_has_values_and_origins(folder):
    values = json.loads(show("thresholds", "--config", folder, "--json").output)
    assert values == {"thresholds": {"min_profit_usdc": {"value": "0.05", "origin": str(folder / "default.toml")}}}


def test_one_section_can_be_shown_and_an_unknown_one_is_refused(folder):
    assert {line.split()[0] for line in show("universe", "--config", folder).output.splitlines()[1:]} == {"[universe]"}
    refused = show("univers", "--config", folder)
    assert refused.exit_code == 2
    assert "[univers]: no such section" in refused.output


def test_a_typo_in_a_file_is_one_line_and_exit_code_2(folder):
    (folder / "local.toml").write_text("[universe]\nmax_token = 1\n")
    refused = show("--config", folder)
    assert refused.exit_code == 2
    assert refused.stderr == f"polybot: {folder / 'local.toml'}: [universe] max_token: no such key; did you mean max_tokens?\n"
