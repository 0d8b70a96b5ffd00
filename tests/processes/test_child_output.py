"""Lines of the processes: prefixed for a person, JSON for a program, files beside a live view."""

from __future__ import annotations

import contextlib
import io
import json
import os

from processes.child_output import FileOutput, JsonOutput, PrefixedOutput, last_line, readable, role_stream, tail

EVENT = json.dumps(
    {"role": "writer", "run_id": "r", "event": "database_opened", "rows": 3}
    | {"level": "warning", "timestamp": "2025-11-22T16:04:05.123456Z"}
)


def test_a_person_reads_the_role_then_the_line():
    out = io.StringIO()
    output = PrefixedOutput(out, ["writer", "book_builder"], colour=False)
    output.line("writer", "plain words")
    output.line("book_builder", EVENT)
    assert out.getvalue() == ("writer       | plain words\nbook_builder | 16:04:05.123 warning database_opened rows=3\n")


def test_a_terminal_gives_each_role_its_colour_and_warnings_theirs():
    out = io.StringIO()
    output = PrefixedOutput(out, ["writer", "gateway"], colour=True)
    output.line("writer", EVENT)
    output.line("gateway", "hello")
    first, second = out.getvalue().splitlines()
    assert first == "\x1b[36mwriter     |\x1b[0m \x1b[33m16:04:05.123 warning database_opened rows=3\x1b[0m"
    assert second == "\x1b[33mgateway    |\x1b[0m hello"


def test_a_pipe_gets_json_lines_with_the_role_in_each():
    out = io.StringIO()
    output = JsonOutput(out)
    output.line("writer", EVENT)
    output.line("fake_venue", '{"event": "x"}')
    output.line("gateway", "Traceback: ü")
    first, second, third = map(json.loads, out.getvalue().splitlines())
    assert first == json.loads(EVENT)
    assert second == {"role": "fake_venue", "event": "x"}
    assert third == {"role": "gateway", "event": "output", "text": "Traceback: ü"}


def test_files_are_one_a_role(tmp_path):
    output = FileOutput(tmp_path)
    role_stream(output, "supervisor").write("one\ntwo\nhal")
    assert output.file_of("supervisor").read_text() == "one\ntwo\n"
    assert tail(output.file_of("supervisor"), start=4) == ["two"]
    assert tail(output.file_of("writer")) == []


def test_a_line_that_only_looks_like_json_stays_as_it_is():
    assert readable("{oops") == "{oops"
    assert readable("[1]") == "[1]"


def test_the_last_line_is_the_last_that_says_something():
    assert last_line([]) == "no output"
    assert last_line(["a", "", "  "]) == "a"
    trace = json.dumps({"event": "process_failed", "exception": "Traceback\n  File\nValueError: no such thing"})
    assert last_line([trace, ""]) == "ValueError: no such thing"


def test_lines_are_thrown_away_once_nobody_reads():
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "w") as out:
        output = JsonOutput(out)
        assert not output.closed
        os.close(read_end)
        output.line("writer", "one")
        output.line("writer", "two")
        assert output.closed
        with contextlib.suppress(BrokenPipeError):
            out.close()
