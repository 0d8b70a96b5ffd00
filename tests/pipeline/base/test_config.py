"""Configuration: layers, types, refusals that name the place, and a default.toml that never drifts from the code."""

from __future__ import annotations

import itertools
import json
import os
import stat
import tomllib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from pipeline.base.config import BUILT_IN, Config, find_config, load_config, read_secrets, read_values, write_effective
from pipeline.base.errors import ConfigError
from pipeline.base.settings import Settings, shown

GUIDE = ["polymarket", "db", "ingestion", "strategy", "thresholds"]


def keys() -> list[str]:
    """Every setting as section.key, in the order of the code."""
    settings = Settings()
    return [f"{section}.{key}" for section in settings.__struct_fields__ for key in getattr(settings, section).__struct_fields__]


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def load(folder: Path) -> Config:
    return load_config(folder, environment={})


# --- the shipped files -----------------------------------------------------------------------------------------------


def test_default_toml_names_every_setting_and_no_other(repository):
    values = tomllib.loads((repository / "config/default.toml").read_text(encoding="utf-8"))
    named = [f"{section}.{key}" for section, table in values.items() for key in table]
    assert sorted(named) == sorted(keys())


@pytest.mark.parametrize("key", keys())
def test_default_toml_says_what_the_code_says(repository, key):
    section, name = key.split(".")
    values = read_values(repository / "config/default.toml")
    from_file = Config(Settings()).with_values({section: {name: values[section][name]}}, "default.toml").settings
    assert getattr(getattr(from_file, section), name) == getattr(getattr(Settings(), section), name)


def test_default_toml_begins_with_the_sections_of_the_guide(repository):
    assert list(read_values(repository / "config/default.toml"))[: len(GUIDE)] == GUIDE


def test_every_key_of_default_toml_has_a_comment_above_it(repository):
    lines = (repository / "config/default.toml").read_text(encoding="utf-8").splitlines()
    bare = [line for above, line in itertools.pairwise(lines) if " = " in line and line[0] not in "#[" and above[:2] != "# "]
    assert bare == []


@pytest.mark.parametrize("name", ["local.toml", "secrets.local.toml"])
def test_the_examples_are_valid_and_ignored_by_git(repository, name, tmp_path):
    example = (repository / "config" / f"{name}.example").read_text(encoding="utf-8")
    write(tmp_path, "default.toml", "")
    write(tmp_path, name, example)
    load(tmp_path)
    assert f"config/{name}" in (repository / ".gitignore").read_text().splitlines()


# --- layers ----------------------------------------------------------------------------------------------------------


def test_later_layers_replace_single_keys_and_say_where_they_come_from(tmp_path):
    default = write(tmp_path, "default.toml", '[db]\nurl = "sqlite:///a.db"\nwal = false\n')
    local = write(tmp_path, "local.toml", '[db]\nurl = "sqlite:///b.db"\n')
    secrets = write(tmp_path, "secrets.local.toml", '[secrets]\napi_key = "k"\n')
    config = load(tmp_path)
    assert (config.settings.db.url, config.settings.db.wal) == ("sqlite:///b.db", False)
    assert read_secrets(config.settings.secrets, must_be_private=False).api_key == "k"
    assert config.origin("db", "url") == str(local)
    assert config.origin("db", "wal") == str(default)
    assert config.origin("secrets", "api_key") == str(secrets)
    assert config.origin("risk", "max_open_orders") == BUILT_IN


def test_a_folder_with_ones_own_settings_alone_is_laid_over_the_defaults(tmp_path):
    write(tmp_path, "local.toml", "[risk]\nmax_order_usdc = 5\n")
    config = load(tmp_path)
    assert (config.settings.risk.max_order_usdc, config.settings.risk.max_open_orders) == (5, 200)
    assert config.origin("risk", "max_order_usdc").endswith("local.toml")
    assert config.origin("risk", "max_open_orders") == "built in"


def test_one_file_is_read_alone(tmp_path):
    file = write(tmp_path, "own.toml", "[universe]\nmax_tokens = 4\n")
    write(tmp_path, "local.toml", "[universe]\nmax_tokens = 8\n")
    assert load(file).settings.universe.max_tokens == 4


def test_money_is_exact(tmp_path):
    write(tmp_path, "default.toml", "[thresholds]\nmin_profit_usdc = 0.1\n[spread_capture]\nsize = 7\n")
    settings = load(tmp_path).settings
    assert settings.thresholds.min_profit_usdc == Decimal("0.1")
    assert settings.spread_capture.size == Decimal(7)


def test_the_effective_file_is_private_and_reads_back_the_same(tmp_path):
    config = Config(Settings()).with_values({"universe": {"events": ["a"], "min_volume_24h": Decimal("0.3")}}, "test")
    file = tmp_path / "runs" / "config.json"
    write_effective(config, file)
    assert load(file).settings == config.settings
    assert os.name != "posix" or stat.S_IMODE(file.stat().st_mode) & 0o077 == 0


def test_the_place_is_found_by_option_then_environment(tmp_path):
    assert find_config(tmp_path, {"POLYBOT_CONFIG": "elsewhere"}) == tmp_path
    assert find_config(None, {"POLYBOT_CONFIG": str(tmp_path)}) == tmp_path


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[dbb]\n", "[dbb]: no such section; did you mean db?"),
        ("[db]\nurll = 'x'\n", "[db] urll: no such key; did you mean url?"),
        ("[db]\ncommit_rows = '5'\n", "[db] commit_rows = '5': expected `int`, got `str`; expected a whole number"),
        ("[db]\ncommit_rows = 1.5\n", "[db] commit_rows = 1.5: "),
        ("[db]\nwal = 1\n", "[db] wal = 1: expected `bool`, got `int`; expected true or false"),
        ("[db]\nsynchronous = 'ALWAYS'\n", "[db] synchronous = 'ALWAYS': "),
        ("[thresholds]\nmin_profit_usdc = 'much'\n", "[thresholds] min_profit_usdc = 'much': "),
        ("[universe]\nevents = 'one'\n", "[universe] events = 'one': "),
        ("db = 5\n", "db: expected a section [db], got 5"),
        ("[db\n", "not valid TOML: "),
    ],
)
def test_a_wrong_setting_is_refused_with_file_key_and_type_in_one_line(tmp_path, text, told):
    file = write(tmp_path, "default.toml", text)
    with pytest.raises(ConfigError) as refusal:
        load(tmp_path)
    assert str(refusal.value).startswith(str(file))
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_missing_place_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file or folder"):
        load(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"\$POLYBOT_CONFIG names"):
        load_config(None, {"POLYBOT_CONFIG": str(tmp_path / "none")})
    with pytest.raises(ConfigError, match=r"holds none of default\.toml, local\.toml"):
        load(tmp_path)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "default.toml").write_bytes(b"\xff\xfe[db]")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


def test_values_are_shown_as_toml_writes_them():
    for value in (True, 5, "text", ("a", "b"), (), Decimal("0.02")):
        assert tomllib.loads(f"x = {shown(value)}", parse_float=Decimal)["x"] == (
            list(value) if isinstance(value, tuple) else value
        )


def test_settings_survive_json():
    assert msgspec.json.decode(json.dumps(json.loads(msgspec.json.encode(Settings()))), type=Settings) == Settings()


# --- secrets ---------------------------------------------------------------------------------------------------------

MARKER = "0x" + "5ec7e7" * 10 + "5ec7"


def private(folder: Path, name: str, text: str) -> Path:
    file = write(folder, name, text)
    file.chmod(0o600)
    return file


def test_a_loaded_configuration_names_the_place_of_the_secrets_and_holds_none(tmp_path):
    write(tmp_path, "default.toml", '[secrets]\nprivate_key = ""\n')
    file = private(
        tmp_path, "secrets.local.toml", f'[secrets]\nprivate_key = "{MARKER}"\napi_key = "the-key"\nsignature_type = 2\n'
    )
    config = load(tmp_path)
    assert MARKER not in repr(config) + str(msgspec.json.encode(config.settings))
    assert config.settings.secrets.file == str(file) and config.origin("secrets", "private_key") == str(file)
    found = read_secrets(config.settings.secrets)
    assert (found.private_key, found.api_key, found.signature_type) == (MARKER, "the-key", 2)
    assert MARKER not in repr(found)


def test_the_effective_file_names_the_secrets_and_a_process_that_reads_it_finds_them(tmp_path):
    write(tmp_path, "default.toml", "[db]\nwal = true\n")
    private(tmp_path, "secrets.local.toml", f'[secrets]\nprivate_key = "{MARKER}"\n')
    effective = tmp_path / "runs" / "config.json"
    write_effective(load(tmp_path), effective)
    assert MARKER not in effective.read_text()
    assert read_secrets(load(effective).settings.secrets).private_key == MARKER


def test_secrets_may_stand_in_a_file_elsewhere(tmp_path):
    private(tmp_path, "mine.toml", f'[secrets]\nprivate_key = "{MARKER}"\n')
    write(tmp_path, "default.toml", '[secrets]\nfile = "mine.toml"\n')
    assert read_secrets(load(tmp_path).settings.secrets).private_key == MARKER
    write(tmp_path, "local.toml", '[secrets]\napi_key = "k"\n')
    with pytest.raises(ConfigError, match="leave them empty elsewhere"):
        load(tmp_path)


def test_secrets_in_two_files_are_refused(tmp_path):
    write(tmp_path, "default.toml", '[secrets]\napi_key = "k"\n')
    write(tmp_path, "secrets.local.toml", f'[secrets]\nprivate_key = "{MARKER}"\n')
    with pytest.raises(ConfigError, match="keep them in one file"):
        load(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_secrets_that_others_can_read_are_refused(tmp_path):
    file = write(tmp_path, "default.toml", f'[secrets]\nprivate_key = "{MARKER}"\n')
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_secrets(load(tmp_path).settings.secrets)


@pytest.mark.parametrize(
    "text", [f"[secrets]\nprivate_key = 0x{'12345678' * 2}", f'secrets = "{MARKER}"', f'[secrets]\nsignature_type = "{MARKER}"']
)
def test_a_secret_of_the_wrong_type_is_not_repeated(tmp_path, text):
    write(tmp_path, "default.toml", text)
    with pytest.raises(ConfigError, match="secrets") as told:
        load(tmp_path)
    assert not [word for word in (MARKER, "12345678", str(int("12345678" * 2, 16))) if word in str(told.value)]
