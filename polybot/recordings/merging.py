"""Several recordings written as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.base.errors import BadInput
from pipeline.recording.index import Made
from pipeline.recording.merging import Merge, Part
from pipeline.recording.new_folder import new_recording
from polybot.recordings.opened import open_recording


@dataclass(frozen=True)
class Merged:
    """What a merge wrote: its lines, how many were there twice, links that got another name, lines that could not be read."""

    lines: int
    dropped: int
    renamed: tuple[str, ...]
    bad_lines: int


def merge_recordings(
    paths: Sequence[Path], out: Path, *, verify: bool = True, shown: Callable[[int], None] = lambda done: None
) -> Merged:
    """Write the lines of several recordings, by their time of receipt and each once, as a recording at ``out``.

    Raises BadInput for what is no recording, was changed, is given twice, or is of another venue.
    """
    if len({path.resolve() for path in paths}) != len(paths) or len(paths) < 2:
        raise BadInput("merge: give two or more recordings, each once")
    recordings = [open_recording(path, verify=verify) for path in paths]
    merge = Merge([Part.of(recording) for recording in recordings])
    origins = tuple(dict.fromkeys(origin for part in merge.parts for origin in part.index.origins))
    earlier = tuple(dict.fromkeys(made for part in merge.parts for made in part.index.made))

    def made() -> Made:
        told = [f"merge of {', '.join(part.recording.path.name for part in merge.parts)}", *merge.renamed]
        if merge.dropped:
            told.append(f"{merge.dropped} lines were there twice")
        return Made(by="merge", sources=tuple(part.recording.path.name for part in merge.parts), text="; ".join(told))

    with new_recording(out, merge.recorded(), made, origins, earlier) as writer:
        for number, line in enumerate(merge.lines()):
            writer.keep(line)
            if not number & 0xFFF:
                shown(number)
    bad = sum(recording.bad_lines + recording.torn for recording in recordings)
    return Merged(writer.lines, merge.dropped, tuple(merge.renamed), bad)
