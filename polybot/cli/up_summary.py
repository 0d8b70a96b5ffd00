"""What a session came to: the figures at the end of ``polybot up``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from pipeline.base.errors import BadInput
from pipeline.base.units import format_e6
from pipeline.bus.topology import EXECUTOR, GATEWAY, WRITER
from polybot.cli.live_model import PipelineModel
from polybot.cli.output import counted, print_json, print_table, show_dollars

if TYPE_CHECKING:
    from pipeline.store.pnl import FillCounts

DOUBTS = {
    "UNVERIFIED": "cannot be checked",
    "PENDING": "about to be checked",
    "SUSPECT": "suspect",
    "RESYNCING": "fetched anew",
    "STALE": "stale",
    "DEAD": "ended",
}


@dataclass(frozen=True)
class UpSummary:
    """``verified_percent`` is of the books seen; ``rows`` counts the whole database by table; PnL is simulated, in dollars, as text.

    ``fills`` counts trades at the venue, ``merged``, ``converted`` and ``settled`` what was booked without one (see ``FillCounts``);
    together they are the ``fill_rows`` that this session left in the database. Rows and PnL are the whole database's, so that the summary
    and `polybot pnl` say the same to the last digit; None is unknown. ``profits`` are its parts by strategy, in millionths;
    ``earlier_sessions`` traded into the same database before. ``doubted`` counts the books that are not verified by their state.
    ``degraded`` counts the times in which the writer could not store, ``dropped_rows`` the samples of the market that it gave up then.
    """

    session_id: str
    duration_s: int
    frames: int
    batches: int
    books: int
    verified: int
    quotes_placed: int
    fills: int
    simulated_pnl: str | None
    restarts: int
    drops: int
    gaps: int
    rows: dict[str, int] = field(default_factory=dict)
    db_url: str = ""
    run_dir: str = ""
    pnl_e6: int | None = None
    degraded: int = 0
    degraded_ms: int = 0
    dropped_rows: int = 0
    failed: int = 0
    merged: int = 0
    converted: int = 0
    settled: int = 0
    fill_rows: int = 0
    profits: dict[str, int | None] = field(default_factory=dict)
    earlier_sessions: int = 0
    doubted: dict[str, int] = field(default_factory=dict)

    @property
    def persistence(self) -> str:
        """Whether the database took what it was given."""
        if not self.degraded and not self.dropped_rows:
            return "everything stored"
        parts = []
        if self.degraded:
            parts.append(f"degraded {counted(self.degraded, 'time')}, {self.degraded_ms / 1_000:.1f} s")
        if self.dropped_rows:
            parts.append(f"{counted(self.dropped_rows, 'market sample')} dropped")
        return "; ".join(parts)

    @property
    def verified_percent(self) -> int | None:
        """Rounded down; None without books."""
        return 100 * self.verified // self.books if self.books else None

    @property
    def proved(self) -> str:
        """How many books are proved equal to the venue's, and how the others stand."""
        if self.verified_percent is None:
            return "no books"
        told = f"{self.verified} of {self.books} ({self.verified_percent} %)"
        if not self.doubted:
            return told
        doubts = ", ".join(f"{count} {DOUBTS.get(state, state)}" for state, count in self.doubted.items())
        return f"{told}, {doubts}; `polybot status --tokens` says why"

    @property
    def booked(self) -> str:
        """What was booked without a trade."""
        parts = [
            f"{word} {counted(count, 'time')}"
            for word, count in (("merged", self.merged), ("converted", self.converted))
            if count
        ]
        if self.settled:
            parts.append(f"settled {counted(self.settled, 'position')}")
        return ", ".join(parts) or "nothing"

    @property
    def profit(self) -> str:
        """The profit to the cent, then to the last digit with its parts."""
        if self.pnl_e6 is None:
            return "unknown: a held outcome has no mid"
        told = show_dollars(self.pnl_e6)
        parts = [f"{name} {format_e6(profit)}" for name, profit in self.profits.items() if profit is not None]
        if parts:
            told += f", exactly {format_e6(self.pnl_e6)}: {', '.join(parts)}"
        return told + (f"; {counted(self.earlier_sessions, 'earlier session')} included" if self.earlier_sessions else "")


@dataclass(frozen=True)
class Stored:
    """What the database holds at the end: rows of the main tables, and the profit that `polybot pnl` shows (None: unknown).

    ``fills`` are the session's (None: nothing can be read), ``profits`` each account's.
    """

    rows: dict[str, int] = field(default_factory=dict)
    pnl_e6: int | None = None
    profits: dict[str, int | None] = field(default_factory=dict)
    fills: FillCounts | None = None
    earlier_sessions: int = 0


def read_stored(db_url: str, session_id: str) -> Stored:
    """Read it; nothing without a database."""
    from pipeline.store.open import open_store
    from pipeline.store.pnl import count_fills, read_books, trading_sessions
    from pipeline.store.status import main_counts

    try:
        with open_store(db_url, read_only=True) as store, store.connect() as conn:
            books = read_books(conn)
            modes = {mode for _, mode in books.accounts}
            profits = {
                name if len(modes) == 1 else f"{name} ({mode})": account.pnl_e6(books.marks)
                for (name, mode), account in sorted(books.accounts.items())
            }
            earlier = trading_sessions(conn) - {session_id}
            return Stored(main_counts(conn), total_e6(profits.values()), profits, count_fills(conn, session_id), len(earlier))
    except BadInput:
        return Stored()


def total_e6(profits: Iterable[int | None]) -> int | None:
    """All profits together; None if one is unknown."""
    total = 0
    for profit in profits:
        if profit is None:
            return None
        total += profit
    return total


def summarise(model: PipelineModel, *, session_id: str, seconds: int, stored: Stored, db_url: str, run_dir: str) -> UpSummary:
    """The figures of a session that has ended."""
    totals = [status.totals for status in model.statuses]
    traded = max(model.fills, model.total(EXECUTOR, "fills"))
    fills = stored.fills
    return UpSummary(
        session_id=session_id,
        duration_s=seconds,
        frames=model.total(GATEWAY, "frames"),
        batches=model.batches,
        books=model.books,
        verified=model.trusted,
        quotes_placed=max(model.placed, model.total(EXECUTOR, "submitted")),
        fills=traded if fills is None else fills.trades,
        simulated_pnl=None if stored.pnl_e6 is None else format_e6(stored.pnl_e6),
        restarts=sum(status.restarts for status in model.statuses),
        drops=sum(total.get("dropped", 0) + total.get("dropped_rows", 0) for total in totals),
        gaps=sum(total.get("gaps", 0) for total in totals),
        rows=stored.rows,
        db_url=db_url,
        run_dir=run_dir,
        pnl_e6=stored.pnl_e6,
        degraded=model.total(WRITER, "degraded"),
        degraded_ms=model.total(WRITER, "degraded_ms"),
        dropped_rows=model.total(WRITER, "dropped_rows"),
        failed=0 if fills is None else fills.failed,
        merged=0 if fills is None else fills.merged,
        converted=0 if fills is None else fills.converted,
        settled=0 if fills is None else fills.settled,
        fill_rows=0 if fills is None else fills.rows,
        profits=stored.profits,
        earlier_sessions=stored.earlier_sessions,
        doubted=model.doubted(),
    )


def print_summary(summary: UpSummary, as_json: bool) -> None:
    """To standard output, as a table or as JSON."""
    if as_json:
        body = msgspec.to_builtins(summary) | {"verified_percent": summary.verified_percent}
        body["profits"] = {name: None if profit is None else format_e6(profit) for name, profit in summary.profits.items()}
        print_json({key: value for key, value in body.items() if key != "pnl_e6"})
        return
    print_table(
        ("session", summary.session_id),
        [
            ("duration", f"{summary.duration_s} s"),
            ("frames", f"{summary.frames:,}"),
            ("batches", f"{summary.batches:,}"),
            ("books verified", summary.proved),
            ("quotes placed", f"{summary.quotes_placed:,}"),
            ("fills", counted(summary.fills, "trade") + (f", {summary.failed:,} more failed" if summary.failed else "")),
            ("booked besides", summary.booked),
            ("simulated PnL", summary.profit),
            ("rows in the database", f"{sum(summary.rows.values()):,}"),
            ("persistence", summary.persistence),
            ("restarts", f"{summary.restarts}"),
            ("messages dropped", f"{summary.drops:,}"),
            ("gaps in streams", f"{summary.gaps:,}"),
            ("database", summary.db_url),
            ("logs and recording", summary.run_dir),
        ],
    )
    sys.stdout.flush()
