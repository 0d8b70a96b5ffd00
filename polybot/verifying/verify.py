"""Verifying a session: every life asked again, every answer, every record and every row of the database compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.base.code import code_version
from pipeline.bus.input_reading import LifeLog
from pipeline.bus.input_replay import Divergence, LifeResult, replay_life, with_state_then
from pipeline.bus.topology import WRITER
from polybot.verifying.heard import with_original
from polybot.verifying.scratch import Rows, Scratch
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
    rows: Rows
    tried: bool = False
    """Other settings than the session's were in force."""
    other_code: bool = False
    """The program is not the one that the session ran."""
    divergence: Divergence | None = None

    @property
    def is_identical(self) -> bool:
        """Nothing differs, and nothing is missing."""
        rows = self.rows.found
        return self.divergence is None and not self.faults and (rows is None or rows.difference is None)

    @property
    def inputs(self) -> int:
        return sum(life.inputs for life in self.lives)

    @property
    def decisions(self) -> int:
        return sum(life.decisions for life in self.lives)


def verify(session: Session, shown: Callable[[str, int], None] = lambda role, events: None, db_url: str = "") -> Report:
    """Ask every life of the session again. ``shown`` is told now and then whose turn it is, and how many events are done in all.

    ``db_url``: where the database of the session is now, if not where its configuration has it.
    """
    with TemporaryDirectory(prefix="polybot-verify-") as folder:
        return _Verifying(session, shown, Path(folder)).verify(db_url or session.config.settings.db.url)


class _Verifying:
    """One session while it is asked again; ``folder`` is for the writer's database."""

    def __init__(self, session: Session, shown: Callable[[str, int], None], folder: Path) -> None:
        self._session, self._shown = session, shown
        self._journal = recorded(session)
        self._scratch = Scratch(folder, session.config)
        self._build = stage_of(session.config, self._journal.intents, self._scratch.begin)
        self._results: list[LifeResult] = []
        self._empty: list[str] = []
        self._faults: list[str] = []
        self._done = self._compared = 0

    def verify(self, db_url: str) -> Report:
        """All of it."""
        session, results, faults = self._session, self._results, self._faults
        for life in session.lives:
            self._ask(life)
        rows = self._rows(db_url)
        faults += [*self._scratch.faults, *_without_log(session, self._journal)]
        other_code = any(result.head.code != code_version() for result in results)
        first = _first(results, session.tried)
        if first is not None:
            first = self._with_both_sides(first)
        return Report(
            session.id,
            tuple(results),
            tuple(self._empty),
            self._compared,
            tuple(faults),
            rows,
            session.tried,
            other_code,
            first,
        )

    def _with_both_sides(self, found: Divergence) -> Divergence:
        """The first difference with what others heard of it, and with the state of the original where its settings tell that."""
        session = self._session
        if session.tried_from is not None and found.role != WRITER:
            [life] = [life for life in session.lives if life.run_id == found.run_id]
            found = with_state_then(life, stage_of(session.tried_from, self._journal.intents, self._scratch.begin), found)
        return with_original(session, found)

    def _ask(self, life: LifeLog) -> None:
        role = life.run_id.split(".")[1]
        before = self._done
        is_writer = role == WRITER
        result = replay_life(
            life,
            self._build,
            for_decisions=self._session.tried,
            shown=lambda events: self._shown(role, before + events),
            before_doubt=self._scratch.before_doubt if is_writer else lambda: None,
        )
        if is_writer:
            self._scratch.end()
        if result is None:
            self._empty.append(life.run_id)
            self._faults += life.faults
            return
        self._done += result.inputs + result.timers
        self._results.append(result)
        self._faults += result.faults
        if result.divergence is None:
            self._compared += _compare(result, self._journal, self._faults)

    def _rows(self, db_url: str) -> Rows:
        """The rows of the database, if all lives of the writer could be asked again."""
        writers = [result for result in self._results if result.head.role == WRITER]
        if not writers:
            return Rows(unknown="the writer has no input log")
        if any(result.divergence is not None or result.faults for result in writers):
            return Rows(unknown="the writer could not be asked again to its end")
        return self._scratch.rows(db_url, not writers[-1].ended, lambda rows: self._shown(WRITER, self._done + rows))


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
