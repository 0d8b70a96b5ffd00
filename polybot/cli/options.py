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


def _stored_db_url(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    """As ``_db_url``; where nobody named a database and the configured one is not there, that of the session that ran last."""
    found = _db_url(ctx, param, value)
    if value:
        return found
    from pipeline.base.config import load_config
    from pipeline.store.url import path_of_url
    from polybot.session_database import last_database
    from processes.fake_settings import is_default

    config = load_config(ctx.params.get("config_path"))
    state_dir = ctx.params.get("state_dir")
    path = path_of_url(found)
    if state_dir is None and (not is_default(config, "db", "url") or path is None or path.exists()):
        return found
    last = last_database(state_dir or Path(config.settings.bus.state_dir))
    if last is None:
        return found
    if state_dir is None:
        click.echo(f"the database of the last session: --db-url {last}", err=True)
    return last


def stored_db_url_option(command: F) -> F:
    """``--db-url`` of a command that reads what is there: passes ``db_url``, see ``_stored_db_url``.

    A ``--state-dir`` of the same command must be eager, and then names the session.
    """
    return click.option(
        "--db-url",
        metavar="URL",
        callback=_stored_db_url,
        help="Database, e.g. sqlite:///./polybot.db. Default: [db] url of the configuration, or the last session's.",
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
