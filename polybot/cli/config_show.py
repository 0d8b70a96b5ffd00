"""``polybot config show``: the settings in force, where each comes from, and no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from pipeline.base.config import BUILT_IN, SECRET_KEYS, SECRET_SECTION, Config, load_config, read_secrets
from pipeline.base.settings import shown
from polybot.cli.options import config_option, json_option
from polybot.cli.output import Styled, print_json, print_table

REDACTED = "(set, not shown)"


class Setting(NamedTuple):
    """One setting: a secret's ``value`` is REDACTED unless it is empty."""

    section: str
    key: str
    value: Any
    origin: str


@click.group()
def command() -> None:
    """Show the settings in force.

    \b
    Example:
      polybot config show
    """


@command.command()
@click.argument("section", required=False)
@config_option
@json_option
def show(section: str | None, config_path: Path | None, as_json: bool) -> None:
    """Show every setting, its value and the file that set it; SECTION shows one section only.

    default.toml is read first, local.toml and secrets.local.toml are laid over it. Secrets are never printed.

    \b
    Example:
      polybot config show
      polybot config show universe
      polybot config show --json
    """
    config = load_config(config_path)
    found = [setting for setting in settings_of(config) if section in (None, setting.section)]
    if not found:
        known = ", ".join(config.settings.__struct_fields__)
        raise click.UsageError(f"[{section}]: no such section; known are {known}")
    if as_json:
        sections: dict[str, dict[str, Any]] = {}
        for setting in found:
            sections.setdefault(setting.section, {})[setting.key] = {"value": setting.value, "origin": setting.origin}
        print_json(sections)
        return
    rows = [
        (f"[{each.section}]", each.key, _shown(each), Styled(each.origin, "dim" if _is_default(each.origin) else "green"))
        for each in found
    ]
    print_table(("section", "key", "value", "from"), rows)


def settings_of(config: Config) -> Iterator[Setting]:
    """Every setting, section by section, secrets redacted."""
    for section in config.settings.__struct_fields__:
        table: msgspec.Struct = getattr(config.settings, section)
        if section == SECRET_SECTION:
            table = read_secrets(config.settings.secrets, must_be_private=False)
        for field in msgspec.structs.fields(type(table)):
            value = getattr(table, field.name)
            if section == SECRET_SECTION and field.name in SECRET_KEYS and value:
                value = REDACTED
            yield Setting(section, field.name, value, config.origin(section, field.name))


def _shown(setting: Setting) -> str:
    return setting.value if setting.value == REDACTED else shown(setting.value)


def _is_default(origin: str) -> bool:
    return origin == BUILT_IN or Path(origin).name == "default.toml"
