"""Options that several commands share, so that they read and behave alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def _db_url(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """The database given, or the one of the configuration. A configuration that is named must be right in any case."""
    config_path = ctx.params.get("config_path")
    if value and config_path is None:
        return value
    from pipeline.base.config import load_config

    settings = load_config(config_path).settings
    return value or settings.db.url


def db_url_option(command: F) -> F:
    """``--db-url``: passes ``db_url``, the ``[db] url`` of the configuration unless one is given."""
    return click.option(
        "--db-url",
        metavar="URL",
        callback=_db_url,
        help="Database, e.g. sqlite:///./polybot.db. Default: [db] url of the configuration.",
    )(command)


def json_option(command: F) -> F:
    """``--json``: passes ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def config_option(command: F) -> F:
    """``--config``: passes ``config_path``, for ``load_config``; None looks in the usual places."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        is_eager=True,
        metavar="PATH",
        help="Folder with default.toml, or one TOML file. Default: $POLYBOT_CONFIG, then ./config.",
    )(command)
