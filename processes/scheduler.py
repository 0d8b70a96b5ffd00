"""The scheduler: says which markets are followed, what the catalogue changed, and when periodic work is due."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec

from pipeline.base import events
from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.log import get_logger
from pipeline.base.settings import IngestionSection, Settings
from pipeline.base.units import NS_PER_MS
from pipeline.bus.edge import AsyncEdge
from pipeline.bus.stage import Stage
from pipeline.messages import Message
from pipeline.messages.control import Job, JobDue
from pipeline.messages.edges import CatalogueFetched, FetchCatalogue
from pipeline.messages.market import Market, MarketResolved, MarketUniverse
from pipeline.messages.orders import ExecSnapshot
from pipeline.messages.records import MarketVersion
from processes.options import process_options, run_process

FIRST_RETRY_MS = 1_000


class Premises(msgspec.Struct, frozen=True):
    """What a scheduler is made from besides its settings; see ``Scheduler``."""

    markets: tuple[Market, ...] | None
    source: str
    venue: str
    first_rules: dict[str, str]


@dataclass
class _Turns:
    """When a job is due: every ``period_ns`` from the start, on a grid that a late turn does not shift."""

    job: Job
    period_ns: int
    due_ns: int = 0
    number: int = 0

    def begin(self, now_ns: int) -> None:
        self.due_ns = now_ns + self.period_ns

    def take(self, now_ns: int) -> JobDue:
        """The turn that is due; turns that were slept through are left out."""
        self.number += 1
        self.due_ns += self.period_ns * ((now_ns - self.due_ns) // self.period_ns + 1)
        return JobDue(ts_ns=now_ns, job=self.job, number=self.number)


class Scheduler(Stage):
    """Publishes the universe, the changes of its markets, and the turns of periodic jobs.

    Out: MarketUniverse on ``universe`` when the markets changed and to each new subscriber; MarketVersion for each market that
    is new or changed in more than its volume; JobDue on ``control``. To its catalogue edge: FetchCatalogue, answered by
    CatalogueFetched. In: ``exec``, of which only the snapshot counts: what is held is asked after, until it is known how it ended.
    ``markets`` fixes the universe instead; nothing is fetched then. A refresh that fails is logged, counted
    and made again, waiting from one second up to the period. A period of 0 switches a job off.
    State: what was said of each market; lost at a restart, and said again, which writes nothing where nothing changed. ``first_rules``
    are the hashes of rules that earlier runs saw first; the universe tells them with its markets.
    """

    role = "scheduler"

    def __init__(
        self,
        ingestion: IngestionSection,
        *,
        markets: Sequence[Market] | None = None,
        source: str = "",
        venue: str = "",
        first_rules: Mapping[str, str] | None = None,
    ) -> None:
        self._fixed = None if markets is None else tuple(markets)
        self._source = source
        self._venue = venue
        self._universe: MarketUniverse | None = None
        self._said: dict[str, Market] = {}
        self._first_rules = dict(first_rules or {})
        self._held: frozenset[str] = frozenset()
        self._ended: dict[str, MarketResolved] = {}
        self._jobs = _jobs(ingestion)
        self._refresh_ns = ingestion.gamma_refresh_ms * NS_PER_MS
        self._refresh_due_ns: int | None = None
        self._request_id = 0
        self._failures = 0
        self._is_fetching = False
        self._asked: frozenset[str] = frozenset()
        self._counts = {
            "jobs": 0,
            "refreshes": 0,
            "refresh_failures": 0,
            "markets": 0,
            "market_versions": 0,
            "markets_refused": 0,
        }

    def premises(self) -> Premises:
        """The fixed markets, where they are from, and what earlier runs saw first."""
        return Premises(self._fixed, self._source, self._venue, dict(self._first_rules))

    @classmethod
    def on(cls, ingestion: IngestionSection, premises: Premises) -> Scheduler:
        """A scheduler as another one was at its beginning."""
        return cls(
            ingestion,
            markets=premises.markets,
            source=premises.source,
            venue=premises.venue,
            first_rules=premises.first_rules,
        )

    def start(self, now_ns: int) -> Iterator[Message]:
        for turns in self._jobs:
            turns.begin(now_ns)
        if self._fixed is None:
            yield self._fetch(now_ns)
        else:
            yield from self._publish(self._fixed, now_ns)

    def handle(self, msg: Message, now_ns: int) -> Iterator[Message]:
        match msg:
            case ExecSnapshot():
                self._on_snapshot(msg, now_ns)
            case CatalogueFetched() if msg.request_id != self._request_id:
                return
            case CatalogueFetched() if msg.error:
                self._fail(msg.error, now_ns)
            case CatalogueFetched():
                yield from self._succeed(msg, now_ns)

    def current(self, topic: str) -> Iterator[Message]:
        if self._universe is not None and "universe.".startswith(topic):
            yield self._universe

    def next_timer_ns(self) -> int | None:
        due = [turns.due_ns for turns in self._jobs]
        if self._refresh_due_ns is not None:
            due.append(self._refresh_due_ns)
        return min(due, default=None)

    def on_timer(self, now_ns: int) -> Iterator[Message]:
        for turns in self._jobs:
            if turns.due_ns <= now_ns:
                self._counts["jobs"] += 1
                yield turns.take(now_ns)
        if self._refresh_due_ns is not None and self._refresh_due_ns <= now_ns:
            yield self._fetch(now_ns)

    def counts(self) -> dict[str, int]:
        return dict(self._counts)

    def _fetch(self, now_ns: int) -> FetchCatalogue:
        """Ask the edge; until it answers, which it does within its bounded retries, no other refresh is due."""
        self._refresh_due_ns = None
        self._request_id += 1
        self._asked = frozenset(self._undecided())
        self._is_fetching = True
        return FetchCatalogue(ts_ns=now_ns, request_id=self._request_id, ended=tuple(sorted(self._asked)))

    def _undecided(self) -> set[str]:
        """The markets whose end is to be asked for, should the catalogue list them no longer."""
        return (self._said.keys() | self._held) - self._ended.keys()

    def _on_snapshot(self, snapshot: ExecSnapshot, now_ns: int) -> None:
        """Note what is held; what was never followed here was bought in an earlier life, and may have ended since: ask at once."""
        held = frozenset(position.market for position in snapshot.positions if position.inventory_e6)
        new = held - self._held - self._said.keys() - self._ended.keys()
        self._held = held
        if new and self._fixed is None and not self._is_fetching:
            self._refresh_due_ns = now_ns

    def _fail(self, error: str, now_ns: int) -> None:
        self._is_fetching = False
        self._failures += 1
        self._counts["refresh_failures"] += 1
        longest = self._refresh_ns or FIRST_RETRY_MS * NS_PER_MS * 60
        wait_ns = min(longest, FIRST_RETRY_MS * NS_PER_MS << min(self._failures - 1, 20))
        self._refresh_due_ns = now_ns + wait_ns
        get_logger().warning(
            events.JOB_FAILED, job="gamma_refresh", error=error, failures=self._failures, again_in_ms=wait_ns // NS_PER_MS
        )

    def _succeed(self, msg: CatalogueFetched, now_ns: int) -> Iterator[Message]:
        self._failures, self._is_fetching = 0, False
        self._counts["refreshes"] += 1
        self._counts["markets_refused"] = msg.refused
        self._refresh_due_ns = now_ns + self._refresh_ns if self._refresh_ns else None
        self._source = msg.source
        for note in msg.notes:
            get_logger().info(events.MARKET_REFUSED, reason=note)
        get_logger().info(events.CATALOGUE_FETCHED, source=msg.source, markets=len(msg.markets), refused=msg.refused)
        news = any(each.market not in self._ended for each in msg.ended)
        self._ended |= {each.market: each for each in msg.ended}
        yield from self._publish(msg.markets, now_ns, news)
        if self._held & self._undecided() - self._asked - self._said.keys():
            # What is held was told while the catalogue was being asked.
            self._refresh_due_ns = now_ns

    def _publish(self, markets: tuple[Market, ...], now_ns: int, news: bool = False) -> Iterator[Message]:
        """Say what differs from what was said before: first each changed market, then the universe. ``news``: markets have ended."""
        changed = [market for market in markets if self._said.get(market.market_id) != _lasting(market)]
        for market in changed:
            self._said[market.market_id] = _lasting(market)
            self._counts["market_versions"] += 1
            yield MarketVersion(ts_ns=now_ns, market=market, valid_from_ns=now_ns, venue=self._venue)
        before = self._universe
        if before is not None and not changed and not news and _ids(before.markets) == _ids(markets):
            return
        self._counts["markets"] = len(markets)
        version = 1 if before is None else before.version + 1
        ended = tuple(self._ended.values())
        known = tuple(self._remembered(market) for market in markets)
        self._universe = MarketUniverse(ts_ns=now_ns, markets=known, source=self._source, version=version, ended=ended)
        yield self._universe

    def _remembered(self, market: Market) -> Market:
        """The market with the rules under which it was first seen; a recorded one may know them better."""
        if not market.rules_hash:
            return market
        first = market.first_rules_hash or self._first_rules.setdefault(market.market_id, market.rules_hash)
        return msgspec.structs.replace(market, first_rules_hash=first)


def _jobs(ingestion: IngestionSection) -> list[_Turns]:
    """The jobs that others do, those with a period of 0 left out."""
    periods: dict[Job, int] = {
        "snapshot": ingestion.snapshot_interval_ms,
        "prune": ingestion.prune_interval_ms,
        "staleness": ingestion.staleness_interval_ms,
    }
    return [_Turns(job, period_ms * NS_PER_MS) for job, period_ms in periods.items() if period_ms > 0]


def _lasting(market: Market) -> Market:
    """What counts as a change: everything but the traded volume."""
    return msgspec.structs.replace(market, volume_24h_e6=0)


def _ids(markets: Sequence[Market]) -> frozenset[str]:
    return frozenset(market.market_id for market in markets)


@dataclass(frozen=True)
class Plan:
    """A scheduler with the edges it needs; ``source`` says where its markets come from."""

    stage: Scheduler
    edges: list[AsyncEdge] = field(default_factory=list)
    source: str = ""


def build(config: Config) -> Plan:
    """The scheduler that a configuration asks for: fed by a catalogue, by a recording, or (venue generic) by nothing.

    Raises BadInput if the recording or the catalogue's address cannot be used.
    """
    settings = config.settings
    ingestion, name = settings.ingestion, settings.venue.name
    if name == "recording":
        from pipeline.recording.markets import read_markets

        recorded = read_markets(Path(settings.venue.recording))
        markets = _wanted(recorded.markets, settings)
        source = recorded.source or settings.venue.recording
        return Plan(Scheduler(ingestion, markets=markets, source=source, venue=recorded.venue), source=source)
    if name == "generic":
        return Plan(Scheduler(ingestion, markets=(), source=name), source=name)
    from pipeline.store.first_rules import first_rules
    from pipeline.venue.gamma import CatalogueEdge, venue_of_url

    url = catalogue_url(settings)
    scheduler = Scheduler(ingestion, source=url, venue=venue_of_url(url), first_rules=first_rules(settings.db.url))
    return Plan(scheduler, [CatalogueEdge(url, settings.universe)], url)


def _wanted(markets: tuple[Market, ...], settings: Settings) -> tuple[Market, ...]:
    """The markets of a recording that ``[universe] markets`` names by slug or id; all of them if it names none."""
    names = settings.universe.markets
    if not names:
        return markets
    wanted = tuple(market for market in markets if market.slug in names or market.market_id in names)
    missing = sorted(set(names) - {name for market in wanted for name in (market.slug, market.market_id)})
    if missing:
        raise BadInput(
            f"recording {settings.venue.recording}: has no market {', '.join(missing)}; its markets.json lists those it has"
        )
    return wanted


def catalogue_url(settings: Settings) -> str:
    """Where the catalogue of the configured venue is read."""
    if settings.venue.name == "fake":
        return f"http://{settings.fake_venue.host}:{settings.fake_venue.port}"
    return settings.polymarket.gamma_url


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Say which markets are followed and when periodic work is due.

    \b
    Example:
      python -m processes.scheduler --config ./config
    """
    plan = build(config)
    run_process(plan.stage, config, session_id, edges=plan.edges, source=plan.source)


if __name__ == "__main__":
    main()
