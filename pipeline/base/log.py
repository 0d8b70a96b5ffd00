"""Structured logs, set up once: JSON lines, or coloured lines in a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

# structlog imports rich where it is installed, for tracebacks that are printed plainly here: a third of what a process needs to start.
sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
import structlog  # noqa: E402

if sys.modules["rich"] is None:
    del sys.modules["rich"]

from pipeline.base.printable import printable  # noqa: E402
from pipeline.base.redaction import redacted, redacted_fields  # noqa: E402

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up_logging(level: str = "info", out: TextIO | None = None, **bound: Any) -> None:
    """Send log events to ``out`` (standard output by default), with ``bound`` (role, run_id) on each of them."""
    stream = sys.stdout if out is None else out
    person = stream.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if person
        else structlog.processors.JSONRenderer(sort_keys=False, default=str)
    )
    structlog.configure(
        # The last one writes the line, and no line holds a secret that this process knows, wherever it came from.
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _without_secret_fields,
            *([_harmless] if person else []),
            lambda logger, name, event: redacted(renderer(logger, name, event)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**bound)


def set_up_logging_once(level: str = "warning", out: TextIO | None = None) -> None:
    """Set up for a program that did not: warnings to standard error. Whatever was set up before stays."""
    if not structlog.is_configured():
        set_up_logging(level, sys.stderr if out is None else out)


def get_logger() -> Any:
    """The logger; what was bound in ``set_up_logging`` is on every event."""
    return structlog.get_logger()


def _without_secret_fields(logger: Any, name: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """A processor: fields that are secret by name lose their values."""
    return redacted_fields(event)


def _harmless(logger: Any, name: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """A processor for terminals: texts from outside cannot command them. JSON escapes by itself; a traceback keeps its lines."""
    return {
        key: "\n".join(map(printable, value.split("\n")))
        if key == "exception"
        else printable(value)
        if type(value) is str
        else value
        for key, value in event.items()
    }
