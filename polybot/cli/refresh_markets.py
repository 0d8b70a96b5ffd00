"""``polybot refresh-markets``: the market catalogue of a database, brought up to date in one go."""

from __future__ import annotations

import click

from pipeline.store.open import open_store
from pipeline.venue.gamma import GammaHttpClient
from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, print_json, print_line
from polybot.ingestion.markets import refresh_markets

_SHOWN_REFUSALS = 3


@click.command()
@click.argument("base_url")
@json_option
@config_option
@db_url_option
def command(base_url: str, as_json: bool, config_path: object, db_url: str) -> None:
    """Store the markets that the catalogue at BASE_URL lists: all open ones, and those of the database that closed since.

    A market that did not change writes nothing. If the catalogue cannot be read to its end, nothing is written at all.

    \b
    Example:
      polybot refresh-markets https://gamma-api.polymarket.com --db-url sqlite:///./polybot.db
    """
    read = 0
    with GammaHttpClient(base_url) as client, Progress("reading markets", unit="markets") as progress:
        client.check()
        with open_store(db_url) as store:

            def on_read(count: int) -> None:
                nonlocal read
                read = count
                progress.show(count)

            written = refresh_markets(store, client, on_read=on_read)
    if as_json:
        refused = [str(refusal) for refusal in client.refused]
        print_json({"source": client.base_url, "read": read, "written": written, "refused": refused})
        return
    click.echo(f"{read:,} markets read, {written:,} of them new or changed; `polybot markets list --db-url {db_url}` shows them")
    for refusal in client.refused[:_SHOWN_REFUSALS]:
        print_line(f"left out: {refusal}", err=True)
    if len(client.refused) > _SHOWN_REFUSALS:
        click.echo(f"left out: {len(client.refused) - _SHOWN_REFUSALS} more; --json lists them", err=True)
