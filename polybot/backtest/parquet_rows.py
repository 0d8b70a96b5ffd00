"""Level-2 data in Apache Parquet: the columns of level-2 CSV, read by the same mapping; and ``level2.parquet`` of `recordings convert`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.base.errors import BadInput
from pipeline.messages import Message
from pipeline.recording.level2 import Columns, read_rows
from polybot.recordings.level2 import CSV_COLUMNS, Change, csv_row

MAGIC = b"PAR1"
ROWS = 16_384


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) == MAGIC


def parquet_messages(path: Path, market: str, columns: Columns | None) -> Iterator[Message]:
    """The rows in order, each one message, as of level-2 CSV. Raises BadInput, also without pyarrow."""
    return read_rows(path, _texts(path), market, columns)


def _texts(path: Path) -> Iterator[list[str]]:
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError:
        raise BadInput(f"{path}: Parquet needs pyarrow: `uv sync --extra parquet`, or give CSV") from None
    try:
        file = pyarrow.parquet.ParquetFile(path)
        names = list(file.schema_arrow.names)
        ours = tuple(names) == Change._fields
        yield list(CSV_COLUMNS) if ours else names
        for batch in file.iter_batches(ROWS):
            columns = [column.to_pylist() for column in batch.columns]
            for row in zip(*columns, strict=True):
                yield csv_row(Change(*row)) if ours else [_text(value) for value in row]
    except (pyarrow.ArrowException, OSError) as error:
        raise BadInput(f"{path}: not a whole Parquet file: {str(error).splitlines()[0]}") from None


def _text(value: Any) -> str:
    return "" if value is None else str(value)
