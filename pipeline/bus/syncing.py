"""Putting a file on disk beside the loop: a sync takes a quarter of a millisecond, or fifty, in which a book could have been heard."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class BackgroundSync:
    """Calls ``sync`` in a thread of its own, once for all that was asked for meanwhile, and ``wake`` afterwards.

    ``done`` is the last number that was asked for before a sync which has ended. Call ``ask``, ``wait`` and ``close`` in one thread.
    """

    def __init__(self, sync: Callable[[], None], open_wake: Callable[[], tuple[Callable[[], None], Callable[[], None]]]) -> None:
        """``open_wake`` gives what wakes the loop and what closes that; it is called in the thread."""
        self._sync, self._open_wake = sync, open_wake
        self._asked: queue.SimpleQueue[int | None] = queue.SimpleQueue()
        self._last = self._done = 0
        self._failure: BaseException | None = None
        self._progress = threading.Condition()
        self._thread: threading.Thread | None = None

    @property
    def done(self) -> int:
        """Raises what a sync raised."""
        if self._failure is not None:
            raise self._failure
        return self._done

    def ask(self, number: int) -> None:
        """Have everything on disk that was written up to here; ``done`` will be at least ``number`` then."""
        self._last = number
        self._asked.put(number)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="journal-sync", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        """Wait until everything that was asked for is done."""
        with self._progress:
            self._progress.wait_for(lambda: self._failure is not None or self._done >= self._last)

    def close(self) -> None:
        """End the thread, behind what was asked for."""
        if self._thread is not None:
            self._asked.put(None)
            self._thread.join()

    def _work(self) -> None:
        wake, close = self._open_wake()
        try:
            while (number := self._newest()) is not None:
                self._sync()
                with self._progress:
                    self._done = number
                    self._progress.notify_all()
                wake()
        except BaseException as error:  # the loop raises it
            with self._progress:
                self._failure = error
                self._progress.notify_all()
            wake()
        finally:
            close()

    def _newest(self) -> int | None:
        """The last of all numbers that are asked for by now; waits for the first. None at the end, behind the last number."""
        newest = self._asked.get()
        while newest is not None and not self._asked.empty():
            number = self._asked.get()
            if number is None:
                self._asked.put(None)
                break
            newest = number
        return newest
