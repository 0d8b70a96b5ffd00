"""Coverage of a database: the states, gaps and hash checks that the writer stored, run by run of the book builder.

A book keeps its state until it goes to another or its run ends. Between two runs nobody watched. Where two runs saw a token at the
same (event) time, as a replay of what was watched live does, the later run counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pipeline.base.errors import BadInput
from pipeline.store.catalogue import OutcomeKey
from pipeline.store.coverage import (
    BuilderRun,
    StateRow,
    TokenName,
    builder_runs,
    checks_by_hour,
    feed_gap_rows,
    states_backwards,
    token_names,
)
from pipeline.store.open import Store
from polybot.cli.trading_words import short_id
from polybot.coverage.model import Coverage, GapSpan, Note, TokenCoverage, named, watched_hours
from polybot.coverage.shares import Interval, joined, spread, width_for, without


def cover_database(store: Store, *, token_id: str = "", shown: Callable[[int], None] = lambda done: None) -> Coverage:
    """How well the runs that a database holds covered their tokens.

    ``token_id`` (or ``market/outcome``) keeps one token only; ``shown`` is told how many states are read. Raises BadInput if no book
    builder ever wrote, or for an unknown token.
    """
    with store.connect() as conn:
        names = token_names(conn)
        key = _key_of(names, token_id, store.db_url)
        runs = [run for run in builder_runs(conn) if run.seen_ns > run.started_ns]
        if not runs:
            raise BadInput(f"{store.db_url}: no book builder has written to it; `polybot up` or `polybot replay` does")
        observed = joined((run.started_ns, run.seen_ns) for run in runs)
        start_ns, end_ns = observed[0][0], observed[-1][1]
        width_ns = width_for(sum(watched_hours(observed, start_ns, end_ns).values()))
        tokens: dict[OutcomeKey, TokenCoverage] = {}
        for name in names:
            place = OutcomeKey(name.market_id, name.outcome_id)
            if key is None or place == key:
                tokens[place] = TokenCoverage(name.token_id, name.market_id, _name(name))
        _add_states(_counted(states_backwards(conn, key), shown), {run.id: run for run in runs}, tokens, width_ns)
        for gap in feed_gap_rows(conn, key):
            span = GapSpan(gap.start_ns, gap.end_ns or None, gap.cause, gap.healed_by)
            _token(tokens, OutcomeKey(gap.market_id, gap.outcome_id)).gaps.append(span)
        for checks in checks_by_hour(conn, key):
            token = _token(tokens, OutcomeKey(checks.market_id, checks.outcome_id))
            token.check(checks.hour_ns, checks.done, checks.matched, checks.undecided)
    watched = [token for token in tokens.values() if key is not None or token.cells or token.gaps or token.checks]
    return Coverage(
        source=store.db_url,
        kind="database",
        start_ns=start_ns,
        end_ns=end_ns,
        width_ns=width_ns,
        tokens=named(watched),
        observed=observed,
        notes=[note for run in runs for note in _notes(run)],
    )


def _counted(rows: Iterator[StateRow], shown: Callable[[int], None]) -> Iterator[StateRow]:
    for number, row in enumerate(rows):
        if not number & 0xFFF:
            shown(number)
        yield row


def _add_states(
    rows: Iterator[StateRow], runs: dict[int, BuilderRun], tokens: dict[OutcomeKey, TokenCoverage], width_ns: int
) -> None:
    """Give each token its time by state. Rows come the newest first: each lasted until the one before, or until its run ended."""
    seen_from: dict[OutcomeKey, tuple[int, int]] = {}
    by_later_runs: dict[OutcomeKey, list[Interval]] = {}
    for row in rows:
        run = runs.get(row.run_id)
        if run is None:
            continue
        place = OutcomeKey(row.market_id, row.outcome_id)
        run_id, until_ns = seen_from.get(place, (row.run_id, run.seen_ns))
        if run_id != row.run_id:
            newer = (until_ns, runs[run_id].seen_ns)
            by_later_runs[place] = joined([*by_later_runs.get(place, ()), newer])
            until_ns = run.seen_ns
        seen_from[place] = (row.run_id, min(row.ts_ns, until_ns))
        token = _token(tokens, place)
        for start_ns, end_ns in without(max(row.ts_ns, run.started_ns), until_ns, by_later_runs.get(place, ())):
            spread(token.cells, width_ns, start_ns, end_ns, row.state, row.reason)


def _token(tokens: dict[OutcomeKey, TokenCoverage], key: OutcomeKey) -> TokenCoverage:
    """The token of a key; one that the catalogue lacks is named by its ids."""
    token = tokens.get(key)
    if token is None:
        token = tokens[key] = TokenCoverage(
            key.outcome_id, key.market_id, f"{short_id(key.market_id)} / {short_id(key.outcome_id)}"
        )
    return token


def _key_of(names: list[TokenName], token_id: str, db_url: str) -> OutcomeKey | None:
    if not token_id:
        return None
    for name in names:
        if token_id in (name.token_id, f"{name.market_id}/{name.outcome_id}"):
            return OutcomeKey(name.market_id, name.outcome_id)
    raise BadInput(f"{db_url}: no token {token_id}; without --token every token is shown")


def _name(name: TokenName) -> str:
    """``Question / Outcome``; ids, short, where the catalogue has no words."""
    if not name.title and name.token_id.startswith(f"{name.market_id}/"):
        return name.token_id
    return f"{name.title or short_id(name.market_id)} / {short_id(name.name) if name.name == name.outcome_id else name.name}"


def _notes(run: BuilderRun) -> list[Note]:
    fed = f" on {run.source}" if run.source else ""
    ended = (
        f"book builder {run.reason or 'ended'}"
        if run.ended_ns is not None
        else "last sign of the book builder, which did not end"
    )
    return [Note(run.started_ns, "started", f"book builder started{fed}"), Note(run.seen_ns, "ended", ended)]
