"""``polybot keys``: the key pair that guards a pipeline whose processes talk over a network."""

from __future__ import annotations

from pathlib import Path

import click

from polybot.cli.options import json_option
from polybot.cli.output import print_json


@click.group()
def command() -> None:
    """Make the keys that guard tcp sockets.

    \b
    Example:
      polybot keys create var/keys
    """


@command.command()
@click.argument("folder", type=click.Path(path_type=Path))
@json_option
def create(folder: Path, as_json: bool) -> None:
    """Write a new key pair into FOLDER, readable by you alone; keys that are there are never overwritten.

    Set [bus] curve_keys to the folder, on every machine of the pipeline. Copy secret.key as you would a password.

    \b
    Example:
      polybot keys create var/keys
    """
    from pipeline.bus.curve import PUBLIC, SECRET, create_keys

    keys = create_keys(folder)
    if as_json:
        print_json({"folder": str(folder), "public": keys.public.decode(), "files": [PUBLIC, SECRET]})
        return
    click.echo(f"{folder / PUBLIC} and {folder / SECRET} written; the public key is {keys.public.decode()}")
    click.echo(f'Set [bus] curve_keys = "{folder}" in config/local.toml.')
