"""Typed configuration from TOML: ``default.toml``, with ``local.toml`` and ``secrets.local.toml`` laid over it.

Secrets are not part of a loaded configuration: it names the file they stand in, and whoever signs reads it (``read_secrets``).

Every key has its type and its default in ``settings.py``, so that any one of the layers is enough; an unknown key or a wrong type is
refused with file, key and expected type.
Found in this order: ``--config``, ``$POLYBOT_CONFIG``, ``./config``, beside the packages, ``polybot/_defaults``.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import ConfigError
from pipeline.base.redaction import HIDDEN, hide
from pipeline.base.settings import SecretsSection, Settings

ENVIRONMENT = "POLYBOT_CONFIG"
LAYERS = ("default.toml", "local.toml", "secrets.local.toml")
BUILT_IN = "built in"
SECRET_SECTION = "secrets"
SECRET_KEYS = ("private_key", "api_key", "api_secret", "api_passphrase")
"""What is never shown of that section."""


@dataclass(frozen=True)
class Config:
    """The settings in force and, for each ``section.key``, the file or option that set it."""

    settings: Settings
    origins: dict[str, str] = field(default_factory=dict)

    def origin(self, section: str, key: str) -> str:
        """Where the value of a key comes from; ``built in`` if no file names it."""
        return self.origins.get(f"{section}.{key}", BUILT_IN)

    def with_values(self, values: Mapping[str, Mapping[str, Any]], origin: str) -> Config:
        """The same settings with some values replaced, as a command's options do. Raises ConfigError."""
        return merge(self, values, origin)


def find_config(given: Path | None = None, environment: Mapping[str, str] | None = None) -> Path:
    """The folder or file of the configuration. Raises ConfigError if none is found."""
    if given is not None:
        if not given.exists():
            raise ConfigError(f"--config {given}: no such file or folder; give a folder with default.toml, or one TOML file")
        return given
    named = (os.environ if environment is None else environment).get(ENVIRONMENT)
    if named:
        if not Path(named).exists():
            raise ConfigError(f"${ENVIRONMENT} names {named}, which does not exist; unset it or give a folder with default.toml")
        return Path(named)
    beside = Path(__file__).resolve().parents[2]
    candidates = (Path("config"), beside / "config", beside / "polybot" / "_defaults" / "config")
    for folder in candidates:
        if any((folder / name).is_file() for name in LAYERS):
            return folder
    raise ConfigError("no config/default.toml was found here or beside the program; give --config FOLDER")


def load_config(given: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """Read the configuration: all layers of a folder, or one file (TOML, or the JSON that ``up`` writes) alone."""
    place = find_config(given, environment)
    config = Config(Settings())
    files = [place / name for name in LAYERS if (place / name).is_file()] if place.is_dir() else [place]
    if not files:
        raise ConfigError(f"{place}: holds none of {', '.join(LAYERS)}")
    for file in files:
        config = merge(config, read_values(file), str(file))
    return _secrets_apart(config)


def _secrets_apart(config: Config) -> Config:
    """The same configuration with the name of the file that its secrets stand in, in place of the secrets."""
    section = config.settings.secrets
    empty = SecretsSection()
    set_ones = [name for name in section.__struct_fields__ if getattr(section, name) != getattr(empty, name)]
    places = {config.origin(SECRET_SECTION, name) for name in set_ones}
    if not set_ones:
        return config
    if section.file:
        place = config.origin(SECRET_SECTION, "file")
        if len(set_ones) > 1:
            raise ConfigError(f"{place}: [secrets] file: the other secrets are read from there; leave them empty elsewhere")
        file = Path(place).parent / section.file
    elif len(places) > 1:
        raise ConfigError(f"[secrets] stand in {' and in '.join(sorted(places))}: keep them in one file")
    else:
        (place,) = places
        file = Path(place)
    apart = SecretsSection(file=str(file.resolve()))
    return Config(msgspec.structs.replace(config.settings, secrets=apart), config.origins)


def read_secrets(section: SecretsSection, *, must_be_private: bool = True) -> SecretsSection:
    """The secrets themselves, from the file that the section names; from here on no log line of this process shows them.

    Raises ConfigError, also for a file that others can read, unless ``must_be_private`` is False.
    """
    found = section
    if section.file:
        file = Path(section.file)
        values = read_values(file).get(SECRET_SECTION, {})
        if must_be_private and os.name == "posix" and stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise ConfigError(f"{file}: holds secrets, and others can read it: run `chmod 600 {file}`")
        found = merge(Config(Settings()), {SECRET_SECTION: values}, str(file)).settings.secrets
    hide(*(getattr(found, name) for name in SECRET_KEYS))
    return found


def read_values(file: Path) -> dict[str, dict[str, Any]]:
    """The tables of one file; numbers with a point are Decimals. Raises ConfigError with the file and the parser's place."""
    try:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".json":
            return dict(msgspec.json.decode(text, type=dict[str, dict[str, Any]]))
        return dict(tomllib.loads(text, parse_float=Decimal))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from None
    except (tomllib.TOMLDecodeError, msgspec.DecodeError) as error:
        raise ConfigError(f"{file}: not valid {file.suffix[1:].upper()}: {error}") from None


def write_effective(config: Config, file: Path) -> None:
    """Write the settings in force as one JSON file, readable by its owner only, for the processes of one session; without secrets."""
    apart = SecretsSection(file=config.settings.secrets.file)
    settings = msgspec.structs.replace(config.settings, secrets=apart)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(msgspec.json.format(msgspec.json.encode(settings), indent=2))


def merge(config: Config, values: Mapping[str, Mapping[str, Any]], origin: str) -> Config:
    """Lay tables over the settings, checking every key. Raises ConfigError naming origin, section, key and expected type."""
    sections = {f.name: f for f in msgspec.structs.fields(Settings)}
    settings, origins = config.settings, dict(config.origins)
    for section, table in values.items():
        if section not in sections:
            raise ConfigError(f"{origin}: [{section}]: no such section{_near(section, sections)}")
        if not isinstance(table, Mapping):
            got = HIDDEN if section == SECRET_SECTION else repr(table)
            raise ConfigError(f"{origin}: {section}: expected a section [{section}], got {got}")
        current = getattr(settings, section)
        keys = {f.name: f for f in msgspec.structs.fields(type(current))}
        changed = {}
        for key, value in table.items():
            if key not in keys:
                raise ConfigError(f"{origin}: [{section}] {key}: no such key{_near(key, keys)}")
            changed[key] = _typed(value, keys[key].type, f"{origin}: [{section}] {key}")
            origins[f"{section}.{key}"] = origin
        try:
            replaced = msgspec.structs.replace(current, **changed)
            settings = msgspec.structs.replace(settings, **{section: replaced})
        except ValueError as error:
            raise ConfigError(f"{origin}: [{section}]: {error}") from None
    return Config(settings, origins)


def _typed(value: Any, wanted: Any, where: str) -> Any:
    """One value in its declared type; a float never gets in."""
    try:
        return msgspec.convert(value, wanted, strict=not isinstance(value, str) or wanted is not Decimal)
    except msgspec.ValidationError as error:
        told = HIDDEN if f"[{SECRET_SECTION}]" in where else _shown(value)
        raise ConfigError(f"{where} = {told}: {str(error).split(' - at')[0].lower()}; expected {_name(wanted)}") from None


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, Decimal) else repr(value)


def _name(wanted: Any) -> str:
    """A type as a person writes it."""
    plain = {str: "a text", int: "a whole number", bool: "true or false", Decimal: "a decimal number"}
    return plain.get(wanted, str(wanted).replace("typing.", "").replace("decimal.", ""))


def _near(word: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"
