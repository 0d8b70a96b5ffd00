"""``polybot markets``: the catalogue as a database has it."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import click
import msgspec

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_MS, NS_PER_S, format_e6
from pipeline.messages.market import FeeSchedule, Market, Rewards
from pipeline.store.accepted_rules import RulesSeen, accept_rules, rules_of
from pipeline.store.markets import find_market, list_markets, search_markets, stored_markets, versions_of
from pipeline.store.open import open_store
from pipeline.store.rows import MarketRow, VersionRow
from pipeline.store.url import path_of_url
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, Styled, print_json, print_line, print_table
from polybot.cli.trading_words import short_id

_COLUMNS = ("market", "question", "outcomes", "tick", "volume 24h", "ends", "state")
_QUESTION = 60
_NAMED = 4
_HOW_TO_FILL = "`polybot refresh-markets BASE_URL` brings the catalogue."


@click.group()
def command() -> None:
    """List, search and show the markets of a database, and accept changed rules.

    \b
    Example:
      polybot markets list
    """


@command.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The most markets listed.")
@click.option("--all", "include_closed", is_flag=True, help="Closed markets too.")
@json_option
@config_option
@stored_db_url_option
def list_(limit: int, include_closed: bool, as_json: bool, config_path: object, db_url: str) -> None:
    """List markets, the busiest of the last 24 hours first.

    \b
    Example:
      polybot markets list --limit 10 --db-url sqlite:///./polybot.db
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        rows = list_markets(conn, limit, include_closed=include_closed)
    _print(rows, as_json, f"No market is stored. {_HOW_TO_FILL}")


@command.command()
@click.argument("words", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="The most markets listed.")
@json_option
@config_option
@stored_db_url_option
def search(words: tuple[str, ...], limit: int, as_json: bool, config_path: object, db_url: str) -> None:
    """Find markets that have all WORDS in their question, slug or event; closed ones come last.

    \b
    Example:
      polybot markets search world cup spain
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        rows = search_markets(conn, " ".join(words), limit)
    _print(rows, as_json, f"No market has all of: {' '.join(words)}.")


@command.command()
@click.argument("name")
@json_option
@config_option
@stored_db_url_option
def show(name: str, as_json: bool, config_path: object, db_url: str) -> None:
    """Show one market: NAME is its slug, its condition id or one of its token ids.

    Prices and sizes are in dollars and shares. Versions are what the catalogue said over time.

    \b
    Example:
      polybot markets show will-spain-win-the-2026-fifa-world-cup-963
    """
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        row = find_market(conn, name)
        if row is None:
            raise BadInput(f"market {name}: not in {db_url}; `polybot markets search WORDS` finds markets, {_HOW_TO_FILL}")
        described = stored_markets(conn, [row.market_id])
        versions, rules = versions_of(conn, row.market_id), rules_of(conn, row.market_id)
    market = described[0] if described else None
    if as_json:
        told = {"seen": [{"rules_hash": text, "since_ns": at} for text, at in rules.seen], "have_changed": rules.have_changed}
        told |= {"accepted": rules.accepted, "accepted_ts_ms": rules.accepted_ts_ms, "reason": rules.reason}
        print_json({"market": market or row, "rules": told, "versions": [_version_object(version) for version in versions]})
        return
    print_table(("", ""), [*_facts(row, market), ("rules", _rules(row, rules))])
    click.echo()
    print_table(
        ("outcome", "token id"), [(outcome.name, outcome.token_id) for outcome in row.outcomes], empty="No outcome is known."
    )
    if versions:
        click.echo()
        print_table(("version from", "said", "changed"), _history(versions))


@command.command("accept-rules")
@click.argument("name")
@click.option("--reason", default="", metavar="TEXT", help="Why; it is stored.")
@json_option
@config_option
@stored_db_url_option
def accept_rules_(name: str, reason: str, as_json: bool, config_path: object, db_url: str) -> None:
    """Accept the rules of a market as they are, after they have changed.

    A market whose rules are not those it was first seen with is another bet than it was, and part of no complete set. Read its rules at the
    venue, then say so here: NAME is its slug, its condition id or one of its token ids. It counts from the next start of the pipeline, for
    these rules alone. While a pipeline writes to the database the command is refused: stop it first.

    \b
    Example:
      polybot markets accept-rules will-spain-win-the-2026-fifa-world-cup-963 --reason "read on Monday"
    """
    path = path_of_url(db_url)
    if path is None or not path.is_file():
        open_store(db_url, read_only=True).close()  # refuses what is not there, and makes nothing
    with open_store(db_url) as store, store.begin() as conn:
        row = find_market(conn, name)
        if row is None:
            raise BadInput(f"market {name}: not in {db_url}; `polybot markets search WORDS` finds markets, {_HOW_TO_FILL}")
        rules = rules_of(conn, row.market_id)
        if not rules.latest:
            raise BadInput(f"market {name}: the catalogue tells no rules of it; nothing can be accepted")
        changed = rules.have_changed
        if changed:
            accept_rules(conn, row.market_id, rules.latest, reason, time.time_ns() // NS_PER_MS)
    if as_json:
        print_json({"market_id": row.market_id, "rules_hash": rules.latest, "accepted": changed, "reason": reason})
    elif changed:
        print_line(
            f"the rules of {row.slug or row.market_id} as of {_moment(rules.seen[-1][1])} are accepted; it counts from the next start"
        )
    else:
        print_line(f"the rules of {row.slug or row.market_id} are those that are trusted already; nothing is changed")


def _rules(row: MarketRow, rules: RulesSeen) -> Cell:
    """Whether the rules are those that the market was first seen with, or that were accepted."""
    if not rules.seen:
        return None
    since = _moment(rules.seen[-1][1])
    if rules.have_changed:
        what = f"changed at {since}: part of no complete set until `polybot markets accept-rules {row.slug or row.market_id}`"
        return Styled(what, "yellow")
    if not rules.accepted:
        return "as first seen"
    return f"changed at {since}, accepted" + (f": {rules.reason}" if rules.reason else "")


def _print(rows: list[MarketRow], as_json: bool, empty: str) -> None:
    if as_json:
        print_json(rows)
        return
    print_table(_COLUMNS, [_cells(row) for row in rows], right=("tick", "volume 24h"), empty=empty)


def _cells(row: MarketRow) -> tuple[Cell, ...]:
    question = row.question if len(row.question) <= _QUESTION else row.question[: _QUESTION - 1] + "…"
    return (
        row.slug or row.market_id,
        question,
        _outcomes(row),
        row.tick_size,
        f"{row.volume_24h_e6 // 1_000_000:,}",
        _day(row.end_ns),
        _state(row),
    )


def _outcomes(row: MarketRow) -> str:
    """Their names; where the catalogue gave none, their ids cut short, and of many only how many."""
    if len(row.outcomes) > _NAMED:
        return f"{len(row.outcomes)} outcomes"
    return " / ".join(short_id(outcome.name) if outcome.name == outcome.token_id else outcome.name for outcome in row.outcomes)


def _state(row: MarketRow) -> Styled:
    if row.closed:
        return Styled("closed", "dim")
    if not row.active:
        return Styled("inactive", "dim")
    return Styled("open", "green") if row.accepting_orders else Styled("no orders", "yellow")


def _facts(row: MarketRow, market: Market | None) -> list[tuple[Cell, ...]]:
    facts: list[tuple[Cell, ...]] = [
        ("question", row.question or None),
        ("slug", row.slug or None),
        ("condition id", row.market_id),
        ("event", row.event_title or None),
        ("state", _state(row)),
        ("ends", _moment(row.end_ns)),
        ("volume 24h", f"{row.volume_24h_e6 // 1_000_000:,} dollars"),
        ("tick size", row.tick_size),
    ]
    if market is None:
        return [*facts, ("", "only mentioned by a feed; the catalogue has not described it")]
    return [
        *facts,
        ("least order", None if market.min_order_size is None else f"{market.min_order_size} shares"),
        ("neg-risk", _neg_risk(market)),
        ("game starts", _moment(market.game_start_ns)),
        ("order delay", f"{market.seconds_delay} s"),
        ("fees", _fees(market.fees)),
        ("rewards", _rewards(market.rewards)),
        ("generation", market.version),
        ("rules hash", market.rules_hash or None),
    ]


def _neg_risk(market: Market) -> str | None:
    if market.neg_risk is None:
        return None
    return ("yes, augmented" if market.neg_risk_augmented else "yes") if market.neg_risk else "no"


def _fees(fees: FeeSchedule | None) -> str:
    if fees is None:
        return "charged, but not said how much"
    if not fees.rate_e6:
        return "none"
    who = "takers only" if fees.taker_only else "takers and makers"
    return f"shares x {format_e6(fees.rate_e6)} x (p x (1 - p))^{fees.exponent}, {who}"


def _rewards(rewards: Rewards | None) -> str:
    if rewards is None:
        return "none"
    band = f"{format_e6(rewards.max_spread_e6)} dollars from the mid, at least {format_e6(rewards.min_size_e6)} shares"
    return f"{band}, {format_e6(rewards.daily_rate_e6)} dollars a day"


def _history(versions: list[VersionRow]) -> list[tuple[Cell, ...]]:
    """Each version with the names of the fields that differ from the one before."""
    rows: list[tuple[Cell, ...]] = []
    before: dict[str, object] | None = None
    for version in versions:
        body = msgspec.json.decode(version.body, type=dict[str, object])
        changed = "first seen" if before is None else ", ".join(sorted(k for k in body | before if body.get(k) != before.get(k)))
        rows.append((_moment(version.valid_from_ns), version.venue, changed))
        before = body
    return rows


def _version_object(version: VersionRow) -> dict[str, object]:
    return {"valid_from_ns": version.valid_from_ns, "venue": version.venue, "market": msgspec.json.decode(version.body)}


def _day(ns: int) -> str | None:
    return None if not ns else datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%d")


def _moment(ns: int) -> str | None:
    return None if not ns else datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
