"""Makes the venue recordings beside this file anew: ``python tests/replay/make_recordings.py``. The generic ones are written by hand.

Each is a few seconds of one market of the fake venue, small enough to be read, with what its name says happening in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.inject import frames_of
from pipeline.messages import Message
from pipeline.messages.edges import LinkEvent, RawFrame
from pipeline.recording.lines import encode_line, line_of
from pipeline.recording.markets import RecordedMarkets, write_markets

FOLDER = Path(__file__).parent / "recordings"
START_NS = 1_780_000_000 * NS_PER_S
LATENCY_NS = 120 * NS_PER_MS
LINK = "market-1"


@dataclass(frozen=True)
class Scene:
    """A market's seed and length, and what is done to it at which second. ``lost`` leaves out the frame of that number."""

    seed: int
    seconds: int
    faults: Mapping[int, str] = field(default_factory=dict)
    lost: int | None = None


SCENES = {
    "two-sided": Scene(seed=5, seconds=5),
    "crossed": Scene(seed=6, seconds=2, faults={1: "crossing-burst"}),
    "tick-size-change": Scene(seed=7, seconds=4, faults={1: "tick-change", 3: "market-resolved"}),
    "lost-frame": Scene(seed=8, seconds=3, lost=6),
}


def session(scene: Scene, exchange: FakeExchange, token_ids: tuple[str, ...]) -> Iterator[Message]:
    """What a reader of the market's tokens hears."""
    yield LinkEvent(ts_ns=START_NS, link_id=LINK, state="up", token_ids=token_ids)
    yield RawFrame(ts_ns=START_NS + LATENCY_NS, link_id=LINK, data=exchange.list_frame(token_ids).encode())
    number = 0
    for second in range(1, scene.seconds + 1):
        frames = exchange.advance(START_NS + second * NS_PER_S)
        if second in scene.faults:
            frames = [*frames, *frames_of(scene.faults[second], exchange, token_ids[0])[0]]
        for frame in frames:
            number += 1
            if number != scene.lost:
                yield RawFrame(ts_ns=frame.ts_ns + LATENCY_NS, link_id=LINK, data=frame.text.encode())
    yield LinkEvent(ts_ns=exchange.now_ns + LATENCY_NS, link_id=LINK, state="closed", reason="recorded", token_ids=token_ids)


def make(name: str) -> None:
    """Write one recording."""
    scene = SCENES[name]
    exchange = FakeExchange(ExchangePlan(seed=scene.seed, rate_per_s=6, binary_markets=1, event_markets=0), START_NS)
    markets = tuple(listing.market for listing in exchange.listings())
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    lines = [line_of(msg) for msg in session(scene, exchange, markets[0].token_ids)]
    (folder / "000001.jsonl").write_bytes(b"".join(encode_line(line) for line in lines if line is not None))
    write_markets(folder, RecordedMarkets(venue="fake", markets=markets, source="the fake venue"))


if __name__ == "__main__":
    for scene_name in SCENES:
        make(scene_name)
