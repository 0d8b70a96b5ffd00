"""What the benchmarks are fed with, made from a seed: anyone can make the same files."""

from __future__ import annotations

import random
from pathlib import Path

from pipeline.base.units import NS_PER_MS
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.session import record_session
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import MarketUniverse
from pipeline.recording.writer import RecordingWriter

START_NS = 1_780_000_000 * 1_000 * NS_PER_MS


def write_tape(path: Path, lines: int, seed: int = 1) -> None:
    """Write ``lines`` JSON lines of one market's outcome: a snapshot, then signed changes of one level each around its mid."""
    draw = random.Random(seed)
    sizes: dict[tuple[str, int], int] = {}
    for offset in range(1, 41):
        sizes["bids", 500 - offset] = draw.randrange(10, 500)
        sizes["asks", 500 + offset] = draw.randrange(10, 500)
    levels = {side: [[price / 1000, size] for (of, price), size in sizes.items() if of == side] for side in ("bids", "asks")}
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write(f'{{"type":"snapshot","seq":1,"ts_ms":1750000000000,"bids":{levels["bids"]},"asks":{levels["asks"]}}}\n')
        for seq in range(2, lines + 1):
            side = draw.choice(("bids", "asks"))
            price = (500 - draw.randrange(1, 60)) if side == "bids" else (500 + draw.randrange(1, 60))
            size = sizes.get((side, price), 0)
            change = draw.randrange(1, 200) if size < 50 or draw.random() < 0.5 else -draw.randrange(1, size + 1)
            sizes[side, price] = size + change
            ts_ms = 1_750_000_000_000 + seq * 3
            out.write(f'{{"type":"delta","seq":{seq},"ts_ms":{ts_ms},"{side}":[[{price / 1000},{change}]]}}\n')


def write_paced_recording(folder: Path, frames: int, seed: int = 1) -> None:
    """Record so many frames of the offline venue's market, one a millisecond whatever the market did: replayed N times as fast they
    are an even pace of N thousand a second.
    """
    exchange = FakeExchange(ExchangePlan(seed=seed, rate_per_s=1_000, bursty=False), START_NS)
    writer = RecordingWriter(folder, venue="fake")
    left, due_ns = frames, START_NS
    for msg in record_session(exchange, frames):
        if isinstance(msg, MarketUniverse):
            writer.write(msg)
        elif isinstance(msg, RawFrame) and msg.data != b"PONG":
            writer.write(RawFrame(ts_ns=due_ns, link_id=msg.link_id, data=msg.data))
            due_ns += NS_PER_MS
            left -= 1
            if not left:
                break
    writer.close()
