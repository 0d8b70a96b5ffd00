"""Which certificates a client trusts. Loading those of the whole world takes longer than a venue on this machine takes to answer."""

from __future__ import annotations

import ssl


def trusted(loopback: bool) -> ssl.SSLContext | bool:
    """For ``httpx``: what it trusts by itself; for a venue on this machine, which is spoken to without TLS, nobody at all."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if loopback else True
