"""What the server serves: timed frames and the state behind them. The exchange is one such source, a recording another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pipeline.fake_venue.gamma import Listing
from pipeline.fake_venue.wire import Frame


class Source(Protocol):
    """Time is handed in, in UTC nanoseconds; nothing in a source waits."""

    def begin(self, start_ns: int) -> None:
        """Called once, before the first ``advance``, where time stands still until somebody subscribes."""

    def advance(self, until_ns: int, at_most: int | None = None) -> list[Frame]:
        """The frames up to ``until_ns``, in order; after ``at_most`` or a few more it may return early, to be called again."""

    def next_ns(self) -> int | None:
        """When the next frame may come; None when there will be none."""

    def list_frame(self, token_ids: Sequence[str]) -> str:
        """The answer to a subscription: the books of those of the tokens that are open."""

    def is_settled(self, token_id: str) -> bool:
        """The token's market has resolved."""

    def rest_book(self, token_id: str) -> dict[str, Any] | None:
        """CLOB ``/book`` of a token; None where the venue says that no orderbook exists."""

    def listings(self) -> list[Listing]:
        """All markets as the catalogue shows them."""
