"""Verifying a session: every life asked again, every answer and every record compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.base.code import code_version
from pipeline.bus.input_replay import Divergence, LifeResult, replay_life
from polybot.verifying.heard import with_original
from polybot.verifying.session import Recorded, Session, recorded
from polybot.verifying.stages import VERIFIED, stage_of


@dataclass(frozen=True)
class Report:
    """What verifying a session gave. ``journal_records`` were found in the journals as they were said again.

    ``divergence`` is the first by the time of the session; where other settings were tried, the first decision.
    """

    session_id: str
    lives: tuple[LifeResult, ...]
    empty: tuple[str, ...]
    journal_records: int
    faults: tuple[str, ...]
    tried: bool = False
    """Other settings than the session's were in force."""
    other_code: bool = False
    """The program is not the one that the session ran."""
    divergence: Divergence | None = None

    @property
    def is_identical(self) -> bool:
        """Nothing differs, and nothing is missing."""
        return self.divergence is None and not self.faults

    @property
    def inputs(self) -> int:
        return sum(life.inputs for life in self.lives)

    @property
    def decisions(self) -> int:
        return sum(life.decisions for life in self.lives)


def verify(session: Session, shown: Callable[[str, int], None] = lambda role, events: None) -> Report:
    """Ask every life of the session again. ``shown`` is told now and then whose turn it is, and how many events are done in all."""
    journal = recorded(session)
    build = stage_of(session.config, journal.intents)
    results: list[LifeResult] = []
    empty: list[str] = []
    faults: list[str] = []
    done = compared = 0
    for life in session.lives:
        role = life.run_id.split(".")[1]
        before = done

        def show(events: int, role: str = role, before: int = before) -> None:
            shown(role, before + events)

        result = replay_life(life, build, for_decisions=session.tried, shown=show)
        if result is None:
            empty.append(life.run_id)
            faults += life.faults
            continue
        done += result.inputs + result.timers
        results.append(result)
        faults += result.faults
        if result.divergence is None:
            compared += _compare(result, journal, faults)
    faults += _without_log(session, journal)
    other_code = any(result.head.code != code_version() for result in results)
    first = _first(results, session.tried)
    if first is not None:
        first = with_original(session, first)
    return Report(session.id, tuple(results), tuple(empty), compared, tuple(faults), session.tried, other_code, first)


def _first(results: Sequence[LifeResult], tried: bool) -> Divergence | None:
    found = [life.divergence for life in results if life.divergence is not None]
    return min(found, key=lambda each: (tried and not each.is_decision, each.event.now_ns), default=None)


def _without_log(session: Session, journal: Recorded) -> list[str]:
    """Lives that others heard, or that left records, and that have no log."""
    known = {life.run_id for life in session.lives}
    heard = {
        run_id
        for life in session.lives
        for _, producer, run_id in life.senders
        if producer in VERIFIED and run_id.startswith(f"{session.id}.")
    }
    return [f"{run_id}: has no input log" for run_id in sorted((heard | journal.records.keys()) - known)]


def _compare(result: LifeResult, journal: Recorded, faults: list[str]) -> int:
    """The records that a life said again, with those in the journal. Returns how many are the same."""
    run_id = result.head.run_id
    there = journal.records.get(run_id, [])
    here = result.durable
    if len(there) > len(here):
        faults.append(f"{run_id}: its journal holds {len(there)} records; here it said {len(here)}")
    elif len(there) < result.safe:
        faults.append(f"{run_id}: its journal holds {len(there)} records of the {result.safe} that it said before its end")
    if not set(journal.checkpoints.get(run_id, ())) <= set(result.checkpoints):
        faults.append(f"{run_id}: its journal has a checkpoint that it did not make here")
    for number, (was, is_) in enumerate(zip(there, here, strict=False), 1):
        if was != is_:
            faults.append(f"{run_id}: record {number} of its journal is not the one that it said here")
            return number - 1
    return min(len(there), len(here))
