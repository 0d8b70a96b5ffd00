"""An operator's word on disk is read back as it was left, and nothing else is taken for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.base.halt_file import NAME, HaltWord, read_halt, write_halt


def test_the_last_word_is_read_back_and_nothing_else_is_left(tmp_path: Path) -> None:
    state_dir = tmp_path / "new" / "var"
    assert read_halt(state_dir) is None
    write_halt(state_dir, HaltWord(True, "news", 5))
    assert write_halt(state_dir, HaltWord(False, "over", 6)) == state_dir / NAME
    assert read_halt(state_dir) == HaltWord(False, "over", 6)
    assert [file.name for file in state_dir.iterdir()] == [NAME]


@pytest.mark.parametrize("text", ["", "{}", "halt", '{"halted":1,"reason":"","ts_ns":0}'])
def test_what_is_no_such_word_is_refused_with_what_to_do(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(BadInput, match=r"cannot be read: .*say `polybot halt` or `polybot resume`"):
        read_halt(tmp_path)
