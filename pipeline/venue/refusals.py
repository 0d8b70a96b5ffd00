"""What the venue means when it refuses: its HTTP status and words as one of a few codes. Pure.

Source: error-codes page, seen 2026-11-22. Its texts change, so they are found by a part of them, never compared whole.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from pipeline.messages.edges import RefusalCode

_BY_WORDS: tuple[tuple[str, RefusalCode], ...] = (
    ("duplicated", "duplicate"),
    ("order crosses book", "crosses"),
    ("couldn't be fully filled", "no_match"),
    ("no orders found to match", "no_match"),
    ("no matching orders", "no_match"),
    ("not enough balance", "balance"),
    ("allowance", "balance"),
    ("minimum tick size", "invalid"),
    ("lower than the minimum", "invalid"),
    ("invalid amount", "invalid"),
    ("invalid order payload", "invalid"),
    ("order_version_mismatch", "invalid"),
    ("invalid expiration", "invalid"),
    ("invalid nonce", "invalid"),
    ("invalid signature", "invalid"),
    ("too many orders", "rate_limited"),
    ("address banned", "restricted"),
    ("closed only mode", "restricted"),
    ("restricted in your region", "restricted"),
    ("maker address not allowed", "restricted"),
    ("has to be the", "unauthorized"),
    ("invalid api key", "unauthorized"),
    ("unauthorized", "unauthorized"),
    ("no orderbook exists", "unknown_market"),
    ("market is not yet ready", "unknown_market"),
)
_UNAVAILABLE: tuple[tuple[str, RefusalCode], ...] = (
    ("post_only_mode", "post_only"),
    ("post-only", "post_only"),
    ("cancel-only", "cancel_only"),
    ("cancel only", "cancel_only"),
)
_BY_STATUS: dict[int, RefusalCode] = {
    400: "invalid",
    401: "unauthorized",
    403: "restricted",
    404: "unknown_market",
    425: "restarting",
    429: "rate_limited",
    503: "disabled",
}
_PLAIN: dict[int, str] = {425: "engine restarts", 429: "rate limit", 503: "trading is disabled"}


@dataclass(frozen=True)
class Refusal:
    """A refusal as one code, the venue's words, and how long it asks to wait (0: it does not say)."""

    code: RefusalCode
    text: str
    retry_after_ms: int = 0


def refusal_of(status: int, body: str, retry_after_s: str = "") -> Refusal:
    """What an answer means that is no success. ``retry_after_s`` is the Retry-After header, "" without one."""
    text, asked_s = _words(body)
    words = text.lower()
    code: RefusalCode = _BY_STATUS.get(status, "internal")
    if status == 503:
        code = next((code for part, code in _UNAVAILABLE if part in body.lower()), "disabled")
    elif status in (400, 401, 403, 404, 500):
        code = next((code for part, code in _BY_WORDS if part in words), code)
    seconds = retry_after_s if retry_after_s.isdigit() else asked_s
    return Refusal(code, text or _PLAIN.get(status, f"HTTP {status}"), 1_000 * int(seconds or "0"))


def _words(body: str) -> tuple[str, str]:
    """(the message, the seconds to wait) in an error's body; a body that is no JSON object is the message itself."""
    try:
        told = json.loads(body)
    except ValueError:
        return body.strip(), ""
    if not isinstance(told, dict):
        return body.strip(), ""
    text = next((str(told[key]) for key in ("error", "errorMsg", "error_msg", "message") if told.get(key)), body.strip())
    seconds = told.get("retry_after_seconds")
    return text, str(seconds) if isinstance(seconds, int) and seconds >= 0 else ""
