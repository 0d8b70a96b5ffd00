"""``polybot record``: a websocket's frames into a recording that can be replayed by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from polybot.cli.options import config_option, json_option
from polybot.cli.output import Progress, counted, print_json


@click.command()
@click.argument("url")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--market", "slugs", multiple=True, metavar="SLUG", help="Record this market of the venue's catalogue.")
@click.option("--token", "tokens", multiple=True, metavar="TOKEN_ID", help="Record this token of the venue.")
@click.option("--gamma-url", metavar="URL", help="The catalogue for --market. Default: [polymarket] gamma_url.")
@click.option("--max-messages", type=click.IntRange(min=1), help="Stop after so many frames.")
@click.option(
    "--for", "for_s", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Stop after so many seconds."
)
@json_option
@config_option
def command(
    url: str,
    out: Path,
    slugs: tuple[str, ...],
    tokens: tuple[str, ...],
    gamma_url: str | None,
    max_messages: int | None,
    for_s: float | None,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Record every frame of the websocket at URL into the folder OUT, exactly as it comes, until it closes or Ctrl-C.

    With --market or --token the venue's market channel is spoken; without, a generic stream is expected. An existing recording in OUT is
    continued.

    \b
    Example:
      polybot record ws://127.0.0.1:8765/ws/market recordings/mine --market SLUG --gamma-url http://127.0.0.1:8765 --for 60
    """
    from pipeline.base.config import load_config
    from polybot.recorder import Recorder, followed_markets
    from polybot.streaming import checked_ws_url

    checked_ws_url(url)
    settings = load_config(config_path).settings
    markets = followed_markets(slugs, tokens, gamma_url or settings.polymarket.gamma_url)
    recorder = Recorder(url, out, markets, settings.venue)
    with Progress("recording", max_messages, unit="frames") as progress:
        try:
            asyncio.run(recorder.run(max_messages, for_s, progress.show))
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
        finally:
            recorder.close()
    if as_json:
        print_json({"url": url, "out": str(out), "lines": recorder.lines, "counts": recorder.counts()})
    else:
        frames = counted(recorder.counts()["frames"], "frame")
        click.echo(f"{frames} recorded in {out}; `polybot replay {out} MARKET_ID` reads them back")
