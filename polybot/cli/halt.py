"""``polybot halt``: stop trading, now and over restarts."""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipeline.base.config import load_config
from pipeline.messages.orders import Halt
from polybot.cli.operating import say
from polybot.cli.options import config_option, json_option
from polybot.cli.output import print_json


@click.command()
@click.option("--cancel", is_flag=True, help="Cancel every open order too, and wait until none is left.")
@click.option(
    "--reason", default="halted by the operator", show_default=True, metavar="TEXT", help="Why; it is shown and stored."
)
@click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="State directory of the pipeline.")
@json_option
@config_option
def command(cancel: bool, reason: str, state_dir: Path | None, as_json: bool, config_path: Path | None) -> None:
    """Stop trading: no order leaves until `polybot resume`, also after restarts. Open orders stay unless --cancel is given.

    It waits until the executor says that trading is halted. Without a running executor the halt is left in the state directory and
    counts from the next start.

    \b
    Example:
      polybot halt --cancel --reason "election night"
    """
    config = load_config(config_path)
    if state_dir is not None:
        config = config.with_values({"bus": {"state_dir": str(state_dir)}}, "--state-dir")
    done = say(config, Halt(ts_ns=time.time_ns(), reason=reason, cancel=cancel))
    if as_json:
        print_json(done.as_object())
    elif not done.running:
        click.echo(
            f"no executor runs in {config.settings.bus.state_dir}; the halt is on disk in {done.file} and counts from the next start"
        )
    else:
        click.echo(f"trading is halted: {reason}" + (f"; {done.cancelled} orders cancelled" if cancel else ""))
