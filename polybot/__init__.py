"""The documented front of Polybot: the command line (``polybot.cli``) and the programmatic names.

Names are imported when they are used, so that ``import polybot`` costs nothing.

>>> from polybot import open_store
>>> with open_store("sqlite:///:memory:") as store:
...     store.venue is None
True
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.store.open import Store, open_store
    from pipeline.strategy.spread import SpreadCapture
    from pipeline.venue.fake_relayer import FakeRelayer
    from pipeline.venue.gamma import GammaHttpClient
    from polybot.ingestion.ingestor import OrderbookIngestor
    from polybot.ingestion.markets import refresh_markets
    from polybot.ingestion.session import run_ingestion_session
    from polybot.quoting import QuoterRunner
    from polybot.service import MarketSpec, ServiceRunner

__all__ = [
    "FakeRelayer",
    "GammaHttpClient",
    "MarketSpec",
    "OrderbookIngestor",
    "QuoterRunner",
    "ServiceRunner",
    "SpreadCapture",
    "Store",
    "open_store",
    "refresh_markets",
    "run_ingestion_session",
]

_HOME = {
    "FakeRelayer": "pipeline.venue.fake_relayer",
    "GammaHttpClient": "pipeline.venue.gamma",
    "MarketSpec": "polybot.service",
    "OrderbookIngestor": "polybot.ingestion.ingestor",
    "QuoterRunner": "polybot.quoting",
    "ServiceRunner": "polybot.service",
    "SpreadCapture": "pipeline.strategy.spread",
    "Store": "pipeline.store.open",
    "open_store": "pipeline.store.open",
    "refresh_markets": "polybot.ingestion.markets",
    "run_ingestion_session": "polybot.ingestion.session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'polybot' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)
