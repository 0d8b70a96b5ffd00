"""Whether trading is halted: an operator's word, on record before anybody hears of it, and standing after a restart."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.base.halt_file import HaltWord
from pipeline.messages import Message
from pipeline.messages.orders import TradingHalted, TradingResumed
from pipeline.messages.records import HaltRecord


class Halt:
    """``reason`` is why no order leaves; None if trading goes on."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._since_ns = 0

    def recover(self, record: HaltRecord) -> None:
        """A word of an earlier life, from the journal."""
        self.reason, self._since_ns = record.reason if record.halted else None, record.ts_ns

    @property
    def since_ns(self) -> int:
        """When the last word was said; 0 if there was none."""
        return self._since_ns

    def restore(self, reason: str | None, since_ns: int) -> None:
        """Be what a checkpoint holds."""
        self.reason, self._since_ns = reason, since_ns

    def obey(self, word: HaltWord | None, now_ns: int) -> Iterator[Message]:
        """A word that an operator left on disk; one that is older than the last word on record, or says the same, changes nothing."""
        if word is not None and word.ts_ns > self._since_ns and word.halted != (self.reason is not None):
            yield from self.set(word.reason if word.halted else None, now_ns, word.reason)

    def set(self, reason: str | None, now_ns: int, why: str = "") -> Iterator[Message]:
        """Halt for a reason, or (None) let trading go on, ``why``: the record, then the word."""
        self.reason, self._since_ns = reason, now_ns
        if reason is None:
            yield HaltRecord(ts_ns=now_ns, halted=False, reason=why)
            yield TradingResumed(ts_ns=now_ns, reason=why)
        else:
            yield HaltRecord(ts_ns=now_ns, halted=True, reason=reason)
            yield TradingHalted(ts_ns=now_ns, reason=reason)
