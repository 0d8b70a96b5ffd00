"""What need not be done soon, out of the way of what must."""

from __future__ import annotations

import os
import sys
import threading

_NICER = 10


def step_back() -> None:
    """Give the calling thread less of a busy machine than its process has. On Linux only: elsewhere threads have no priority that
    can be lowered so.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + _NICER)
