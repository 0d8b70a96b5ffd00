import msgspec
import pytest

from pipeline.base.errors import WrongDatabase
from pipeline.messages.market import FeeSchedule, Market, Outcome, Rewards
from pipeline.messages.records import MarketVersion
from pipeline.store.catalogue import append_version, mention_outcomes, outcome_key
from pipeline.store.markets import find_market, list_markets, search_markets, stored_markets, versions_of
from pipeline.store.open import Store, venue_of

MARKET = Market(
    market_id="0xc1",
    outcomes=(Outcome("111", "Yes"), Outcome("222", "No")),
    question="Will it rain 100% in Oslo?",
    slug="rain-oslo",
    event_title="Weather",
    tick_size="0.01",
    min_order_size="5",
    neg_risk=True,
    fees=FeeSchedule(rate_e6=40_000, exponent=2),
    rewards=Rewards(min_size_e6=1),
    volume_24h_e6=5_000_000,
)


def version(market: Market, at: int = 1, venue: str = "") -> MarketVersion:
    return MarketVersion(ts_ns=at, market=market, valid_from_ns=at, venue=venue)


@pytest.mark.parametrize(
    ("market", "token_id", "key"),
    [
        ("mkt-1", "mkt-1/yes", ("mkt-1", "yes")),
        ("0xc1", "111", ("0xc1", "111")),
        ("mkt-1", "mkt-10/yes", ("mkt-1", "mkt-10/yes")),
    ],
)
def test_the_outcome_id_is_the_callers_word_or_the_token_id(market: str, token_id: str, key: tuple[str, str]) -> None:
    assert outcome_key(market, token_id) == key


def test_a_market_is_read_back_whole_with_its_outcomes(store: Store) -> None:
    with store.begin() as conn:
        assert append_version(conn, 1, version(MARKET))
        assert stored_markets(conn) == [MARKET]
        found = find_market(conn, "rain-oslo")
        assert found is not None
        assert [(o.outcome_id, o.name, o.position) for o in found.outcomes] == [("111", "Yes", 0), ("222", "No", 1)]
        assert find_market(conn, "0xc1") == find_market(conn, "222") == found
        assert find_market(conn, "nothing") is None


def test_an_unchanged_market_writes_nothing(store: Store) -> None:
    with store.begin() as conn:
        append_version(conn, 1, version(MARKET))
    with store.begin() as conn:
        before = conn.exec_driver_sql("SELECT total_changes()").scalar()
        assert not append_version(conn, 1, version(MARKET, at=2))
        assert conn.exec_driver_sql("SELECT total_changes()").scalar() == before


def test_another_volume_alone_changes_the_latest_row_and_makes_no_version(store: Store) -> None:
    with store.begin() as conn:
        append_version(conn, 1, version(MARKET))
        assert append_version(conn, 1, version(msgspec.structs.replace(MARKET, volume_24h_e6=9), at=2))
        assert len(versions_of(conn, "0xc1")) == 1
        assert stored_markets(conn)[0].volume_24h_e6 == 9


def test_a_changed_market_appends_a_version_and_replaces_the_latest(store: Store) -> None:
    with store.begin() as conn:
        append_version(conn, 1, version(MARKET))
        append_version(conn, 1, version(msgspec.structs.replace(MARKET, closed=True), at=2))
        assert [v.valid_from_ns for v in versions_of(conn, "0xc1")] == [1, 2]
        assert list_markets(conn) == []
        assert [m.closed for m in list_markets(conn, include_closed=True)] == [1]


def test_a_market_that_was_only_mentioned_is_described_later(store: Store) -> None:
    with store.begin() as conn:
        mention_outcomes(conn, 1, [("0xc1", "222"), ("0xc1", "111"), ("0xc1", "222")])
        assert stored_markets(conn) == []
        append_version(conn, 1, version(MARKET))
        found = find_market(conn, "0xc1")
        assert found is not None
        assert [(o.outcome_id, o.name) for o in found.outcomes] == [("111", "Yes"), ("222", "No")]
        mention_outcomes(conn, 1, [("0xc1", "111")])
        assert find_market(conn, "0xc1") == found


def test_two_markets_may_both_have_an_outcome_yes(store: Store) -> None:
    with store.begin() as conn:
        mention_outcomes(conn, 1, [("mkt-1", "mkt-1/yes"), ("mkt-2", "mkt-2/yes")])
        assert [(m.market_id, m.outcomes[0].outcome_id, m.outcomes[0].token_id) for m in list_markets(conn)] == [
            ("mkt-1", "yes", "mkt-1/yes"),
            ("mkt-2", "yes", "mkt-2/yes"),
        ]


def test_a_search_needs_every_word_and_takes_percent_literally(store: Store) -> None:
    with store.begin() as conn:
        append_version(conn, 1, version(MARKET))
        append_version(conn, 1, version(msgspec.structs.replace(MARKET, market_id="0xc2", question="Snow?", slug="snow")))
        assert [m.market_id for m in search_markets(conn, "rain weather")] == ["0xc1"]
        assert [m.market_id for m in search_markets(conn, "100%")] == ["0xc1"]
        assert [m.market_id for m in search_markets(conn, "s%w")] == []


def test_a_version_of_another_venue_is_refused(store: Store) -> None:
    with store.begin() as conn:
        append_version(conn, 1, version(MARKET, venue="fake"))
        assert venue_of(conn) == "fake"
        with pytest.raises(WrongDatabase, match="venue fake"):
            append_version(conn, 1, version(MARKET, at=2, venue="polymarket"))
        append_version(conn, 1, version(MARKET, at=2, venue="generic"))
