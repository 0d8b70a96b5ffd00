"""``polybot quoter-run-ws``: the spread quoter on one outcome's stream, against the fake relayer."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import click

from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, counted, print_json, show_dollars


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
    """Quote OUTCOME_ID of MARKET_ID on the generic stream at URL, against the fake relayer, until it closes normally or Ctrl-C.

    Sizes shrink towards the inventory cap; requotes keep the minimum interval; exposure keeps its cap: all from [spread_capture] of the
    configuration. Orders, fills and audits go to the database with mode fake. Nothing is sent anywhere.

    \b
    Example:
      polybot quoter-run-ws ws://127.0.0.1:9000 mkt-1 yes --db-url sqlite:///./polybot.db --max-messages 100
    """
    from pipeline.base.clock import SystemClock
    from pipeline.base.config import load_config
    from pipeline.store.open import open_store
    from pipeline.strategy.spread import SpreadCapture
    from polybot.quoting import quoted, quoting
    from polybot.streaming import checked_ws_url, generic_feed, run_stream

    settings = load_config(config_path).settings
    quoter = SpreadCapture.from_settings(settings.spread_capture)
    feed = generic_feed(checked_ws_url(url), market_id, subscribe=subscribe, max_messages=max_messages, settings=settings.venue)
    with open_store(db_url) as store, Progress("quoting", max_messages, unit="messages") as progress:
        run = quoting(store, market_id, outcome_id, quoter, settings=settings, source=url, start_ns=SystemClock().now_ns())
        try:
            asyncio.run(run_stream(run.lockstep, feed, max_messages, shown=progress.show))
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
        finally:
            run.finish()
    done = quoted(run, market_id)
    if as_json:
        print_json(dataclasses.asdict(done) | {"mode": "fake"})
        return
    profit = "unknown" if done.pnl_e6 is None else show_dollars(done.pnl_e6)
    told = f"{counted(done.orders, 'order')}, {counted(done.fills, 'fill')}, PnL {profit} simulated"
    click.echo(f"{counted(done.messages, 'message')}: {told}")
