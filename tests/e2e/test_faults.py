"""Faults by name against real processes over real sockets: each is noticed, said with its reason, and healed."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.base.config import load_config
from pipeline.base.settings import BusSection
from pipeline.messages.market import BookSnapshot
from polybot.cli import main
from polybot.cli.fault import venue_url
from polybot.cli.onlooker import Onlooker

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the pipeline is stopped by signals as POSIX has them")

FINE = ("VERIFIED", "QUIET")
CONFIG = """
[fake_venue]
rate_per_s = 300
binary_markets = 3
event_markets = 2
decoys = false
[venue]
reconnect_min_ms = 100
reconnect_max_ms = 400
ping_interval_ms = 1_000
[ingestion]
spot_check_s = 3
[log]
level = "info"
"""


class Watcher:
    """Every book that a running pipeline publishes, in order."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.look = Onlooker(["book"], BusSection(state_dir=str(pipeline.state_dir)), every_message=True)
        self.heard: list[BookSnapshot] = []
        self.latest: dict[str, BookSnapshot] = {}

    def hear(self) -> None:
        self.pipeline.look(0)
        for arrival in self.look.receive(20):
            if isinstance(arrival.message, BookSnapshot):
                self.heard.append(arrival.message)
                self.latest[arrival.message.token_id] = arrival.message

    def until(self, reached: Callable[[], object], seconds: float, what: str) -> None:
        """Listen until something is so."""
        ends = time.monotonic() + seconds
        while not reached():
            states = {book.token_id[:6]: f"{book.state} {book.reason}" for book in self.latest.values()}
            assert self.pipeline.process.poll() is None, f"ended while waiting for {what}\n{self.pipeline.said}"
            assert time.monotonic() < ends, f"{what}: not within {seconds} s\n{states}\n{self.pipeline.logs()}"
            self.hear()

    def begin(self) -> None:
        """Forget what was heard, once every book that is not dead is fine."""
        self.until(self.is_fine, 10, "books that are fine")
        self.heard.clear()

    def is_fine(self) -> bool:
        alive = [book for book in self.latest.values() if book.state != "DEAD"]
        return len(self.latest) == len(self.pipeline.model.tokens()) == 10 and all(book.state in FINE for book in alive)

    def doubts(self, *words: str) -> list[BookSnapshot]:
        """Books that were not fine, with these words in the reason."""
        return [book for book in self.heard if book.state not in FINE and all(word in book.reason for word in words)]

    def others_doubted(self, token: str) -> list[str]:
        """The doubts about other tokens than this one."""
        return [f"{book.token_id} {book.state}: {book.reason}" for book in self.doubts() if book.token_id != token]

    def busiest(self) -> str:
        """The token whose book changed most often."""
        return max(self.latest.values(), key=lambda book: book.seq).token_id

    def healed(self, book: BookSnapshot) -> bool:
        """Whether the token has been proved again since."""
        latest = self.latest[book.token_id]
        return latest.state in FINE and latest.verified_ns > book.ts_ns

    def fault(self, name: str, *options: str) -> dict[str, Any]:
        """Start a fault as its user does."""
        shown = CliRunner().invoke(main, ["fault", name, "--state-dir", str(self.pipeline.state_dir), "--json", *options])
        assert shown.exit_code == 0, shown.output
        told = json.loads(shown.stdout)
        assert told["fault"] == name
        return dict(told)

    def venue(self) -> dict[str, Any]:
        """What the venue says of its open connections, by number, and of the faults under way."""
        url = venue_url(load_config(), self.pipeline.state_dir)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{url}/admin/status", timeout=5) as answer:
            return dict(json.loads(answer.read()))


@pytest.fixture(scope="module")
def watcher(tmp_path_factory: pytest.TempPathFactory, pipeline_class: Any) -> Iterator[Watcher]:
    folder: Path = tmp_path_factory.mktemp("faults")
    (folder / "config.toml").write_text(CONFIG)
    pipeline = pipeline_class(folder, "--config", str(folder / "config.toml"))
    found = Watcher(pipeline)
    found.until(found.is_fine, 20, "verified books")
    yield found
    found.look.close()
    pipeline.close()


@pytest.fixture(autouse=True)
def _fine(watcher: Watcher) -> None:
    watcher.begin()


def test_a_dropped_frame_is_noticed_and_the_books_are_fetched_again(watcher: Watcher) -> None:
    for _ in range(3):  # what three frames changed, the next one may have changed back: then nothing is wrong
        token = watcher.busiest()
        watcher.fault("drop-frame", "--count", "3", "--token", token)
        watcher.until(lambda: "drop-frame" not in watcher.venue()["faults"], 10, "three frames dropped")
        seq = watcher.latest[token].seq
        watcher.until(
            lambda token=token, seq=seq: watcher.doubts() or watcher.latest[token].seq > seq + 5, 10, "frames after them"
        )
        if watcher.doubts():
            break
    doubt = watcher.doubts()[-1]
    assert doubt.state in ("PENDING", "SUSPECT", "RESYNCING") and doubt.reason
    watcher.until(lambda: watcher.healed(doubt), 5, "the book of the token proved again")


def test_a_truncated_frame_is_said_to_be_refused(watcher: Watcher) -> None:
    watcher.fault("truncated-frame", "--token", watcher.busiest())
    watcher.until(lambda: watcher.doubts("a frame was refused"), 5, "a doubt")
    doubt = watcher.doubts("a frame was refused")[0]
    watcher.until(lambda: watcher.healed(doubt), 5, "the book of the token proved again")


def test_a_frozen_token_among_live_ones_is_found_and_no_other_is_doubted(watcher: Watcher) -> None:
    token = watcher.fault("freeze-one-token", "--seconds", "60", "--token", watcher.busiest())["token"]
    watcher.until(watcher.doubts, 10, "a doubt")
    assert watcher.others_doubted(token) == []
    doubt = watcher.doubts()[0]
    assert "the feed did not deliver it" in doubt.reason
    watcher.until(lambda: watcher.healed(doubt), 5, "the frozen token proved again")
    seq = watcher.latest[token].seq
    watcher.until(lambda: watcher.latest[token].seq > seq + 3, 5, "changes of the token that was frozen")
    assert watcher.others_doubted(token) == []


def test_a_silent_socket_is_found_though_it_answers_pings(watcher: Watcher) -> None:
    before = list(watcher.venue()["links"])
    watcher.fault("silent-socket", "--link", before[0], "--seconds", "60")
    watcher.until(watcher.doubts, 10, "a doubt")
    doubt = watcher.doubts()[0]
    watcher.until(watcher.is_fine, 10, "books that are fine while the socket is still silent")
    after = watcher.venue()
    assert list(after["links"]) != before and "silent-socket" in after["faults"]
    watcher.until(lambda: watcher.healed(doubt), 5, "the doubted token proved again")


def test_a_socket_closed_for_slowness_makes_books_stale_until_the_next_one(watcher: Watcher) -> None:
    watcher.fault("slow-consumer-close")
    watcher.until(lambda: len(watcher.doubts("1013")) >= 10, 5, "stale books")
    assert {book.state for book in watcher.doubts("1013")} == {"STALE"}
    watcher.until(watcher.is_fine, 5, "books that are fine")


def test_a_reconnect_storm_ends_with_books_that_are_fine(watcher: Watcher) -> None:
    watcher.fault("reconnect-storm", "--seconds", "2")
    watcher.until(lambda: "reconnect-storm" not in watcher.venue()["faults"], 5, "the end of the storm")
    times = {book.since_ns for book in watcher.doubts("1012")}
    assert len(times) >= 2
    watcher.until(watcher.is_fine, 10, "books that are fine")


def test_a_list_frame_of_432_kb_is_taken_and_what_nobody_follows_in_it_is_left_out(watcher: Watcher) -> None:
    watcher.fault("list-frame-432kB")
    watcher.fault("slow-consumer-close")
    watcher.until(lambda: watcher.doubts("1013"), 5, "stale books")
    watcher.until(watcher.is_fine, 5, "books that are fine")
    assert len(watcher.latest) == 10


def test_a_resolved_market_is_dead_and_its_state_and_reason_are_stored(watcher: Watcher) -> None:
    token = watcher.fault("market-resolved")["token"]
    watcher.until(lambda: watcher.latest[token].state == "DEAD", 5, "a dead token")
    assert watcher.latest[token].reason.startswith("resolved: ")
    market = watcher.latest[token].market

    def stored() -> bool:
        shown = CliRunner().invoke(main, ["status", "--json", "--market", market, "--db-url", watcher.pipeline.db_url])
        assert shown.exit_code == 0, shown.output
        states = [state for row in json.loads(shown.stdout) for state in row["states"]]
        return {(state["state"], state["reason"]) for state in states} == {("DEAD", watcher.latest[token].reason)}

    watcher.until(stored, 5, "both tokens dead in the database")
    watcher.until(lambda: sum(book.state == "DEAD" for book in watcher.latest.values()) == 2, 2, "two dead books")
