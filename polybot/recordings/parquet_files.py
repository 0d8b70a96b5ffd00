"""The two tables of a recording as Apache Parquet: ``frames.parquet``, from which its bytes come back, and ``level2.parquet``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadInput
from pipeline.recording.index import Made
from pipeline.recording.lines import Line, decode_line, encode_line, with_data
from polybot.recordings.level2 import Change

FRAMES, LEVEL2 = "frames.parquet", "level2.parquet"
BATCH = 20_000
Shown = Callable[[int], None]


class Origin(msgspec.Struct, frozen=True):
    """What the table of frames tells of the recording that it was made of."""

    venue: str = ""
    origins: tuple[str, ...] = ()
    made: tuple[Made, ...] = ()


def arrow() -> Any:
    """The library. Raises BadInput if it is not installed."""
    try:
        import pyarrow  # type: ignore[import-untyped]
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError:
        raise BadInput("convert: Parquet needs pyarrow: `uv sync --extra parquet`") from None
    return pyarrow


def _frames_schema(pa: Any, origin: Origin) -> Any:
    text, whole = pa.string(), pa.int64()
    columns = [
        ("segment", pa.int32()), ("kind", text), ("ts_ns", whole), ("mono_ns", whole), ("link_id", text), ("data", pa.binary()),
        ("state", text), ("reason", text), ("request", text), ("request_id", whole), ("status", whole), ("error", text),
        ("token_ids", pa.list_(text)), ("made", text), ("line", pa.binary()),
    ]  # fmt: skip
    return pa.schema(columns, metadata={"polybot": msgspec.json.encode(origin)})


def write_frames(texts: Iterable[tuple[int, bytes]], path: Path, origin: Origin) -> int:
    """Write lines with the number of their segment. ``line`` holds the text of one that its columns do not give back exactly.

    Returns how many.
    """
    pa = arrow()
    schema = _frames_schema(pa, origin)
    count = 0
    rows = (_row(segment, text) for segment, text in texts)
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as file:
        while batch := list(islice(rows, BATCH)):
            columns = [pa.array(values, field.type) for values, field in zip(zip(*batch, strict=True), schema, strict=True)]
            file.write_batch(pa.record_batch(columns, schema=schema))
            count += len(batch)
    return count


def _row(segment: int, text: bytes) -> tuple[Any, ...]:
    try:
        line = decode_line(text)
    except ValueError:
        return (segment, "", 0, 0, "", None, None, "", "", 0, 0, "", (), "", text)
    data = None if line.text is None and line.base64 is None else line.data
    row = (
        segment, line.kind, line.ts_ns, line.mono_ns, line.link, data, line.state, line.reason, line.request, line.request_id,
        line.status, line.error, line.token_ids, line.made,
    )  # fmt: skip
    return (*row, None if _text(row) == text else text)


def _text(row: tuple[Any, ...]) -> bytes:
    """The line that the columns of a row give."""
    _, kind, ts_ns, mono_ns, link, data, state, reason, request, request_id, status, error, token_ids, made = row[:14]
    line = Line(
        kind=kind, ts_ns=ts_ns, mono_ns=mono_ns, link=link, state=state, reason=reason, request=request, request_id=request_id,
        status=status, error=error, token_ids=tuple(token_ids), made=made,
    )  # fmt: skip
    return encode_line(line if data is None else with_data(line, data))


def read_origin(path: Path) -> Origin:
    """What a table of frames tells of its recording. Raises BadInput if it is no such table."""
    pa = arrow()
    try:
        schema = pa.parquet.read_schema(path)
        told = (schema.metadata or {}).get(b"polybot")
        if told is None or not set(_frames_schema(pa, Origin()).names) <= set(schema.names):
            raise BadInput(f"{path}: not a table of frames; only `polybot recordings convert` writes those")
        return msgspec.json.decode(told, type=Origin)
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path}: not Parquet: {str(error).splitlines()[0]}") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadInput(f"{path}: says nothing of its recording that can be read") from None


def read_frames(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a table of frames, with their segments. Raises BadInput for a row that is none."""
    pa = arrow()
    names = _frames_schema(pa, Origin()).names
    number = 0
    try:
        for batch in pa.parquet.ParquetFile(path).iter_batches(batch_size=BATCH, columns=names):
            values = batch.to_pydict()
            for row in zip(*(values[name] for name in names), strict=True):
                number += 1
                try:
                    text = row[14] if row[14] is not None else _text(row)
                    if row[14] is None:
                        decode_line(text)
                except (TypeError, ValueError) as error:
                    raise BadInput(f"{path}: row {number}: no line of a recording: {error}") from None
                yield row[0] or 0, text
    except (OSError, pa.ArrowException) as error:
        raise BadInput(f"{path}: cannot be read: {str(error).splitlines()[0]}") from None


def write_changes(changes: Iterator[Change], path: Path) -> int:
    """Write level-2 rows: prices and sizes as whole millionths, times in nanoseconds and the venue's milliseconds. Returns how many."""
    pa = arrow()
    text, whole = pa.string(), pa.int64()
    words = frozenset({"event", "market", "token_id", "side", "hash"})
    schema = pa.schema([(name, text if name in words else whole) for name in Change._fields])
    count = 0
    with pa.parquet.ParquetWriter(path, schema, compression="zstd") as file:
        while batch := list(islice(changes, BATCH)):
            columns = [pa.array(values, field.type) for values, field in zip(zip(*batch, strict=True), schema, strict=True)]
            file.write_batch(pa.record_batch(columns, schema=schema))
            count += len(batch)
    return count
