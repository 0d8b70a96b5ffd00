"""Every fault at random against the feed at ten times real rates: is a wrong book ever taken for a proved one, and how soon is it found?

Example: uv run python -m benchmarks.feed_truth --seconds 600
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks.feed_trial import START_NS, FeedTrial, Incident, TrialPlan
from benchmarks.machine import machine
from pipeline.base.log import set_up_logging
from pipeline.base.units import NS_PER_S
from pipeline.fake_venue.scenarios import FAULTS

OFTEN = {
    "freeze-one-token": 20,
    "silent-socket": 5,
    "reconnect-storm": 5,
    "slow-consumer-close": 8,
    "ghost-rest-book": 10,
    "list-frame-432kB": 6,
    "market-resolved": 4,
    "new-market-flood": 6,
    "tick-change": 15,
}
"""How often each fault is started in ten minutes; those that are not here: 30 times."""
USUALLY = 30
TEN_MINUTES_S = 600
CALM_S = (3.0, 0.75)
"""Nothing is started in the first seconds, nor in the last quarter of the time, which is for healing."""


@dataclass(frozen=True)
class Row:
    """One fault: how often it was started, the tokens it struck, and how long things took, in milliseconds.

    ``harmless``: struck tokens whose published book stayed right and trusted. ``overtaken``: a wrong book that the feed itself put
    right before anything was noticed. ``unhealed``: still not right at the end.
    """

    fault: str
    started: int
    tokens: int
    harmless: int
    alarmed: int
    overtaken: int
    unhealed: int
    detect_ms: tuple[float, ...]
    heal_ms: tuple[float, ...]
    exposed_ms: tuple[float, ...]


def plan_faults(seconds: float, rng: Random, at_least: int = 0) -> list[tuple[float, str]]:
    """When each fault is started: every kind at random times, as often as in ten minutes of ``OFTEN``, and ``at_least`` so often."""
    first, last = min(CALM_S[0], seconds / 10), seconds * CALM_S[1]
    return sorted(
        (rng.uniform(first, last), name)
        for name in FAULTS
        for _ in range(max(at_least, round(OFTEN.get(name, USUALLY) * seconds / TEN_MINUTES_S)))
    )


def start_fault(trial: FeedTrial, name: str, rng: Random, longest_s: int) -> None:
    """Start a fault somewhere; one that does nothing by itself gets what makes it felt."""
    open_markets = [market for market in trial.exchange.markets if not market.closed]
    token = rng.choice([token_id for market in open_markets for token_id in market.spec.token_ids])
    link = rng.choice([link.number for link in trial.venue.links if link.number] or [0])
    match name:
        case "freeze-one-token":
            trial.start(name, token=token, seconds=rng.randint(longest_s // 3, longest_s))
        case "silent-socket":
            trial.start(name, link=link, seconds=rng.randint(longest_s // 3, longest_s))
        case "reconnect-storm":
            trial.start(name, link=link, seconds=rng.randint(2, 5))
        case "slow-consumer-close":
            trial.start(name, link=link)
        case "ghost-rest-book":
            trial.start(name, token=token, seconds=rng.randint(2, 10))
            trial.start("drop-frame", label=name, token=token)
        case "list-frame-432kB":
            trial.start(name)
            trial.start("slow-consumer-close", label=name, link=link)
        case "market-resolved" if len(open_markets) < 2:
            return
        case "new-market-flood":
            trial.start(name)
        case "late-trade":
            trial.start(name)
        case _:
            trial.start(name, token=token)


def run(
    trial: FeedTrial, seconds: float, rng: Random, at_least: int = 0, shown: Callable[[float], None] = lambda at_s: None
) -> None:
    """Run a trial with faults at random."""
    longest_s = max(6, round(min(60.0, seconds / 4)))
    for at_s, name in plan_faults(seconds, rng, at_least):
        trial.run_to(int(at_s * NS_PER_S))
        start_fault(trial, name, rng, longest_s)
        shown(at_s)
    trial.run_to(int(seconds * NS_PER_S))
    trial.finish()


def rows_of(trial: FeedTrial) -> list[Row]:
    """What became of every fault, in the order of their names."""
    return [_row(name, [i for i in trial.incidents if i.fault == name], trial) for name in sorted(FAULTS)]


def _row(name: str, found: Sequence[Incident], trial: FeedTrial) -> Row:
    felt = [incident for incident in found if incident.alarm_ns or incident.exposed_ns]
    alarmed = [incident for incident in felt if incident.alarm_ns]
    return Row(
        name,
        started=sum(started.kind == name == started.name for started in trial.started),
        tokens=len(found),
        harmless=len(found) - len(felt),
        alarmed=len(alarmed),
        overtaken=sum(1 for incident in felt if not incident.alarm_ns and incident.healed_ns),
        unhealed=sum(1 for incident in found if not incident.healed_ns),
        detect_ms=tuple(max(0, incident.alarm_ns - incident.struck_ns) / 1e6 for incident in alarmed),
        heal_ms=tuple((incident.healed_ns - incident.struck_ns) / 1e6 for incident in felt if incident.healed_ns),
        exposed_ms=tuple(incident.exposed_ns / 1e6 for incident in felt),
    )


HEADINGS = (
    "fault",
    "started",
    "tokens",
    "harmless",
    "alarmed",
    "overtaken",
    "unhealed",
    "detect mean",
    "p99",
    "heal mean",
    "p99",
    "exposed mean",
    "max",
)


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown; times in milliseconds."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|" + "---|" + "---:|" * (len(HEADINGS) - 1)]
    for row in rows:
        whole = (row.started, row.tokens, row.harmless, row.alarmed, row.overtaken, row.unhealed)
        times = (
            *_mean_and(row.detect_ms, 0.99),
            *_mean_and(row.heal_ms, 0.99),
            *_mean_and(row.exposed_ms, 1.0),
        )
        lines.append(f"| `{row.fault}` | " + " | ".join([*map(str, whole), *times]) + " |")
    return "\n".join(lines)


def _mean_and(values: Sequence[float], share: float) -> tuple[str, str]:
    """The mean, and the value that ``share`` of them do not exceed."""
    if not values:
        return "-", "-"
    ordered = sorted(values)
    return f"{statistics.fmean(ordered):,.0f}", f"{ordered[min(len(ordered) - 1, int(share * len(ordered)))]:,.0f}"


def summary(trial: FeedTrial, seconds: float, took_s: float) -> str:
    """What was checked, and what must be empty."""
    counts, frames = trial.builder.counts(), trial.gateway.counts()["frames"]
    exposed = max((incident.exposed_ns for incident in trial.incidents), default=0) / NS_PER_S
    lines = [
        f"{seconds:g} s of market time in {took_s:.0f} s; {frames:,} frames ({frames / seconds:,.0f}/s), {len(trial.true)} tokens, "
        f"{len(trial.started)} faults, seed {trial.plan.seed}; {machine()}",
        f"books published as proved and compared with the venue's, level by level: {trial.checked:,}; wrong: {len(trial.wrong)}",
        f"alarms without a fault: {len(trial.false_alarms)}; wrong books fit to trade on without a fault: {len(trial.unexplained)}",
        f"longest exposure of one token: {exposed:.1f} s; fresh books asked for: {counts.get('books_wanted', 0)}",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=TEN_MINUTES_S, help="market time (default: 600)")
    parser.add_argument(
        "--rate", type=int, default=1_490, help="price_change frames a second (default: 1490, ten times the measured mean)"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the incidents here as well")
    given = parser.parse_args()
    set_up_logging("error", sys.stderr)
    began = time.perf_counter()
    trial = FeedTrial(TrialPlan(seed=given.seed, rate_per_s=given.rate))
    live = sys.stderr.isatty()
    run(
        trial,
        given.seconds,
        Random(given.seed),
        shown=lambda at_s: print(f"\r{at_s:.0f} s", end="", file=sys.stderr) if live else None,
    )
    print(summary(trial, given.seconds, time.perf_counter() - began))
    print(table(rows_of(trial)))
    for complaint in [*trial.wrong, *trial.false_alarms, *trial.unexplained][:20]:
        print(complaint)
    if given.json is not None:
        told = [{**vars(incident), "at_s": (incident.struck_ns - START_NS) / NS_PER_S} for incident in trial.incidents]
        given.json.write_text(json.dumps(told, indent=1) + "\n")
    raise SystemExit(1 if trial.wrong or trial.false_alarms or trial.unexplained else 0)


if __name__ == "__main__":
    main()
