"""No line of a log holds a secret or commands a terminal, whatever was logged."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog

from pipeline.base.log import get_logger, set_up_logging
from pipeline.base.redaction import HIDDEN, hide, redacted, redacted_fields

MARKER = "5ecre7-marker-of-this-test-0a1b2c"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[io.StringIO, Terminal])
def out(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Where log lines go: a pipe, or a terminal."""
    stream: io.StringIO = request.param()
    set_up_logging("debug", stream, role="test")
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_known_secret_is_in_no_line(out: io.StringIO) -> None:
    hide(MARKER)
    get_logger().info("order_sent", note=f"with {MARKER}", nested={"deep": [MARKER]}, thing=Exception(MARKER))
    assert MARKER not in out.getvalue() and "order_sent" in out.getvalue() and HIDDEN in out.getvalue()


def test_a_traceback_holds_no_secret(out: io.StringIO) -> None:
    hide(MARKER)
    try:
        secret = MARKER
        raise ValueError(f"cannot use {secret}")
    except ValueError:
        get_logger().error("process_failed", exc_info=True)
    assert MARKER not in out.getvalue() and "ValueError" in out.getvalue()


def test_a_field_that_is_secret_by_name_has_no_value(out: io.StringIO) -> None:
    get_logger().info("signed", api_secret="abcdefgh", headers={"POLY_SIGNATURE": "0xf00dfood", "POLY_TIMESTAMP": "17"})
    told = out.getvalue()
    assert "abcdefgh" not in told and "f00dfood" not in told and "17" in told


def test_text_from_outside_cannot_command_a_terminal(out: io.StringIO) -> None:
    get_logger().warning("frame_refused", question="\x1b[2J\x1b]0;owned\x07 two\nlines")
    told = out.getvalue()
    assert "\x1b[2J" not in told and "\x07" not in told and "\x1b]0" not in told
    assert told.count("\n") == 1


def test_a_line_of_a_pipe_is_json_with_all_its_fields() -> None:
    stream = io.StringIO()
    set_up_logging("info", stream, role="writer")
    get_logger().info("committed", rows=3)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    told = json.loads(stream.getvalue())
    assert (told["event"], told["rows"], told["role"], told["level"]) == ("committed", 3, "writer", "info")


@pytest.mark.parametrize("value", ["", "short", "1234567"])
def test_what_is_too_short_to_guard_anything_is_left_alone(value: str) -> None:
    hide(value)
    assert redacted(f"a {value} b") == f"a {value} b"


def test_a_key_is_hidden_with_and_without_its_prefix_in_either_case() -> None:
    hide("0xAB12cd34EF")
    assert redacted("0xAB12cd34EF ab12cd34ef") == f"0x{HIDDEN} {HIDDEN}"


def test_empty_secrets_and_other_fields_stay() -> None:
    assert redacted_fields({"secret": "", "price": 3, "list": [{"passphrase": "p"}]}) == {
        "secret": "",
        "price": 3,
        "list": [{"passphrase": HIDDEN}],
    }


@pytest.mark.parametrize(
    "where",
    ["raise ValueError(secret)", "import threading; t = threading.Thread(target=int, args=(secret,)); t.start(); t.join()"],
)
def test_an_error_that_nobody_handles_is_told_without_secrets(where: str) -> None:
    program = f"from pipeline.base.redaction import *; secret = input(); hide(secret); redact_tracebacks(); {where}"
    done = subprocess.run([sys.executable, "-c", program], input=MARKER, capture_output=True, text=True, timeout=30)
    assert "ValueError" in done.stderr and HIDDEN in done.stderr
    assert MARKER not in done.stderr


def test_a_process_that_logs_does_not_pay_for_what_only_a_screen_needs() -> None:
    program = "import sys, pipeline.base.log; print('rich' in sys.modules); import rich; print(rich.__name__)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["False", "rich"]
