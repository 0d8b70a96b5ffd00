"""Market data that differs is shown with both sides, as far as somebody heard it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from pipeline.bus import input_log as log
from pipeline.bus.input_log import InputLog
from pipeline.bus.input_reading import Event, lives
from pipeline.bus.input_replay import Divergence
from pipeline.bus.stage import Arrival, Identity, Stage
from pipeline.messages.market import BookSnapshot
from polybot.verifying.heard import with_original
from polybot.verifying.session import Session

BOOK = BookSnapshot(
    ts_ns=5, token_id="t", market="m", tick_size_e6=10_000, bids=(), asks=(), seq=1, venue_ns=0, state="VERIFIED", basis="hash"
)


class Listener(Stage):
    role = "strategy"


def test_the_original_of_a_book_is_what_a_listener_noted(tmp_path: Path) -> None:
    inputs = tmp_path / "runs" / "s" / "inputs"
    heard = InputLog(inputs / "s.strategy.1.log", Listener(), Identity("s", "s.strategy.1", "strategy"))
    heard.took(Arrival("book", "book_builder", "s.book_builder.1", 1, BOOK), 6)
    heard.close()
    session = Session(tmp_path, inputs.parent, Config(Settings()), tuple(lives(inputs)))
    here = msgspec.structs.replace(BOOK, tick_size_e6=1_000)
    found = Divergence(
        "book_builder", "s.book_builder.1", Event(1, log.TIMER, 5), 0, "another one", is_=here, hashed=True, heard=(here,)
    )
    shown = with_original(session, found)
    assert (shown.was, shown.is_, shown.hashed) == (BOOK, here, False)
    assert shown.what == "it said another BookSnapshot"
    later = msgspec.structs.replace(here, ts_ns=7)
    assert with_original(session, replace(found, heard=(later,))).hashed
