"""Structured logs, set up once: JSON lines, or coloured lines in a terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def set_up_logging(level: str = "info", out: TextIO | None = None, **bound: Any) -> None:
    """Send log events to ``out`` (standard output by default), with ``bound`` (role, run_id) on each of them."""
    stream = sys.stdout if out is None else out
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if stream.isatty() else structlog.processors.JSONRenderer(sort_keys=False, default=str)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
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
