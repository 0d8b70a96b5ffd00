"""How Gamma's listings are read: which page comes next, and when an answer is worth asking for again. Pure; ``gamma.py`` does the asking.

Keyset listings (``/markets/keyset``, ``/events/keyset``) send ``after_cursor`` back until there is no ``next_cursor``; a host that does not
know them gets the older ``offset`` listings (Polymarket documentation, seen 2026-10).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

import msgspec

from pipeline.base.errors import PolybotError
from pipeline.venue.gamma_decode import decode_page

Kind = Literal["markets", "events"]
Filters = tuple[tuple[str, str], ...]
PAGE_SIZE = 100
"""The most markets a keyset page may have; events may have 500, but are much larger."""
NO_ANSWER = 0


class CatalogueUnavailable(PolybotError):
    """The catalogue gave no usable answer, also when asked again."""


@dataclass(frozen=True)
class Get:
    """One request: a path below the base address, and its query."""

    path: str
    params: Filters


@dataclass(frozen=True)
class Reply:
    """One answer; status 0 is none, and ``error`` says why."""

    status: int
    body: bytes = b""
    retry_after: str = ""
    error: str = ""


class Listing:
    """One listing from its first page to its last: ask ``next_get()`` until it is None, and hand each answer to ``take``."""

    def __init__(self, kind: Kind, filters: Filters = (), page_size: int = PAGE_SIZE) -> None:
        self.kind = kind
        self._filters = filters
        self._page_size = page_size
        self._by_offset = False
        self._offset = 0
        self._cursor = ""
        self._last_body = b""
        self._done = False

    def next_get(self) -> Get | None:
        """The next request; None after the last page."""
        if self._done:
            return None
        params = (("limit", str(self._page_size)), *self._filters)
        if self._by_offset:
            return Get(f"/{self.kind}", (*params, ("offset", str(self._offset))))
        return Get(f"/{self.kind}/keyset", (*params, ("after_cursor", self._cursor)) if self._cursor else params)

    def take(self, reply: Reply) -> tuple[msgspec.Raw, ...]:
        """The objects of an answer. Raises CatalogueUnavailable if it is refused, BadFrame if it is no page."""
        if reply.status == 404 and not self._by_offset and not self._cursor:
            self._by_offset = True
            return ()
        if reply.status != 200:
            raise CatalogueUnavailable(f"it answered {describe(reply)} to a listing of {self.kind}")
        page = decode_page(reply.body)
        if self._by_offset:
            # The size of a short page says nothing, as hosts cap it; a host that ignores the offset repeats itself.
            if not page.objects or reply.body == self._last_body:
                self._done = True
                return ()
            self._offset += len(page.objects)
            self._last_body = reply.body
        else:
            if page.next_cursor == self._cursor and self._cursor:
                raise CatalogueUnavailable(f"its listing of {self.kind} repeats the cursor {self._cursor!r}")
            self._cursor = page.next_cursor
            self._done = not page.next_cursor
        return page.objects


@dataclass(frozen=True)
class RetryRules:
    """When a request is made again: bounded in number, waiting longer each time, never shorter than the host asks for."""

    attempts: int = 4
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def wait_s(self, reply: Reply, attempt: int, rng: Random) -> float | None:
        """Seconds until the next attempt after the ``attempt``-th (from 1); None: this answer is the last."""
        if not is_passing(reply) or attempt >= self.attempts:
            return None
        asked = asked_wait_s(reply)
        if asked > self.longest_wait_s:
            return None
        wait = min(self.longest_wait_s, self.first_wait_s * 2.0 ** (attempt - 1))
        return max(asked, wait * rng.uniform(0.5, 1.0))


def is_passing(reply: Reply) -> bool:
    """Whether the same request may well succeed later: no answer, too many requests, or trouble of the host's own."""
    return reply.status in (NO_ANSWER, 429) or reply.status >= 500


def asked_wait_s(reply: Reply) -> float:
    """The seconds of a Retry-After; 0 without one or where it is a date."""
    text = reply.retry_after.strip()
    return float(text) if text.isascii() and text.isdigit() else 0.0


def describe(reply: Reply) -> str:
    """An answer in a few words."""
    if reply.status == NO_ANSWER:
        return reply.error or "nothing"
    asked = f", asking to wait {reply.retry_after} s" if reply.retry_after else ""
    return f"HTTP {reply.status}{asked}"


def in_chunks(values: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """The values in groups small enough for one request."""
    return [tuple(values[i : i + size]) for i in range(0, len(values), size)]
