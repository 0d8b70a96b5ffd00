"""A folder of the pipeline's is its owner's alone, also one that was open to others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.base.private import check_state_folder, keep_private, private_folder, state_folder

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_folder_is_made_private_also_where_it_was_not(tmp_path: Path) -> None:
    old = tmp_path / "old"
    old.mkdir()
    old.chmod(0o755)
    assert [mode(private_folder(folder)) for folder in (old, tmp_path / "new")] == [0o700, 0o700]


def test_a_program_makes_nothing_that_others_can_read(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        keep_private()
        (tmp_path / "file").write_text("x")
        (tmp_path / "folder").mkdir()
    finally:
        os.umask(before)
    assert (mode(tmp_path / "file"), mode(tmp_path / "folder")) == (0o600, 0o700)


def test_a_file_in_the_place_of_a_state_directory_is_refused_in_one_line_and_nothing_is_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        for refuse in (check_state_folder, state_folder):
            with pytest.raises(BadInput, match=r"cannot be used as a state directory: .*; give another --state-dir"):
                refuse(place)
    check_state_folder(tmp_path / "new" / "one")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
