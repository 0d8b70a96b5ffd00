"""A thread steps back alone: the loop beside it keeps what it had."""

from __future__ import annotations

import os
import sys
import threading

import pytest

from pipeline.base.priority import step_back


@pytest.mark.skipif(sys.platform != "linux", reason="threads have no priority of their own here")
def test_a_thread_steps_back_and_the_others_of_its_process_do_not() -> None:
    before, told = os.getpriority(os.PRIO_PROCESS, 0), []

    def work() -> None:
        step_back()
        told.append(os.getpriority(os.PRIO_PROCESS, 0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert told == [min(before + 10, 19)]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
