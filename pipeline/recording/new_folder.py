"""A recording that is made of others: its folder appears when it is whole, and an error leaves nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from pipeline.base.errors import BadInput
from pipeline.recording.index import Made, read_index, write_index
from pipeline.recording.markets import RecordedMarkets, write_markets
from pipeline.recording.writer import RecordingWriter, segments_of


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` to fill, which becomes ``out`` at the end of the block.

    Raises BadInput if ``out`` is there already or cannot be written.
    """
    if out.exists():
        raise BadInput(f"{out}: is there already; give a folder that is not")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        try:
            part.mkdir(mode=0o700)
            yield part
            part.replace(out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        told = error.strerror or str(error)
        raise BadInput(f"{out}: cannot be written: {told}; give a name in a folder that is there, with room") from None


@contextmanager
def new_file(out: Path) -> Iterator[Path]:
    """A file beside ``out`` to write, which becomes ``out`` at the end of the block. Raises BadInput as ``new_folder`` does."""
    if out.exists():
        raise BadInput(f"{out}: is there already; give a file that is not")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        try:
            os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            yield part
            part.replace(out)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        told = error.strerror or str(error)
        raise BadInput(f"{out}: cannot be written: {told}; give a name in a folder that is there, with room") from None


@contextmanager
def new_recording(
    out: Path, recorded: RecordedMarkets, made: Callable[[], Made], origins: tuple[str, ...] = (), earlier: tuple[Made, ...] = ()
) -> Iterator[RecordingWriter]:
    """The writer of a recording that will be ``out``. Its index tells how it was ``made``, which is asked at the end, after ``earlier``.

    Raises BadInput if ``out`` is there already, cannot be written, or nothing was written.
    """
    with new_folder(out) as part:
        writer = RecordingWriter(part, venue=recorded.venue)
        try:
            yield writer
        finally:
            writer.close()
        if not writer.lines:
            raise BadInput(f"{out}: not made, as nothing would be in it")
        if recorded.markets or recorded.venue:
            write_markets(part, recorded)
        index = read_index(part)
        if len(index.segments) != len(segments_of(part)):
            raise BadInput(f"{out}: cannot be written whole; is there room?")
        write_index(part, msgspec.structs.replace(index, made=(*earlier, made()), origins=origins or index.origins))
