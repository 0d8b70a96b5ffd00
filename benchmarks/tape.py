"""A generic tape made from a seed: one snapshot, then signed changes around a wandering mid. Anyone can make the same file."""

from __future__ import annotations

import random
from pathlib import Path


def write_tape(path: Path, lines: int, seed: int = 1) -> None:
    """Write ``lines`` JSON lines of one market's outcome; every line but the first is a delta of one level."""
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
