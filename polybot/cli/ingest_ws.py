"""``polybot ingest-ws``: one market's order books from a websocket into a database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, counted, print_json, show_doubts


@click.command()
@click.argument("url")
@click.argument("market_id")
@click.option("--max-messages", type=click.IntRange(min=1), help="Stop after so many messages. Default: when the stream ends.")
@click.option("--outcome", default="yes", show_default=True, help="The outcome of generic messages that name none.")
@click.option("--token", "tokens", multiple=True, metavar="TOKEN_ID", help="Speak the venue's market channel for this token.")
@click.option("--subscribe", is_flag=True, help="Ask a generic server for the market when the connection opens.")
@click.option("--snapshots", type=click.Path(path_type=Path), help="JSON file that answers requests for a fresh book.")
@json_option
@config_option
@db_url_option
def command(
    url: str,
    market_id: str,
    max_messages: int | None,
    outcome: str,
    tokens: tuple[str, ...],
    subscribe: bool,
    snapshots: Path | None,
    as_json: bool,
    config_path: Path | None,
    db_url: str,
) -> None:
    """Store the books of MARKET_ID from the websocket at URL until it closes normally, or Ctrl-C.

    The generic stream is expected; for a market that the database's catalogue knows from a venue (`refresh-markets`), or with --token, the
    venue's own market channel is spoken, which ends when the market is settled. A connection that is lost in any other way is made
    again. A first delta and a gap ask for a fresh book: from --snapshots, else from the fake provider.

    \b
    Example:
      polybot mock-ws recordings/sample.jsonl --port 9000
      polybot ingest-ws ws://127.0.0.1:9000 mkt-1 --db-url sqlite:///./polybot.db --max-messages 100
    """
    from pipeline.base.config import load_config
    from pipeline.store.open import open_store
    from pipeline.venue.snapshots import file_snapshots
    from polybot.ingestion.live import LiveIngestion
    from polybot.replaying import doubts_of
    from polybot.streaming import checked_ws_url

    checked_ws_url(url)
    settings = load_config(config_path).settings
    provider = None if snapshots is None else file_snapshots(snapshots)
    with open_store(db_url) as store, Progress("receiving", max_messages, unit="messages") as progress:
        ingestion = LiveIngestion(
            store,
            url,
            market_id,
            outcome_id=outcome,
            token_ids=tokens,
            subscribe=subscribe,
            provider=provider,
            max_messages=max_messages,
            settings=settings.venue,
        )
        try:
            asyncio.run(ingestion.run(progress.show))
        except KeyboardInterrupt:
            click.echo("stopped", err=True)
        finally:
            ingestion.finish()
    counts = ingestion.counts()
    frames = counts["frames"]
    if as_json:
        print_json({"url": url, "market_id": market_id, "messages": frames, "rows": ingestion.rows, "counts": counts})
        return
    doubts = show_doubts(doubts_of(counts), counts["bad_frames"])
    click.echo(f"{counted(frames, 'message')}, {counted(ingestion.rows, 'row')} written{doubts}")
