"""A generic tape that moves as a real market does, made from a seed: ``python -m benchmarks.market_tape FILE``.

Measured on recorded sports markets of Polymarket: a grid of 0.01 with nearly every price filled; 25 to 45 changes a second of a busy
token, in bursts; 5 to 10 % of them at the best price and most of the others one to ten ticks behind it; the top moves in 1.3 to 3.2 % of
them; one in ten removes a level. The mid wanders some twenty ticks in hours, so that whoever quotes has to follow it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import click

CHANGES = 500_000
START_MS = 1_750_000_000_000
LINES_PER_MS = 0.040
DISTANCES = (6, 8, 9, 10, 10, 11, 12, 11, 9, 6, 4, 2, 1, 1)
"""How often a change lies so many ticks behind the best price, of those that do not move it."""
MOVES = 0.024
"""The part of lines that mean to move the top."""
PAIRS = 0.06
"""The part of lines that change two levels."""
REMOVALS = 0.1
WANDER = 0.04
"""How far the value that the mid follows goes with each line, in ticks."""
LOWEST, HIGHEST = 1, 99
SIDES = ("bids", "asks")
Change = tuple[str, int, int]
"""Side, price in ticks, signed change in hundredths of a share."""


class TapeMarket:
    """Both sides of one market's book: sizes in hundredths of a share by price in ticks. Never crossed, locked or without a side."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.value = 50.0
        self.now_ms = float(START_MS)
        self.sizes = {
            "bids": {p: self.size() for p in range(LOWEST, 50)},
            "asks": {p: self.size() for p in range(51, HIGHEST + 1)},
        }
        self.best = {"bids": 49, "asks": 51}

    def size(self) -> int:
        """A level's size: mostly a round number of shares, else one with cents."""
        draw = self.draw
        return draw.choice((500, 1_000, 2_000, 5_000, 10_000, 20_000)) if draw.random() < 0.6 else draw.randrange(500, 50_000)

    def line(self) -> list[Change]:
        """What the next line changes: one level, sometimes two of different places."""
        draw = self.draw
        self.now_ms += draw.expovariate(LINES_PER_MS)
        self.value += draw.gauss(0, WANDER)
        if not 15 < self.value < 85:
            self.value = min(85.0, max(15.0, self.value))
        found = [self.move() if draw.random() < MOVES else self.behind()]
        if draw.random() < PAIRS:
            found.append(self.behind())
        return found

    def move(self) -> Change:
        """Bring the top nearer to the value: a better price within the spread, or the best level taken away."""
        draw, best = self.draw, self.best
        spread = best["asks"] - best["bids"]
        rises = draw.random() < 0.5 + (self.value - (best["asks"] + best["bids"]) / 2) / 4
        joins, leaves = SIDES if rises else SIDES[::-1]
        if spread > 1 and draw.random() < 0.25 * spread:
            price = best[joins] + (1 if joins == "bids" else -1)
            return self.put(joins, price, self.size())
        if len(self.sizes[leaves]) < 5:
            return self.behind()
        return self.put(leaves, best[leaves], 0)

    def behind(self) -> Change:
        """Change, add or remove a level at or behind the best price; the best one is never removed."""
        draw = self.draw
        side = draw.choice(SIDES)
        away = draw.choices(range(len(DISTANCES)), DISTANCES)[0]
        price = self.best[side] + (-away if side == "bids" else away)
        price = min(HIGHEST, max(LOWEST, price))
        old = self.sizes[side].get(price, 0)
        if old and price != self.best[side] and draw.random() < REMOVALS:
            return self.put(side, price, 0)
        size = self.size()
        return self.put(side, price, size if size != old else size + 100)

    def put(self, side: str, price: int, size: int) -> Change:
        """Give a level its size, 0 for none."""
        levels = self.sizes[side]
        change = size - levels.get(price, 0)
        if size:
            levels[price] = size
        else:
            del levels[price]
        self.best[side] = max(levels) if side == "bids" else min(levels)
        return side, price, change


def write_market_tape(path: Path, changes: int = CHANGES, seed: int = 1) -> int:
    """Write a snapshot and then lines that change so many levels together, or one more; returns the number of lines."""
    market = TapeMarket(seed)
    lines = 1
    with path.open("w", encoding="utf-8", newline="\n") as out:
        sides = ",".join(f'"{side}":{_levels(market.sizes[side].items())}' for side in SIDES)
        out.write(f'{{"type":"snapshot","seq":1,"ts_ms":{START_MS},{sides}}}\n')
        while changes > 0:
            lines += 1
            found = market.line()
            changes -= len(found)
            told = {side: [(price, change) for of, price, change in found if of == side] for side in SIDES}
            sides = ",".join(f'"{side}":{_levels(levels)}' for side, levels in told.items() if levels)
            out.write(f'{{"type":"delta","seq":{lines},"ts_ms":{int(market.now_ms)},{sides}}}\n')
    return lines


def _levels(items: Iterable[tuple[int, int]]) -> str:
    return "[" + ",".join(f"[{price / 100},{size / 100}]" for price, size in items) + "]"


@click.command()
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--changes", default=CHANGES, show_default=True, help="Level changes after the snapshot.")
@click.option("--seed", default=1, show_default=True)
def main(out: Path, changes: int, seed: int) -> None:
    """Write the tape of one market to OUT."""
    click.echo(f"{write_market_tape(out, changes, seed):,} lines in {out}")


if __name__ == "__main__":
    main()
