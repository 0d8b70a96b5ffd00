"""The Procfile is read without a shell, on every platform alike, and refused with file and line."""

from __future__ import annotations

import pytest

from pipeline.base.errors import BadInput
from processes.procfile import PROCFILE, PROCFILE_DEMO, RoleCommand, find_procfile, parse_procfile, read_procfile


def test_roles_come_in_the_order_of_the_file_with_our_own_interpreter():
    text = "# the venue first\nfake_venue: python -m processes.fake_venue\n\nwriter: python -m processes.writer --fast\n"
    assert parse_procfile(text, "Procfile", "/opt/py/bin/python3.11") == (
        RoleCommand("fake_venue", ("/opt/py/bin/python3.11", "-m", "processes.fake_venue")),
        RoleCommand("writer", ("/opt/py/bin/python3.11", "-m", "processes.writer", "--fast")),
    )


def test_quotes_group_words_and_backslashes_stay():
    (command,) = parse_procfile(r"""writer: C:\tools\run.exe "a b" 'c;d' --dir C:\data\x""", "Procfile")
    assert command.argv == (r"C:\tools\run.exe", "a b", "c;d", "--dir", r"C:\data\x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("writer python -m x", "Procfile:1: 'writer python -m x' is not `name: command`"),
        ("a: x\n\nb:", "Procfile:3: the command is empty"),
        ("a: x\na: y", "Procfile:2: role a is named twice"),
        ("a: x 'y", 'Procfile:1: "x \'y": no closing quotation'),
        ("a: exec python x", "uses shell syntax"),
        ("a: PORT=1 python x", "uses shell syntax"),
        ("a: python x | tee y", "uses shell syntax"),
        ("a: python x --port $PORT", "uses shell syntax"),
        ("a: python x && y", "uses shell syntax"),
        ("# nothing\n", "Procfile: names no role"),
    ],
)
def test_what_is_not_a_procfile_is_refused_with_its_line(text, complaint):
    with pytest.raises(BadInput, match=r".*") as refused:
        parse_procfile(text, "Procfile")
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere: cannot be read"):
        read_procfile(tmp_path / "nowhere")


def test_the_demo_adds_the_fake_venue_to_the_six():
    six = [command.role for command in read_procfile(find_procfile(PROCFILE))]
    demo = [command.role for command in read_procfile(find_procfile(PROCFILE_DEMO))]
    assert six == ["scheduler", "gateway", "book_builder", "writer", "executor", "strategy"]
    assert demo == ["fake_venue", *six]
