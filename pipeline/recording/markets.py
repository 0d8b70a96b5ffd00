"""``markets.json``: the markets a recording is about, so that it can be replayed without the venue's catalogue."""

from __future__ import annotations

from pathlib import Path

import msgspec

from pipeline.base.errors import BadInput
from pipeline.messages.market import Market

MARKETS_FILE = "markets.json"


class RecordedMarkets(msgspec.Struct, frozen=True):
    """``venue`` is whose data it is ("fake", "polymarket"); ``source`` where the catalogue came from."""

    venue: str
    markets: tuple[Market, ...] = ()
    source: str = ""


def write_markets(folder: Path, recorded: RecordedMarkets) -> None:
    """Replace the file of a recording, whole or not at all."""
    file = folder / MARKETS_FILE
    fresh = file.with_suffix(".json.tmp")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(recorded), indent=1) + b"\n")
    fresh.replace(file)


def read_markets(folder: Path) -> RecordedMarkets:
    """The markets of a recording; none if it has no file. Raises BadInput if the file cannot be read."""
    file = folder / MARKETS_FILE
    if not file.is_file():
        return RecordedMarkets(venue="")
    try:
        return msgspec.json.decode(file.read_bytes(), type=RecordedMarkets)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: not the markets of a recording: {error}; record again, or remove the file") from None
