"""A path that must be one of Polybot's own recordings."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.recording.reader import Recording
from pipeline.recording.source import open_frames
from polybot.recordings.parquet_files import FRAMES


def open_recording(path: Path, *, verify: bool = True) -> Recording:
    """The recording, whose checksums hold if ``verify``. Raises BadInput for another kind of file, or what was changed."""
    if path.is_dir() and (path / FRAMES).is_file():
        raise BadInput(f"{path}: holds the tables of a recording; make it one with `polybot recordings convert {path} --out OUT`")
    if not path.is_dir() and (kind := open_frames(path).kind) != "recording":
        raise BadInput(f"{path}: holds {kind}, no recording; `polybot recordings convert {path} --to frames --out OUT` makes one")
    recording = Recording(path)
    if verify:
        recording.verify()
    return recording
