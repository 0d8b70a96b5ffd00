"""Orders go to a venue on this machine, or nowhere."""

from __future__ import annotations

from urllib.parse import urlsplit

from pipeline.base.errors import BadInput
from pipeline.base.settings import PolymarketSection

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def require_offline(section: PolymarketSection) -> None:
    """Raises BadInput unless both addresses that orders and their news take are this machine's: real trading is not built."""
    for name, url in (("clob_url", section.clob_url), ("ws_url", section.ws_url)):
        if host_of(url) not in LOOPBACK:
            raise BadInput(
                f'[polymarket] {name} = {url}: relayer "clob" sends orders, and only to a venue on this machine; '
                'add --venue fake, or choose [execution] relayer = "paper"'
            )


def host_of(url: str) -> str:
    """The host that an address names; "" for one that names none."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
