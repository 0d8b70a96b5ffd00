"""Files that rows are exported to, CSV and Parquet. A file appears whole or not at all, and its owner alone may read it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Protocol

from pipeline.base.errors import BadInput
from pipeline.base.units import format_e6
from pipeline.store.export import Column

Format = Literal["csv", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "parquet")
Row = tuple[Any, ...]
LIVE = ("=", "+", "-", "@", "\t", "\r", "'")
"""How a formula begins in a spreadsheet; and the apostrophe itself, so that taking one off gives back every text."""


class RowFile(Protocol):
    """Where rows go."""

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows, each with a value a column; None is no value."""

    def close(self) -> None:
        """Write what is left."""


@contextmanager
def whole_file(out: Path, *, replace: bool) -> Iterator[Path]:
    """A path beside ``out`` to write to, which becomes ``out`` at the end of the block; an error in it leaves nothing.

    Raises BadInput if ``out`` is there already and is not to be replaced, or cannot be written.
    """
    if out.is_dir() or (out.exists() and not replace):
        raise BadInput(f"{out}: is there already; give another --out, or --force to replace a file")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        yield part
        part.replace(out)
    except OSError as error:
        told = error.strerror or str(error)
        raise BadInput(f"{out}: cannot be written: {told}; give a file in a folder that is there, with room") from None
    finally:
        part.unlink(missing_ok=True)


def open_rows(path: Path, file_format: Format, columns: Sequence[Column]) -> RowFile:
    """A file for rows of these columns. Raises BadInput if the format's library is not installed."""
    return CsvRows(path, columns) if file_format == "csv" else ParquetRows(path, columns)


class CsvRows:
    """Comma-separated values in UTF-8, a heading first. No value is nothing between two commas; text always stands in quotes.

    Amounts are decimals to the last digit. Lines end as RFC 4180 says. Text may be the venue's: where it begins with a character of
    ``LIVE``, which a spreadsheet would take for a formula, an apostrophe goes before it; ``plain_text`` takes it off again.
    """

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._kinds = [column.kind for column in columns]
        self._file = path.open("w", encoding="utf-8", newline="")
        self._file.write(",".join(column.name for column in columns) + "\r\n")

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        kinds = self._kinds
        lines = (",".join(map(_cell, kinds, row)) for row in rows)
        self._file.write("".join(f"{line}\r\n" for line in lines))

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


def plain_text(cell: str) -> str:
    """The text that a text cell of a CSV file stands for."""
    return cell[1:] if cell[:1] == "'" else cell


def _cell(kind: str, value: Any) -> str:
    if value is None:
        return ""
    if kind == "amount":
        return format_e6(value)
    if isinstance(value, int):
        return str(value)
    text = str(value).replace('"', '""')
    return f'"\'{text}"' if text.startswith(LIVE) else f'"{text}"'


class ParquetRows:
    """Apache Parquet: whole numbers as int64, text as string, amounts as decimal128 with six places. Raises BadInput without pyarrow."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        try:
            import pyarrow  # type: ignore[import-untyped]
            import pyarrow.parquet  # type: ignore[import-untyped]
        except ImportError:
            raise BadInput("export: Parquet needs pyarrow: `uv sync --extra parquet`, or give --format csv") from None
        self._arrow = pyarrow
        types = {"whole": pyarrow.int64(), "text": pyarrow.string(), "amount": pyarrow.decimal128(38, 6)}
        self._kinds = [column.kind for column in columns]
        self._schema = pyarrow.schema([(column.name, types[column.kind]) for column in columns])
        self._file = pyarrow.parquet.ParquetWriter(path, self._schema, compression="zstd")

    def write(self, rows: Sequence[Row]) -> None:
        """Add rows."""
        values: list[Iterable[Any]] = []
        for index, kind in enumerate(self._kinds):
            cells = [row[index] for row in rows]
            values.append([_decimal(cell) for cell in cells] if kind == "amount" else cells)
        arrays = [self._arrow.array(cells, field.type) for cells, field in zip(values, self._schema, strict=True)]
        self._file.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def close(self) -> None:
        """Write what is left."""
        self._file.close()


def _decimal(value: int | None) -> Decimal | None:
    return None if value is None else Decimal(value).scaleb(-6)
