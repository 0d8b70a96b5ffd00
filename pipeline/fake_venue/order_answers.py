"""Answers of the private endpoints: JSON, refusals, pages, and those that come late or never."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from pipeline.fake_venue import gamma
from pipeline.fake_venue.accounts import Refused

PAGE = 100
FIRST_CURSOR, LAST_CURSOR = "MA==", "LTE="
Item = TypeVar("Item")


class Late:
    """An answer that is sent only after some seconds."""

    def __init__(self, seconds: float, content: Any) -> None:
        self.seconds = seconds
        self.content = content


class Dropped(Response):
    """No answer: the connection is cut."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # ASGI has no word for it; uvicorn's ``receive`` is bound to the exchange that holds the transport.
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is not None:
            transport.abort()
            while (await receive())["type"] != "http.disconnect":
                pass


def json_reply(content: Any, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(gamma.encode(content), status, media_type="application/json")


def refusal(refused: Refused) -> Response:
    """A request that is not followed, as an answer."""
    reply = json_reply(refused.body, refused.status)
    if refused.retry_after_s is not None:
        reply.headers["Retry-After"] = str(refused.retry_after_s)
    return reply


def page(items: Sequence[Item], cursor: str, body_of: Callable[[Item], dict[str, Any]]) -> dict[str, Any]:
    """One page of a list, and the cursor of what follows. Raises Refused (400) for a cursor that was never given out."""
    try:
        start = int(base64.b64decode(cursor or FIRST_CURSOR, validate=True))
    except (ValueError, binascii.Error):
        raise Refused(400, "invalid next_cursor") from None
    data = [body_of(item) for item in items[start : start + PAGE]] if start >= 0 else []
    more = 0 <= start + PAGE < len(items)
    following = base64.b64encode(str(start + PAGE).encode()).decode() if more else LAST_CURSOR
    return {"limit": PAGE, "count": len(data), "next_cursor": following, "data": data}


def refused_entry(text: str) -> dict[str, Any]:
    """A rejection inside a batch: it calls itself a success."""
    return {
        "success": True,
        "errorMsg": text,
        "orderID": "",
        "status": "",
        "makingAmount": "",
        "takingAmount": "",
        "tradeIDs": [],
        "transactionsHashes": [],
    }
