"""``polybot dutch-run-replay``: the Dutch Book desk over a recorded file."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from polybot.cli.options import config_option, db_url_option, json_option
from polybot.cli.output import Progress, print_json, print_line

if TYPE_CHECKING:
    from polybot.trading_replay import Traded


def _dollars(ctx: click.Context, param: click.Parameter, value: str | None) -> Decimal | None:
    if value is None:
        return None
    from pipeline.base.errors import BadInput

    try:
        amount = Decimal(value)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise BadInput(f"--safety-margin-usdc {value}: expected a number of dollars from 0 on, e.g. 0.01")
    return amount


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("market_id")
@click.option(
    "--safety-margin-usdc",
    "margin",
    callback=_dollars,
    metavar="USDC",
    help="Reserve that a set must earn. Default: [dutch_book].",
)
@click.option("--allow-other", is_flag=True, help='Let outcomes such as "Other" be part of a set that needs all outcomes.')
@click.option("--verbose", is_flag=True, help="Tell every opportunity, not only how many there were.")
@json_option
@config_option
@db_url_option
def command(
    file: Path,
    market_id: str,
    margin: Decimal | None,
    allow_other: bool,
    verbose: bool,
    as_json: bool,
    config_path: Path | None,
    db_url: str,
) -> None:
    """Look for complete sets that cost less than they pay over the recorded FILE, and trade those worth it.

    MARKET_ID is a market of the generic stream, whose outcomes make a set; on a recording an event, by slug or id, a market of it, or
    `all`. Orders are matched by [execution] relayer; fills and profit are simulated. Nothing is sent anywhere.

    \b
    Example:
      polybot dutch-run-replay recordings/fake-venue-10min all --db-url sqlite:///./polybot.db
    """
    import msgspec

    from pipeline.base.config import load_config
    from pipeline.strategy.dutch_rules import DutchRules
    from polybot.trading_replay import chosen_set, trade_file

    settings = load_config(config_path).settings
    section = settings.dutch_book
    if margin is not None:
        section = msgspec.structs.replace(section, safety_margin_usdc=margin)
    if allow_other:
        section = msgspec.structs.replace(section, allow_other=True)
    with Progress("looking for sets", unit="lines") as progress:
        done = trade_file(
            file,
            lambda source: chosen_set(source, market_id),
            db_url,
            settings,
            dutch_book=DutchRules.from_settings(section, settings.thresholds, settings.risk),
            market=market_id,
            shown=progress.show,
        )
    if as_json:
        print_json(_as_object(done, verbose))
        return
    for line in _lines(done, verbose):
        print_line(line)


def _lines(done: Traded, verbose: bool) -> list[str]:
    from pipeline.base.units import format_e6
    from polybot.cli.trading_words import show_time

    seen, lines = done.seen, []
    taken = sum(each.taken for each in seen.opportunities)
    for each in seen.opportunities if verbose else ():
        end = seen.ends.get(each.plan_id)
        told = "refused" if not each.taken else f"taken, {end.outcome}" if end is not None else "taken"
        lines.append(f"{show_time(each.ts_ns // 1_000_000)}  {each.kind}  {told}: {each.reason} (plan {each.plan_id})")
        if end is not None and each.taken:
            lines.append(f"    {end.reason}; worth {format_e6(end.result_e6)} USDC at worst")
    ends = ", ".join(f"{count} {outcome}" for outcome, count in sorted(seen.outcomes.items()))
    worst = format_e6(sum(end.result_e6 for end in seen.ends.values()))
    lines.append(
        f"{done.quoted.messages:,} messages, {len(done.markets):,} markets: {len(seen.opportunities):,} opportunities told, "
        f"{taken:,} taken{f' ({ends})' if ends else ''}; {done.quoted.fills:,} fills, ${worst} at worst, simulated (mode {done.mode})"
    )
    return lines


def _as_object(done: Traded, verbose: bool) -> dict[str, Any]:
    from pipeline.base.units import format_e6

    seen = done.seen
    told: dict[str, Any] = {
        "path": str(done.path),
        "mode": done.mode,
        "messages": done.quoted.messages,
        "markets": len(done.markets),
        "seen": len(seen.opportunities),
        "taken": sum(each.taken for each in seen.opportunities),
        "refused": sum(not each.taken for each in seen.opportunities),
        "outcomes": seen.outcomes,
        "orders": done.quoted.orders,
        "fills": done.quoted.fills,
        "worst_result": format_e6(sum(end.result_e6 for end in seen.ends.values())),
    }
    if verbose:
        told["opportunities"] = seen.opportunities
        told["ends"] = list(seen.ends.values())
    return told
