"""The documented front of Polybot: the command line (``polybot.cli``) and the programmatic names.

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
    from pipeline.venue.fake_relayer import FakeRelayer

__all__ = ["FakeRelayer", "Store", "open_store"]

_HOMES = {
    "FakeRelayer": "pipeline.venue.fake_relayer",
    "Store": "pipeline.store.open",
    "open_store": "pipeline.store.open",
}
"""Where each name lives; imported when it is used, as every command imports this package and few need the database."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
