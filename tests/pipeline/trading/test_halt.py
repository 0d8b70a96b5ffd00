"""A halt is on record before it is said, and the latest word counts, wherever it was left."""

from __future__ import annotations

from pipeline.base.halt_file import HaltWord
from pipeline.messages.orders import TradingHalted, TradingResumed
from pipeline.messages.records import HaltRecord
from pipeline.trading.halt import Halt


def test_the_record_comes_before_the_word() -> None:
    halt = Halt()
    assert list(halt.set("news", 5)) == [HaltRecord(ts_ns=5, halted=True, reason="news"), TradingHalted(ts_ns=5, reason="news")]
    assert halt.reason == "news"
    assert list(halt.set(None, 6, "over")) == [
        HaltRecord(ts_ns=6, halted=False, reason="over"),
        TradingResumed(ts_ns=6, reason="over"),
    ]
    assert halt.reason is None


def test_a_later_word_on_disk_is_obeyed_and_an_earlier_one_is_not() -> None:
    halt = Halt()
    halt.recover(HaltRecord(ts_ns=10, halted=True, reason="news"))
    assert not list(halt.obey(HaltWord(False, "old", 9), 20))
    assert not list(halt.obey(HaltWord(True, "again", 11), 20))
    assert not list(halt.obey(None, 20))
    assert halt.reason == "news"
    assert [type(msg) for msg in halt.obey(HaltWord(False, "over", 11), 20)] == [HaltRecord, TradingResumed]
    assert halt.reason is None


def test_a_halt_without_a_reason_halts() -> None:
    halt = Halt()
    halt.recover(HaltRecord(ts_ns=1, halted=True, reason=""))
    assert halt.reason == ""
