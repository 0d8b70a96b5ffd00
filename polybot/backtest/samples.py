"""Books that somebody sampled now and then: lines or rows that are each a whole book, without what happened in between.

Two shapes: JSON lines ``{"market_id", "ts", "side", "bid_px", "bid_sz", "ask_px", "ask_sz"}``, and a CSV grid with the columns
``ts_ms, condition_id, token_id_up, token_id_down, bid_px_up_1, bid_sz_up_1, ...`` and, if present, the last trade of each token. Such
numbers went through binary floats and are brought to the nearest millionth.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS
from pipeline.messages import Message
from pipeline.messages.market import Market, Outcome, TextLevel, VenueBook, VenueTrade
from pipeline.recording.level2 import nearest_text
from pipeline.recording.reader import open_bytes

_NEEDED = frozenset({"market_id", "ts", "side", "bid_px", "bid_sz", "ask_px", "ask_sz"})
_GRID = frozenset({"ts_ms", "condition_id", "token_id_up", "token_id_down", "bid_px_up_1", "ask_px_down_1"})
_SIDES = ("up", "down")
_DEPTH = 5
_UNREADABLE = (EOFError, zlib.error, OSError, UnicodeDecodeError, csv.Error)


class _Line(msgspec.Struct, gc=False):
    """One sampled book; ``side`` names the outcome."""

    market_id: str
    ts: int
    side: str
    bid_px: tuple[Any, ...]
    bid_sz: tuple[Any, ...]
    ask_px: tuple[Any, ...]
    ask_sz: tuple[Any, ...]


_line = msgspec.json.Decoder(_Line)


def is_samples(path: Path) -> bool:
    """Whether a file has one of the two shapes, by its first line."""
    if not path.is_file():
        return False
    try:
        with open_bytes(path) as stream:
            first = stream.readline(1 << 20)
    except _UNREADABLE:
        return False
    if first[:1] == b"{":
        try:
            tree = msgspec.json.decode(first)
        except (ValueError, RecursionError):
            return False
        return isinstance(tree, dict) and tree.keys() >= _NEEDED
    return set(first.decode(errors="replace").strip().split(",")) >= _GRID


def sampled_messages(path: Path) -> Iterator[Message]:
    """Each sample as a whole book; with the grid also a trade where the last trade is another one. Raises BadInput with file and line."""
    with open_bytes(path) as stream:
        try:
            yield from _lines(path, stream) if stream.peek(1)[:1] == b"{" else _rows(path, stream)  # type: ignore[attr-defined]
        except _UNREADABLE as error:
            raise BadInput(f"{path}: cannot be read to its end: {error}") from None


def sampled_markets(path: Path) -> tuple[Market, ...]:
    """The markets of the samples, in the order in which they come, with the tick that their prices keep to."""
    found: dict[str, dict[str, str]] = {}
    fine: set[str] = set()
    for msg in sampled_messages(path):
        if isinstance(msg, VenueBook):
            name = msg.token_id.rpartition(":")[2] if ":" in msg.token_id else _SIDES[len(found.get(msg.market, {})) % 2]
            found.setdefault(msg.market, {}).setdefault(msg.token_id, name.title())
            if any(len(price) > 4 for price, _ in (*msg.bids, *msg.asks)):
                fine.add(msg.market)
    return tuple(
        Market(
            market_id=market_id,
            outcomes=tuple(Outcome(token, name) for token, name in sorted(tokens.items(), key=lambda item: item[1] != "Up")),
            tick_size="0.001" if market_id in fine else "0.01",
        )
        for market_id, tokens in found.items()
    )


def _lines(path: Path, stream: Any) -> Iterator[Message]:
    for number, text in enumerate(stream, 1):
        if not text.strip():
            continue
        try:
            line = _line.decode(text)
            yield VenueBook(
                ts_ns=line.ts * NS_PER_MS,
                token_id=f"{line.market_id}:{line.side}",
                market=line.market_id,
                bids=_levels(line.bid_px, line.bid_sz),
                asks=_levels(line.ask_px, line.ask_sz),
                source="ws",
                venue_ts=str(line.ts),
            )
        except (ValueError, RecursionError) as error:
            raise BadInput(f"{path}:{number}: {error}") from None


def _rows(path: Path, stream: Any) -> Iterator[Message]:
    rows = csv.reader(io.TextIOWrapper(stream, encoding="utf-8", newline=""))
    header = next(rows)
    place = {name: index for index, name in enumerate(header)}
    columns = {
        (way, side): [(place[f"{way}_px_{side}_{n}"], place[f"{way}_sz_{side}_{n}"]) for n in range(1, _DEPTH + 1)]
        for way in ("bid", "ask")
        for side in _SIDES
        if f"{way}_px_{side}_{_DEPTH}" in place
    }
    last: dict[str, tuple[str, ...]] = {}
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            if len(row) != len(header):
                raise ValueError(f"has {len(row)} fields, the header {len(header)}")
            ts_ms, market = row[place["ts_ms"]], row[place["condition_id"]]
            for side in _SIDES:
                token_id = row[place[f"token_id_{side}"]]
                bids, asks = (
                    tuple(
                        (nearest_text(row[px]), nearest_text(row[sz]))
                        for px, sz in columns.get((way, side), ())
                        if row[px] and row[sz]
                    )
                    for way in ("bid", "ask")
                )
                yield VenueBook(
                    ts_ns=int(ts_ms) * NS_PER_MS,
                    token_id=token_id,
                    market=market,
                    bids=bids,
                    asks=asks,
                    source="ws",
                    venue_ts=ts_ms,
                )
                trade = tuple(row[place[name]] for name in _trade_columns(side) if name in place)
                if len(trade) == 3 and all(trade) and trade != last.get(token_id):
                    known = token_id in last
                    last[token_id] = trade
                    if known:  # the first one may be hours old
                        yield VenueTrade(
                            ts_ns=int(ts_ms) * NS_PER_MS,
                            token_id=token_id,
                            market=market,
                            venue_ts=ts_ms,
                            price=nearest_text(trade[0]),
                            size=nearest_text(trade[1]),
                            side=trade[2].upper(),
                        )
        except ValueError as error:
            raise BadInput(f"{path}:{number}: {error}") from None


def _trade_columns(side: str) -> tuple[str, str, str]:
    return f"last_trade_px_{side}", f"last_trade_sz_{side}", f"last_trade_side_{side}"


def _levels(prices: Sequence[Any], sizes: Sequence[Any]) -> tuple[TextLevel, ...]:
    return tuple((nearest_text(str(price)), nearest_text(str(size))) for price, size in zip(prices, sizes, strict=True))
