"""``polybot quoter-run-ws``: the spread quoter on one outcome's stream, against the fake relayer."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import click

from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, print_json


@click.command()
@click.argument("url")
@click.argument("market_id")
@click.argument("outcome_id")
@click.option("--max-messages", type=click.IntRange(min=1), help="Stop after so many messages. Default: when the stream ends.")
@click.option("--subscribe", is_flag=True, help="Ask the server for the market when the connection opens.")
@json_option
@config_option
@db_url_option
def command(
    url: str,
    market_id: str,
    outcome_id: str,
    max_messages: int | None,
    subscribe: bool,
    as_json: bool,
    config_path: Path | None,
    db_url: str,
) -> None:
    """Quote OUTCOME_ID of MARKET_ID on the generic stream at URL, against the fake relayer.

    Sizes shrink towards the inventory cap; requotes keep the minimum interval; exposure keeps its cap: all from [spread_capture] of the
    configuration. Orders, fills and audits go to the database with mode fake. Nothing is sent anywhere.

    \b
    Example:
      polybot quoter-run-ws ws://127.0.0.1:9000 mkt-1 yes --db-url sqlite:///./polybot.db --max-messages 100
    """
    from pipeline.base.clock import SystemClock
    from pipeline.base.config import load_config
    from pipeline.base.units import format_e6
    from pipeline.store.open import open_store
    from pipeline.strategy.spread import SpreadCapture
    from polybot.ingestion.live import checked_ws_url
    from polybot.quoting import quoted, quoting
    from polybot.streaming import generic_feed, run_stream

    settings = load_config(config_path).settings
    quoter = SpreadCapture.from_settings(settings.spread_capture)
    feed = generic_feed(checked_ws_url(url), market_id, subscribe=subscribe, max_messages=max_messages)
    with open_store(db_url) as store, Progress("quoting", max_messages, unit="messages") as progress:
        run = quoting(store, market_id, outcome_id, quoter, settings=settings, source=url, start_ns=SystemClock().now_ns())
        try:
            frames = asyncio.run(run_stream(run.lockstep, feed, max_messages, shown=progress.show))
        finally:
            run.finish()
    done = quoted(run, market_id, frames)
    if as_json:
        print_json(dataclasses.asdict(done) | {"mode": "fake"})
        return
    profit = "unknown" if done.pnl_e6 is None else f"${format_e6(done.pnl_e6)}"
    click.echo(f"{frames:,} messages: {done.orders:,} orders, {done.fills:,} fills, PnL {profit} simulated")
