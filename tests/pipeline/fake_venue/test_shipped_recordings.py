"""The recordings in the repository are what their READMEs say."""

from __future__ import annotations

import json
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.messages.edges import RawFrame
from pipeline.recording.source import open_frames


def test_the_sample_is_contiguous_but_for_one_repeat_and_never_crossed(repository: Path) -> None:
    lines = [json.loads(line) for line in (repository / "recordings/sample.jsonl").read_text().splitlines()]
    seqs = [line["seq"] for line in lines]
    assert len(lines) == 200 and lines[0]["type"] == "snapshot"
    assert [seq for seq, count in Counter(seqs).items() if count > 1] == [120]
    assert sorted(set(seqs)) == list(range(1, 200)) and seqs == sorted(seqs)
    books = {side: {round(price * 100): round(size * 100) for price, size in lines[0][side]} for side in ("bids", "asks")}
    for before, line in pairwise(lines):
        for side in ("bids", "asks") if line["seq"] != before["seq"] else ():
            for price, change in line.get(side, ()):
                level = books[side].get(round(price * 100), 0) + round(change * 100)
                assert level >= 0
                books[side][round(price * 100)] = level
        best = [[price for price, size in books[side].items() if size] for side in ("bids", "asks")]
        assert max(best[0]) < min(best[1])


def test_every_hash_of_the_long_recording_recomputes(repository: Path, readers_of: Any) -> None:
    source = open_frames(repository / "recordings/fake-venue-10min")
    texts = [msg.data.decode() for msg in source.messages() if isinstance(msg, RawFrame) and msg.data != b"PONG"]
    assert source.venue == "fake" and sum(bool(market.neg_risk) for market in source.markets) == 4
    readers = readers_of(source.markets, texts[0])
    readers.check_texts(texts[1:6_000])
    assert (readers.missed, readers.matched > 10_000) == (0, True)


def test_the_long_recording_holds_every_kind_of_frame(repository: Path) -> None:
    source = open_frames(repository / "recordings/fake-venue-10min")
    kinds = Counter(
        json.loads(msg.data).get("event_type") for msg in source.messages() if isinstance(msg, RawFrame) and msg.data[:1] == b"{"
    )
    assert kinds == {
        "price_change": 23_711,
        "best_bid_ask": 1_270,
        "book": 196,
        "last_trade_price": 128,
        "new_market": 19,
        "market_resolved": 1,
    }
