"""The scheduler: the universe and its changes, periodic turns, and a refresh that is made again after a failure."""

from __future__ import annotations

import msgspec
import pytest
from structlog.testing import capture_logs

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.settings import IngestionSection, Settings
from pipeline.bus.topology import routes
from pipeline.messages.control import JobDue
from pipeline.messages.edges import CatalogueFetched, FetchCatalogue
from pipeline.messages.market import Market, MarketResolved, MarketUniverse, Outcome
from pipeline.messages.orders import ExecSnapshot, Position
from pipeline.messages.records import MarketVersion
from pipeline.recording.markets import RecordedMarkets, write_markets
from pipeline.store.catalogue import append_version
from pipeline.store.open import open_store
from pipeline.store.runs import Run, save_run
from processes.scheduler import Scheduler, build

S = 1_000_000_000
QUIET = IngestionSection(snapshot_interval_ms=0, prune_interval_ms=0, staleness_interval_ms=0, gamma_refresh_ms=60_000)


def market(name: str, **changed) -> Market:
    return Market(name, (Outcome(f"{name}-yes", "Yes"), Outcome(f"{name}-no", "No")), **changed)


def fetched(request_id: int, *markets: Market, error: str = "") -> CatalogueFetched:
    return CatalogueFetched(ts_ns=0, request_id=request_id, markets=markets, source="http://catalogue", error=error)


def started(ingestion: IngestionSection = QUIET, *markets: Market) -> Scheduler:
    """A scheduler at time 0 that has had its first answer."""
    scheduler = Scheduler(ingestion, venue="fake")
    list(scheduler.start(0))
    list(scheduler.handle(fetched(1, *markets), 0))
    return scheduler


def kinds(messages) -> list[str]:
    return [type(message).__name__ for message in messages]


def test_at_the_start_it_asks_for_the_catalogue_and_says_nothing_of_markets():
    scheduler = Scheduler(QUIET)
    assert list(scheduler.start(7)) == [FetchCatalogue(ts_ns=7, request_id=1)]
    assert list(scheduler.current("universe")) == []
    assert scheduler.next_timer_ns() is None


def test_the_first_answer_gives_each_market_and_the_universe():
    scheduler = Scheduler(QUIET, venue="fake")
    list(scheduler.start(0))
    a, b = market("a"), market("b")
    said = list(scheduler.handle(fetched(1, a, b), 5))
    universe = MarketUniverse(ts_ns=5, markets=(a, b), source="http://catalogue", version=1)
    assert said == [
        MarketVersion(ts_ns=5, market=a, valid_from_ns=5, venue="fake"),
        MarketVersion(ts_ns=5, market=b, valid_from_ns=5, venue="fake"),
        universe,
    ]
    assert list(scheduler.current("universe")) == [universe]
    assert list(scheduler.current("universe.")) == [universe]
    assert list(scheduler.current("control")) == []


def test_an_unchanged_catalogue_says_nothing():
    scheduler = started(QUIET, market("a", volume_24h_e6=1), market("b"))
    [again] = scheduler.on_timer(60 * S)
    assert list(scheduler.handle(fetched(again.request_id, market("b"), market("a", volume_24h_e6=2)), 61 * S)) == []


def test_a_changed_market_is_said_alone_and_the_universe_again():
    scheduler = started(QUIET, market("a"), market("b"))
    [again] = scheduler.on_timer(60 * S)
    said = list(scheduler.handle(fetched(again.request_id, market("a"), market("b", tick_size="0.001")), 61 * S))
    assert kinds(said) == ["MarketVersion", "MarketUniverse"]
    assert said[0].market.tick_size == "0.001"
    assert said[1].version == 2


def test_a_market_that_left_is_no_longer_in_the_universe_and_has_no_version():
    scheduler = started(QUIET, market("a"), market("b"))
    [again] = scheduler.on_timer(60 * S)
    said = list(scheduler.handle(fetched(again.request_id, market("a")), 61 * S))
    assert kinds(said) == ["MarketUniverse"]
    assert said[0].markets == (market("a"),)


def resolved(name: str) -> MarketResolved:
    return MarketResolved(
        ts_ns=1, market=name, venue_ts="", token_ids=(f"{name}-yes", f"{name}-no"), winning_token_id=f"{name}-yes"
    )


def holding(*names: str) -> ExecSnapshot:
    positions = tuple(Position("s", f"{name}-yes", name, 5, 2) for name in names)
    return ExecSnapshot(ts_ns=1, accepts=True, halted=False, mode="paper", orders=(), positions=positions)


def test_the_end_of_every_market_ever_followed_is_asked_for_until_it_is_known_and_then_told_to_all() -> None:
    scheduler = started(QUIET, market("a"), market("b"))
    [again] = scheduler.on_timer(60 * S)
    assert again.ended == ("a", "b")
    answer = msgspec.structs.replace(fetched(again.request_id, market("a")), ended=(resolved("b"),))
    [universe] = scheduler.handle(answer, 61 * S)
    assert (universe.markets, universe.ended) == ((market("a"),), (resolved("b"),))
    assert list(scheduler.current("universe")) == [universe]
    [again] = scheduler.on_timer(121 * S)
    assert again.ended == ("a",)


def test_an_end_alone_is_reason_enough_to_tell_the_universe_once() -> None:
    scheduler = started(QUIET, market("a"))
    list(scheduler.handle(holding("old"), 2 * S))
    for now_s, told in ((3, 1), (63, 0)):
        [again] = scheduler.on_timer(now_s * S)
        answer = msgspec.structs.replace(fetched(again.request_id, market("a")), ended=(resolved("old"),))
        assert len(list(scheduler.handle(answer, now_s * S))) == told


def test_what_is_held_and_was_never_followed_here_is_asked_after_at_once() -> None:
    scheduler = started(QUIET, market("a"))
    list(scheduler.handle(holding("a"), 2 * S))
    assert scheduler.next_timer_ns() == 60 * S
    list(scheduler.handle(holding("a", "old"), 2 * S))
    assert scheduler.next_timer_ns() == 2 * S
    [again] = scheduler.on_timer(2 * S)
    assert again.ended == ("a", "old")
    list(scheduler.handle(fetched(again.request_id, market("a")), 3 * S))
    assert scheduler.next_timer_ns() == 63 * S


def test_what_is_told_to_be_held_while_the_catalogue_is_being_asked_is_asked_after_next() -> None:
    scheduler = Scheduler(QUIET, venue="fake")
    list(scheduler.start(0))
    list(scheduler.handle(holding("old"), 1))
    list(scheduler.handle(fetched(1, market("a")), 2))
    assert scheduler.next_timer_ns() == 2
    [again] = scheduler.on_timer(2)
    assert again.ended == ("a", "old")


def test_a_failed_refresh_keeps_the_universe_and_is_made_again_with_growing_waits():
    scheduler = started(QUIET, market("a"))
    waits, now = [], 60 * S
    for _ in range(9):
        [again] = scheduler.on_timer(now)
        with capture_logs() as logs:
            assert list(scheduler.handle(fetched(again.request_id, error="no answer"), now)) == []
        waits.append((scheduler.next_timer_ns() - now) // S)
        now = scheduler.next_timer_ns()
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert [(log["event"], log["job"], log["error"], log["failures"]) for log in logs] == [
        ("job_failed", "gamma_refresh", "no answer", 9)
    ]
    assert scheduler.counts()["refresh_failures"] == 9
    assert [each.market_id for each in next(iter(scheduler.current("universe"))).markets] == ["a"]
    [again] = scheduler.on_timer(now)
    list(scheduler.handle(fetched(again.request_id, market("a")), now))
    assert scheduler.next_timer_ns() == now + 60 * S


def test_an_answer_to_an_older_request_is_ignored():
    scheduler = started(QUIET, market("a"))
    list(scheduler.on_timer(60 * S))
    assert list(scheduler.handle(fetched(1, market("b")), 61 * S)) == []


def test_no_refresh_is_due_while_one_is_under_way():
    scheduler = started(QUIET, market("a"))
    list(scheduler.on_timer(60 * S))
    assert scheduler.next_timer_ns() is None


def test_jobs_fall_due_on_their_own_grids_and_are_counted():
    periods = IngestionSection(snapshot_interval_ms=2_000, prune_interval_ms=3_000, staleness_interval_ms=0)
    scheduler = Scheduler(periods, markets=())
    list(scheduler.start(0))
    due = []
    while (at := scheduler.next_timer_ns()) <= 6 * S:
        due += [(message.job, message.number, message.ts_ns // S) for message in scheduler.on_timer(at)]
    assert due == [("snapshot", 1, 2), ("prune", 1, 3), ("snapshot", 2, 4), ("snapshot", 3, 6), ("prune", 2, 6)]


def test_a_late_turn_does_not_shift_the_grid_and_is_not_repeated():
    scheduler = Scheduler(IngestionSection(prune_interval_ms=0, staleness_interval_ms=0, snapshot_interval_ms=2_000), markets=())
    list(scheduler.start(0))
    assert list(scheduler.on_timer(9 * S)) == [JobDue(ts_ns=9 * S, job="snapshot", number=1)]
    assert scheduler.next_timer_ns() == 10 * S


def test_fixed_markets_are_the_universe_from_the_start_and_nothing_is_fetched():
    scheduler = Scheduler(QUIET, markets=(market("a"),), source="recording")
    assert kinds(scheduler.start(3)) == ["MarketVersion", "MarketUniverse"]
    assert scheduler.next_timer_ns() is None


def test_everything_it_says_has_a_stream_except_what_goes_to_its_edge():
    assert {JobDue, MarketUniverse, MarketVersion} <= set(routes("scheduler"))
    assert FetchCatalogue not in routes("scheduler")


def configured(venue: dict, **sections) -> Config:
    return Config(Settings()).with_values({"venue": venue, **sections}, "test")


@pytest.mark.parametrize(
    ("venue", "url"), [("fake", "http://127.0.0.1:8766"), ("polymarket", "https://gamma-api.polymarket.com")]
)
def test_a_venue_with_a_catalogue_gets_an_edge(venue, url):
    plan = build(configured({"name": venue}, fake_venue={"port": 8766}))
    assert [edge.base_url for edge in plan.edges] == [url]
    assert plan.source == url


def test_a_recording_brings_its_markets_and_its_venue(tmp_path):
    write_markets(tmp_path, RecordedMarkets(venue="fake", markets=(market("a"),), source="http://was-here"))
    plan = build(configured({"name": "recording", "recording": str(tmp_path)}))
    said = list(plan.stage.start(0))
    assert plan.edges == []
    assert (said[0].venue, said[1].markets, said[1].source) == ("fake", (market("a"),), "http://was-here")


def test_of_a_recording_only_the_markets_that_are_named_are_followed(tmp_path):
    write_markets(tmp_path, RecordedMarkets(venue="fake", markets=(market("a", slug="first"), market("b"), market("c"))))
    venue = {"name": "recording", "recording": str(tmp_path)}
    plan = build(configured(venue, universe={"markets": ["first", "c"]}))
    *_, universe = plan.stage.start(0)
    assert [each.market_id for each in universe.markets] == ["a", "c"]
    with pytest.raises(BadInput, match="has no market d"):
        build(configured(venue, universe={"markets": ["first", "d"]}))


def test_a_recording_with_broken_markets_is_refused(tmp_path):
    (tmp_path / "markets.json").write_text("{")
    with pytest.raises(BadInput, match=r"markets\.json"):
        build(configured({"name": "recording", "recording": str(tmp_path)}))


def test_the_generic_stream_has_no_catalogue():
    plan = build(configured({"name": "generic"}))
    assert (plan.edges, kinds(plan.stage.start(0))) == ([], ["MarketUniverse"])


def test_messages_survive_the_wire():
    version = MarketVersion(ts_ns=1, market=market("a"), valid_from_ns=1, venue="fake")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(version), type=MarketVersion) == version


def test_the_universe_tells_the_rules_under_which_a_market_was_first_seen_also_by_earlier_runs(tmp_path):
    url = f"sqlite:///{tmp_path / 'known.db'}"
    seen = market("a", rules_hash="r1")
    with open_store(url) as store, store.begin() as conn:
        save_run(conn, Run(1, "scheduler", "run-1", started_ns=1))
        append_version(conn, 1, MarketVersion(ts_ns=1, market=seen, valid_from_ns=1, venue="fake"))
    config = Config(Settings()).with_values({"db": {"url": url}, "venue": {"name": "fake"}}, "test")
    scheduler = build(config).stage
    list(scheduler.start(0))
    said = list(scheduler.handle(fetched(1, market("a", rules_hash="r2"), market("b", rules_hash="r3"), market("c")), 5))
    assert [each.first_rules_hash for each in said[-1].markets] == ["r1", "r3", ""]
    assert [version.market.first_rules_hash for version in said[:-1]] == ["", "", ""], "the versions are as the catalogue says"
    [again] = [each for each in scheduler.on_timer(10_000 * S) if isinstance(each, FetchCatalogue)]
    said = list(scheduler.handle(fetched(again.request_id, market("b", rules_hash="r4")), 10_001 * S))
    assert [each.first_rules_hash for each in said[-1].markets] == ["r3"]
