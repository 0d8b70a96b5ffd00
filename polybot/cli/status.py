"""``polybot status``: how the feed of each market stands, from the database alone."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, defaultdict
from pathlib import Path

import click

from pipeline.base.config import load_config
from pipeline.base.units import NS_PER_MS
from pipeline.store.open import open_store
from pipeline.store.rows import BookStateRow, StatusRow
from pipeline.store.status import latest_book_states, market_statuses
from pipeline.store.trading import last_halt
from polybot.cli.halted import halt_line
from polybot.cli.options import config_option, json_option, stored_db_url_option
from polybot.cli.output import Cell, Styled, print_json, print_line, print_table
from polybot.cli.trading_words import short_id, show_time
from polybot.cli.writer_word import writer_line

_GOOD = ("VERIFIED", "QUIET")
_NAMED = 4
"""Outcomes whose states are told one by one; of more, how many are in which state."""
_COLUMNS = (
    "market_id",
    "last_seq",
    "last_update_ts_ms",
    "age",
    "snapshots",
    "deltas",
    "trades",
    "resync_first_delta",
    "resync_gap",
    "invalid",
    "snapshot_rows",
    "event_rows",
    "states",
)
_TOKEN_COLUMNS = ("market", "outcome", "state", "since (UTC)", "for", "seen", "last proved", "basis", "reason")
_QUESTION = 40


@click.command()
@click.option("--market", metavar="MARKET_ID", help="Only this market.")
@click.option(
    "--state-dir", type=click.Path(path_type=Path), metavar="DIR", is_eager=True, help="State directory of the pipeline."
)
@click.option("--tokens", "by_token", is_flag=True, help="A line for each token: the state of its book, since when, and why.")
@json_option
@config_option
@stored_db_url_option
def command(
    market: str | None, state_dir: Path | None, by_token: bool, as_json: bool, config_path: Path | None, db_url: str
) -> None:
    """Show for each market what its feed brought: sequence, age, counts, resynchronisations, states of its books.

    It reads the database, also while the pipeline runs, and says on standard error if trading is halted, or if a running writer cannot
    store what it gets. With --json, the states have their reasons too. A state is `now` while the book builder that saw it has not
    ended; afterwards it is what was last known.

    \b
    Example:
      polybot status --db-url sqlite:///./polybot-fake.db
      polybot status --tokens
    """
    config = load_config(config_path)
    if state_dir is not None:
        config = config.with_values({"bus": {"state_dir": str(state_dir)}}, "--state-dir")
    bus = config.settings.bus
    trouble = writer_line(bus)
    if trouble:
        print_line(trouble, err=True)
    with open_store(db_url, read_only=True) as store, store.connect() as conn:
        statuses = market_statuses(conn, market)
        states: dict[str, list[BookStateRow]] = defaultdict(list)
        for state in latest_book_states(conn, market):
            states[state.market_id].append(state)
        halted = halt_line(last_halt(conn), Path(bus.state_dir))
    if halted:
        print_line(halted, err=True)
    now_ms = time.time_ns() // NS_PER_MS
    if as_json:
        print_json([_as_object(status, states[status.market_id], now_ms) for status in statuses])
        return
    if by_token:
        questions = {status.market_id: status.question for status in statuses}
        told = [_token_cells(state, questions, now_ms) for group in states.values() for state in group]
        print_table(_TOKEN_COLUMNS, told, right=("for", "last proved"), empty="No book has a state yet.")
        return
    nothing = "No market has a feed yet." if market is None else f"Market {market} has no feed in {db_url}."
    rows = [_as_cells(status, states[status.market_id], now_ms) for status in statuses]
    print_table(_COLUMNS, rows, right=("age",), empty=f"{nothing} `polybot up` or `polybot replay` brings some.")


def age_ms(status: StatusRow, now_ms: int) -> int | None:
    """How long ago the last update was; None before the first."""
    return max(0, now_ms - status.last_update_ts_ms) if status.last_update_ts_ms else None


def show_age(milliseconds: int | None) -> str:
    """An age in its largest unit, cut off: ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``40 d``."""
    if milliseconds is None:
        return "-"
    if milliseconds < 10_000:
        return f"{milliseconds // 100 / 10} s"
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000)):
        if milliseconds >= 2 * length:
            return f"{milliseconds // length} {unit}"
    return f"{milliseconds // 1_000} s"


def _as_object(status: StatusRow, states: list[BookStateRow], now_ms: int) -> dict[str, object]:
    told = [_state_object(state, now_ms) for state in states]
    return dataclasses.asdict(status) | {"age_ms": age_ms(status, now_ms), "states": told}


def _state_object(state: BookStateRow, now_ms: int) -> dict[str, object]:
    return {
        "outcome_id": state.outcome_id,
        "token_id": state.token_id,
        "outcome": state.outcome,
        "state": state.state,
        "basis": state.basis,
        "reason": state.reason,
        "since_ts_ms": state.ts_ms,
        "for_ms": held_ms(state, now_ms),
        "last_proved_ns": last_proved_ns(state),
        "is_watched": state.is_watched,
        "run_ended_ns": state.ended_ns,
    }


def last_proved_ns(state: BookStateRow) -> int | None:
    """When a book that is no longer VERIFIED was last proved; of one that is, only the first proof is stored. None if never."""
    return None if state.state == "VERIFIED" else state.verified_ns or None


def held_ms(state: BookStateRow, now_ms: int) -> int | None:
    """How long the book has been in its state, or was until its run ended; None if nobody knows when the run ended."""
    until_ms = now_ms if state.is_watched else None if state.ended_ns is None else state.ended_ns // NS_PER_MS
    return None if until_ms is None else max(0, until_ms - state.ts_ms)


def _token_cells(state: BookStateRow, questions: dict[str, str], now_ms: int) -> list[Cell]:
    if state.is_watched:
        seen = "now"
    elif state.ended_ns is None:
        seen = "by a run that did not end in order"
    else:
        seen = f"{show_age(max(0, now_ms - state.ended_ns // NS_PER_MS))} ago"
    proved_ns = last_proved_ns(state)
    question = questions.get(state.market_id, "")
    return [
        (question if len(question) <= _QUESTION else f"{question[: _QUESTION - 1]}…") or short_id(state.market_id),
        short_id(state.outcome),
        Styled(state.state, "green" if state.state in _GOOD else "yellow"),
        show_time(state.ts_ms)[:-4],
        show_age(held_ms(state, now_ms)),
        seen,
        None if proved_ns is None else f"{show_age(max(0, now_ms - proved_ns // NS_PER_MS))} ago",
        state.basis,
        state.reason,
    ]


def _as_cells(status: StatusRow, states: list[BookStateRow], now_ms: int) -> list[Cell]:
    counts = [getattr(status, name) for name in _COLUMNS if hasattr(status, name)]
    age = show_age(age_ms(status, now_ms))
    return [*counts[:3], age, *counts[3:], _states_cell(states)]


def _states_cell(states: list[BookStateRow]) -> Cell:
    if not states:
        return None
    if len(states) > _NAMED:
        text = ", ".join(f"{count} {state}" for state, count in Counter(state.state for state in states).most_common())
    else:
        text = ", ".join(f"{short_id(state.outcome_id)} {state.state}" for state in states)
    return Styled(text, "green" if all(state.state in _GOOD for state in states) else "yellow")
