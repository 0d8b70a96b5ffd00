"""Level-2 data as CSV: one changed level or one trade a row, read by a mapping of columns.

The defaults fit ``ts_ms,event_type,asset_id,side,price,size,best_bid,best_ask`` with PRICE_CHANGE and LAST_TRADE rows, sides BID and
ASK. Such files went through binary floats, so their numbers are brought to the nearest millionth and to their shortest text.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS, ONE_E6, format_e6, nearest_e6
from pipeline.messages import Message
from pipeline.messages.market import VenuePriceChange, VenueTrade
from pipeline.recording.reader import open_bytes

_NS_OF_UNIT = {"s": 1_000_000_000, "ms": NS_PER_MS, "us": 1_000, "ns": 1}


@dataclass(frozen=True)
class Columns:
    """The names of the columns, and the words in them. "" for a column that a file does not have.

    ``unit`` is that of the time column: s, ms, us or ns. Without ``kind`` every row is a change.
    """

    time: str = "ts_ms"
    kind: str = "event_type"
    token: str = "asset_id"
    side: str = "side"
    price: str = "price"
    size: str = "size"
    best_bid: str = "best_bid"
    best_ask: str = "best_ask"
    market: str = ""
    hash: str = ""
    unit: str = "ms"
    change: str = "PRICE_CHANGE"
    trade: str = "LAST_TRADE"
    bid: str = "BID"
    ask: str = "ASK"


def parse_columns(text: str) -> Columns:
    """A mapping as a command's option writes it: ``time=timestamp,token=id,kind=``. Raises BadInput."""
    known = {field.name for field in fields(Columns)}
    changed: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or name not in known:
            raise BadInput(f"--columns {part}: expected NAME=COLUMN with NAME one of {', '.join(sorted(known))}")
        changed[name] = value
    columns = replace(Columns(), **changed)
    if columns.unit not in _NS_OF_UNIT:
        raise BadInput(f"--columns unit={columns.unit}: expected one of {', '.join(_NS_OF_UNIT)}")
    return columns


@lru_cache(maxsize=65_536)
def nearest_text(text: str) -> str:
    """A number that may have gone through a binary float, as the shortest text of its nearest millionth: "198.0" is "198"."""
    return format_e6(nearest_e6(text))


def read_level2(path: Path, market: str, columns: Columns | None = None) -> Iterator[Message]:
    """The rows in order, each one message: a VenuePriceChange with hash "" or a VenueTrade.

    Rows without a market column belong to ``market``. Raises BadInput with file and line for a row that cannot be understood.
    """
    mapping = columns or Columns()
    with open_bytes(path) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
        try:
            yield from _rows(path, csv.reader(text), market, mapping)
        except (UnicodeDecodeError, csv.Error, EOFError, zlib.error, OSError) as error:
            raise BadInput(f"{path}: not a whole CSV file: {error}") from None


def read_rows(path: Path, rows: Iterator[list[str]], market: str, columns: Columns | None = None) -> Iterator[Message]:
    """Rows of texts, the header first, as messages; ``path`` and the row's number tell where one cannot be understood."""
    return _rows(path, rows, market, columns or Columns())


def _rows(path: Path, rows: Iterator[list[str]], market: str, columns: Columns) -> Iterator[Message]:
    header = next(rows, None)
    if not header:
        raise BadInput(f"{path}: is empty")
    place = {name: number for number, name in enumerate(header)}

    def find(role: str, needed: bool) -> int:
        name = getattr(columns, role)
        if name in place:
            return place[name]
        if needed:
            raise BadInput(
                f"{path}:1: no column {name or '(none)'} for the {role}; it has {', '.join(header)}; map it with --columns {role}=NAME"
            )
        return -1

    time, token, side, price, size = (find(role, True) for role in ("time", "token", "side", "price", "size"))
    kind, best_bid, best_ask, market_at, hash_at = (
        find(role, False) for role in ("kind", "best_bid", "best_ask", "market", "hash")
    )
    sides = {columns.bid: "BUY", columns.ask: "SELL", "BUY": "BUY", "SELL": "SELL"}
    unit_ns = _NS_OF_UNIT[columns.unit]
    for number, row in enumerate(rows, 2):
        if not row:
            continue
        try:
            if len(row) != len(header):
                raise ValueError(f"has {len(row)} fields, the header {len(header)}")
            ts_ns = _ns(row[time], unit_ns)
            about = row[market_at] if market_at >= 0 else market
            what = row[kind] if kind >= 0 else columns.change
            if row[side] not in sides:
                raise ValueError(f"side {row[side]!r} is neither {columns.bid} nor {columns.ask}")
            price_text, size_text = _price(row[price]), _size(row[size])
            if what == columns.change:
                yield VenuePriceChange(
                    ts_ns=ts_ns,
                    token_id=row[token],
                    market=about,
                    venue_ts=str(ts_ns // NS_PER_MS),
                    hash=row[hash_at] if hash_at >= 0 else "",
                    changes=((price_text, size_text, sides[row[side]]),),
                    best_bid=_price(row[best_bid]) if best_bid >= 0 and row[best_bid] else None,
                    best_ask=_price(row[best_ask]) if best_ask >= 0 and row[best_ask] else None,
                )
            elif what == columns.trade:
                yield VenueTrade(
                    ts_ns=ts_ns,
                    token_id=row[token],
                    market=about,
                    venue_ts=str(ts_ns // NS_PER_MS),
                    price=price_text,
                    size=size_text,
                    side=sides[row[side]],
                )
            else:
                raise ValueError(f"{columns.kind} {what!r} is neither {columns.change} nor {columns.trade}")
        except ValueError as error:
            raise BadInput(f"{path}:{number}: {error}") from None


def _ns(text: str, unit_ns: int) -> int:
    """Nanoseconds of a time column, whole or with a fraction, which is exact to nine decimals."""
    if text.isascii() and text.isdigit():
        return int(text) * unit_ns
    whole, _, part = text.partition(".")
    if text.isascii() and whole.isdigit() and part.isdigit() and len(part) <= 9:
        return int(whole) * unit_ns + int(part.ljust(9, "0")) * unit_ns // 1_000_000_000
    return nearest_e6(text) * unit_ns // ONE_E6


@lru_cache(maxsize=65_536)
def _price(text: str) -> str:
    value = nearest_e6(text)
    if not 0 <= value <= ONE_E6:
        raise ValueError(f"price {text} is outside 0 to 1")
    return format_e6(value)


@lru_cache(maxsize=65_536)
def _size(text: str) -> str:
    value = nearest_e6(text)
    if value < 0:
        raise ValueError(f"size {text} is negative")
    return format_e6(value)
