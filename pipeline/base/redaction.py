"""What must not be shown: the secrets that this process knows, by value, and fields that are secret by their name.

The second line of defence of logs; the first is that only what signs reads the secrets, and that no text of a wallet holds them.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Mapping
from types import TracebackType
from typing import Any

HIDDEN = "(not shown)"
SECRET_NAMES = frozenset(
    {
        "private_key",
        "api_secret",
        "api_passphrase",
        "secret",
        "passphrase",
        "password",
        "poly_signature",
        "poly_passphrase",
        "poly_api_key",
        "authorization",
        "cookie",
    }
)
"""Fields whose values are never shown, in lower case."""
_SHORTEST = 8
"""A shorter value would black out half of a log, and guards nothing."""
_DEEPEST = 6
_known: set[str] = set()


def hide(*values: str) -> None:
    """Never show these texts again, wherever they stand in a log line; nor, of a number in hexadecimal, its digits alone."""
    for value in values:
        digits = value.strip().removeprefix("0x")
        if len(digits) >= _SHORTEST:
            _known.update((digits, digits.lower()))


def redacted(text: str) -> str:
    """The text without the secrets that are known."""
    for secret in _known:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def redact_tracebacks() -> None:
    """From here on an error that nobody handles is told without the secrets that are known. For programs, not libraries."""

    def tell(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
        sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, trace))))

    def tell_of_thread(args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread is not None else "?"
        sys.stderr.write(f"In thread {name}:\n")
        tell(args.exc_type, args.exc_value, args.exc_traceback)

    # Whoever put a hook of his own there keeps it.
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = tell
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = tell_of_thread


def redacted_fields(fields: Mapping[str, Any], depth: int = 0) -> dict[str, Any]:
    """The same fields, without the values of those that are secret by name."""
    return {
        name: HIDDEN if str(name).lower() in SECRET_NAMES and value else _redacted_value(value, depth)
        for name, value in fields.items()
    }


def _redacted_value(value: Any, depth: int) -> Any:
    if depth >= _DEEPEST:
        return value
    if isinstance(value, Mapping):
        return redacted_fields(value, depth + 1)
    if isinstance(value, (list, tuple)):
        return [_redacted_value(item, depth + 1) for item in value]
    return value
