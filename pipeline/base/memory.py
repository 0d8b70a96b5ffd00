"""Garbage collection, kept out of the way of starts and of hot paths.

Messages hold no cycles and are not even looked at (``gc=False``), so there is little to find; but a collection also walks what the
imports left, which takes tens of milliseconds.
"""

from __future__ import annotations

import gc

_YOUNG, _MIDDLE, _OLD = 20_000, 20, 50


def hold_collections() -> None:
    """Collect nothing until ``settle``: importing makes much and drops little, and is a fifth quicker so."""
    gc.disable()


def settle() -> None:
    """What there is by now stays: leave it out of collections from here on, and collect seldom. Only a process's first time counts."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.set_threshold(_YOUNG, _MIDDLE, _OLD)
    gc.enable()
