"""``polybot tap``: print the messages of one stream of a running pipeline."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import msgspec

from pipeline.base.config import load_config
from pipeline.base.printable import printable, printable_json
from pipeline.base.units import NS_PER_MS, NS_PER_S, format_e6
from pipeline.bus.stage import Arrival
from pipeline.messages.market import BookSnapshot, Level
from polybot.cli.onlooker import Onlooker, check_tappable
from polybot.cli.options import config_option

_PATIENCE_S = 2.0


@click.command()
@click.argument("stream")
@click.option("--key", metavar="TOKEN", help="Only messages about this key: a token, a strategy, a market.")
@click.option("--count", type=click.IntRange(min=1), metavar="N", help="End after N messages. Default: go on until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with every field.")
@click.option("--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="State directory of the pipeline.")
@config_option
def command(
    stream: str, key: str | None, count: int | None, as_json: bool, state_dir: Path | None, config_path: Path | None
) -> None:
    """Print the messages of STREAM (book, exec, feed, universe, control, committed) as they pass.

    It only listens: the pipeline goes on as if it were not there. A new listener gets the current state first.

    \b
    Example:
      polybot tap book --count 5
      polybot tap exec --json
    """
    check_tappable(stream)
    config = load_config(config_path)
    if state_dir is not None:
        config = config.with_values({"bus": {"state_dir": str(state_dir)}}, "--state-dir")
    keys = {} if key is None else {stream: [key]}
    printed = 0
    quiet_since: float | None = time.monotonic()
    with Onlooker([stream], config.settings.bus, keys=keys, every_message=True) as look:
        try:
            while count is None or printed < count:
                for arrival in look.receive(timeout_ms=100):
                    if count is None or printed < count:
                        click.echo(json_line(arrival) if as_json else printable(text_line(arrival)))
                        printed += 1
                        quiet_since = None
                if quiet_since is not None and time.monotonic() - quiet_since > _PATIENCE_S:
                    quiet_since = None
                    where = config.settings.bus.state_dir
                    click.echo(f"nothing on {stream} yet; waiting for a pipeline with state directory {where}", err=True)
        except KeyboardInterrupt:
            return


def json_line(arrival: Arrival) -> str:
    """A message with its envelope as one JSON object."""
    envelope = {"stream": arrival.stream, "producer": arrival.producer, "run_id": arrival.run_id, "seq": arrival.seq}
    named = _named(arrival.message)
    return printable_json(msgspec.json.encode(envelope | {"kind": type(arrival.message).__name__} | named).decode())


def text_line(arrival: Arrival) -> str:
    """A message on one line for a person: time, kind, then its fields; lists are counted, a book shows its top."""
    message = arrival.message
    seconds, rest = divmod(message.ts_ns, NS_PER_S)
    clock = time.strftime("%H:%M:%S", time.gmtime(seconds)) + f".{rest // NS_PER_MS:03d}"
    if isinstance(message, BookSnapshot):
        bid, ask = _top(message.bids), _top(message.asks)
        why = f" ({message.reason})" if message.reason else ""
        return f"{clock} BookSnapshot {message.token_id} bid {bid} ask {ask} {message.state}{why} seq={message.seq}"
    fields = [f"{name}={_short(getattr(message, name))}" for name in message.__struct_fields__ if name != "ts_ns"]
    return " ".join([clock, type(message).__name__, *fields])


def _top(levels: tuple[Level, ...]) -> str:
    return f"{format_e6(levels[0].price_e6)} x {format_e6(levels[0].size_e6)}" if levels else "-"


def _short(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{len(value)}]"
    if isinstance(value, str) and value and not any(mark in value for mark in " \n\t"):
        return value
    if isinstance(value, msgspec.Struct):
        return msgspec.json.encode(_named(value)).decode()
    return msgspec.json.encode(value).decode()


def _named(value: msgspec.Struct) -> dict[str, Any]:
    """A struct as an object with field names, also one that is an array on the wire."""
    return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}


def _plain(value: object) -> object:
    if isinstance(value, msgspec.Struct):
        return _named(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
