"""A process whose supervisor is gone ends by itself, also one that hangs."""

from __future__ import annotations

import os
import subprocess
import sys

from processes.options import HUNG, SUPERVISED

HANGS = """
from processes.options import stop_when_told
stop = stop_when_told(0.05)
print("up", flush=True)
while True:
    stop.is_set()
"""


def test_a_process_that_hangs_ends_itself_soon_after_its_supervisor_is_gone():
    words = [sys.executable, "-c", HANGS]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | {SUPERVISED: "1"}) as hanging:
        assert hanging.stdout.readline() == b"up\n"
        hanging.stdin.close()
        assert hanging.wait(10) == HUNG
