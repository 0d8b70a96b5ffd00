"""`polybot keys create`: a pair of keys that the settings take, never over one that is there, and the secret one is not shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from pipeline.base.settings import BusSection
from pipeline.bus.curve import SECRET, read_keys
from pipeline.bus.transport import choose_transport

Cli = Callable[..., Result]


def test_it_makes_keys_that_the_bus_takes(cli: Cli, tmp_path: Path) -> None:
    done = cli("keys", "create", tmp_path / "keys")
    assert done.exit_code == 0, done.output
    keys = read_keys(tmp_path / "keys")
    assert keys.public.decode() in done.stdout and keys.secret.decode() not in done.output
    bus = BusSection(transport="tcp", tcp_host="10.0.0.1", curve_keys=str(tmp_path / "keys"), state_dir=str(tmp_path))
    assert choose_transport(bus).keys == keys


def test_keys_that_are_there_stay(cli: Cli, told: Callable[..., str], tmp_path: Path) -> None:
    cli("keys", "create", tmp_path)
    before = (tmp_path / SECRET).read_bytes()
    assert "is there already" in told("keys", "create", tmp_path)
    assert (tmp_path / SECRET).read_bytes() == before


def test_json_names_the_files_and_the_public_key_alone(cli: Cli, tmp_path: Path) -> None:
    told = json.loads(cli("keys", "create", tmp_path, "--json").stdout)
    keys = read_keys(tmp_path)
    assert told == {"folder": str(tmp_path), "public": keys.public.decode(), "files": ["public.key", "secret.key"]}


def test_a_place_that_cannot_be_written_is_told_in_one_line(told: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "cannot be written" in told("keys", "create", tmp_path / "file" / "keys")
