"""What of a recording's lines is about some markets only.

A line that is about others as well is cut down to its part; all else stays as it was received, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import msgspec

from pipeline.base.nesting import nests_too_deeply
from pipeline.messages.market import Market
from pipeline.recording.lines import Line

_TOKEN = re.compile(r'"asset_id"\s*:\s*"(\d{1,90})"')
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_NOT_JSON = (msgspec.DecodeError, ValueError, RecursionError)


class _About(msgspec.Struct, gc=False):
    """What a frame, or one of a list, is about; ``data`` wraps a generic one. Ids may be numbers on the generic stream."""

    market: Any = None
    asset_id: Any = None
    assets_ids: Any = None
    data: Any = None


_about = msgspec.json.Decoder(_About)


class OfMarkets:
    """Keeps what is about the given markets, and what is about none: heartbeats, unnamed frames, the life of links."""

    def __init__(self, markets: Collection[Market], market_ids: Collection[str] = ()) -> None:
        """``market_ids`` are further markets, of which no more is known."""
        self._markets = frozenset(market.market_id for market in markets) | frozenset(market_ids)
        self._tokens = frozenset(token_id for market in markets for token_id in market.token_ids)

    def line(self, line: Line) -> Line | None:
        """The line, its part, or None if it is about others."""
        match line.kind:
            case "ws_in":
                return self._frame(line)
            case "ws_out":
                return line if self._asks_for_ours(line.data) else None
            case "rest" | "link" | "refused":
                return self._with_our_tokens(line)
        return line

    def is_ours(self, token_id: str, market: str = "") -> bool:
        """Whether a token belongs to one of the markets."""
        return token_id in self._tokens or (market or token_id.rpartition("/")[0]) in self._markets

    def _frame(self, line: Line) -> Line | None:
        data = line.data
        if nests_too_deeply(data):
            return line if self._names_ours(data) else None
        try:
            if not data.lstrip().startswith(b"["):
                return line if self._is_about_ours(_about.decode(data)) else None
            items = _raws.decode(data)
            ours = [item for item in items if self._is_about_ours(_about.decode(item))]
        except _NOT_JSON:
            return line if self._names_ours(data) else None
        if len(ours) == len(items):
            return line
        if not ours:
            return None
        text = "[" + ",".join(bytes(item).decode() for item in ours) + "]"
        made = f"a part of the frame: {len(ours)} of its {len(items)} events"
        return msgspec.structs.replace(line, text=text, base64=None, made=made)

    def _is_about_ours(self, about: _About) -> bool:
        if isinstance(about.data, dict):
            about = msgspec.convert(about.data, _About)
        if about.market is None and about.asset_id is None:
            return True
        return str(about.market) in self._markets or about.asset_id in self._tokens

    def _names_ours(self, data: bytes) -> bool:
        """Of a frame that nobody understands: whether it names no token, or one of ours."""
        named = _TOKEN.findall(data.decode(errors="replace"))
        return not named or any(token_id in self._tokens for token_id in named)

    def _asks_for_ours(self, data: bytes) -> bool:
        try:
            wanted = _about.decode(data).assets_ids
        except _NOT_JSON:
            return True
        return not isinstance(wanted, list) or all(token_id in self._tokens for token_id in wanted)

    def _with_our_tokens(self, line: Line) -> Line | None:
        ours = tuple(token_id for token_id in line.token_ids if self.is_ours(token_id))
        if len(ours) == len(line.token_ids):
            return line
        return msgspec.structs.replace(line, token_ids=ours) if ours else None
