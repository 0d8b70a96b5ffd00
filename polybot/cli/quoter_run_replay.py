"""``polybot quoter-run-replay``: a quoting strategy on one outcome of a recorded file."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, print_json


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("market_id")
@click.argument("outcome_id")
@click.option("--strategy", "name", default="spread_capture", show_default=True, help="Or a NAME of [strategy.custom.NAME].")
@json_option
@config_option
@db_url_option
def command(file: Path, market_id: str, outcome_id: str, name: str, as_json: bool, config_path: Path | None, db_url: str) -> None:
    """Quote OUTCOME_ID of MARKET_ID over the recorded FILE, through the stages that run live.

    FILE is what `polybot replay` takes. On a recording MARKET_ID may be a slug and OUTCOME_ID a name such as Yes: both outcomes of a
    market are one book. Orders are matched by [execution] relayer; fills and profit are simulated. Nothing is sent anywhere.

    \b
    Example:
      polybot quoter-run-replay recordings/sample.jsonl mkt-1 yes --db-url sqlite:///./polybot.db
    """
    from pipeline.base.config import load_config
    from pipeline.base.errors import BadInput
    from pipeline.base.units import format_e6
    from polybot.trading_replay import chosen_market, trade_file
    from processes.strategy import strategies_of

    settings = load_config(config_path).settings
    wanted = [strategy for strategy in strategies_of(settings) if strategy.name == name]
    if not wanted:
        known = ", ".join(strategy.name for strategy in strategies_of(settings)) or "none"
        raise BadInput(f"--strategy {name}: is not enabled; [strategy] has {known}")
    with Progress("quoting", unit="lines") as progress:
        done = trade_file(
            file,
            lambda source: [chosen_market(source, market_id, outcome_id)],
            db_url,
            settings,
            strategies=wanted,
            market=market_id,
            outcome_id=outcome_id,
            shown=progress.show,
        )
    if as_json:
        print_json(dataclasses.asdict(done.quoted) | {"strategy": name, "mode": done.mode, "path": str(file)})
        return
    told = done.quoted
    profit = "unknown" if told.pnl_e6 is None else f"${format_e6(told.pnl_e6)}"
    click.echo(
        f"{told.messages:,} messages: {told.orders:,} orders, {told.fills:,} fills, PnL {profit} simulated (mode {done.mode})"
    )
