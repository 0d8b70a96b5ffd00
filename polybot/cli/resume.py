"""``polybot resume``: let trading go on after a halt."""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipeline.base.config import load_config
from pipeline.messages.orders import Resume
from polybot.cli.operating import say
from polybot.cli.options import config_option, json_option
from polybot.cli.output import print_json


@click.command()
@click.option("--reason", default="resumed by the operator", show_default=True, metavar="TEXT", help="Why; it is stored.")
@click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="State directory of the pipeline.")
@json_option
@config_option
def command(reason: str, state_dir: Path | None, as_json: bool, config_path: Path | None) -> None:
    """Let trading go on after `polybot halt`.

    It waits until the executor says so. Without a running executor the word is left in the state directory and counts from the next
    start.

    \b
    Example:
      polybot resume
    """
    config = load_config(config_path)
    if state_dir is not None:
        config = config.with_values({"bus": {"state_dir": str(state_dir)}}, "--state-dir")
    done = say(config, Resume(ts_ns=time.time_ns(), reason=reason))
    if as_json:
        print_json(done.as_object())
    elif not done.running:
        click.echo(f"no executor runs in {config.settings.bus.state_dir}; trading goes on at the next start ({done.file})")
    else:
        click.echo("trading goes on")
