"""What a session came to: the figures at the end of ``polybot up``."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field

import msgspec

from pipeline.base.errors import BadInput
from pipeline.base.units import format_e6
from pipeline.bus.topology import EXECUTOR, GATEWAY, WRITER
from polybot.cli.live_model import PipelineModel
from polybot.cli.output import counted, print_json, print_table, show_dollars


@dataclass(frozen=True)
class UpSummary:
    """``verified_percent`` is of the books seen; ``rows`` counts the whole database by table; PnL is simulated, in dollars, as text.

    Rows and PnL are the database's, so that the summary and `polybot pnl` say the same to the cent; None is unknown.
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


@dataclass(frozen=True)
class Stored:
    """What the database holds at the end: rows of the main tables, and the profit that `polybot pnl` shows (None: unknown)."""

    rows: dict[str, int] = field(default_factory=dict)
    pnl_e6: int | None = None


def read_stored(db_url: str) -> Stored:
    """Read it; nothing without a database."""
    from pipeline.store.open import open_store
    from pipeline.store.pnl import read_books
    from pipeline.store.status import main_counts

    try:
        with open_store(db_url, read_only=True) as store, store.connect() as conn:
            books = read_books(conn)
            profits = [account.pnl_e6(books.marks) for account in books.accounts.values()]
            known = [profit for profit in profits if profit is not None]
            return Stored(main_counts(conn), sum(known) if len(known) == len(profits) else None)
    except BadInput:
        return Stored()


def summarise(model: PipelineModel, *, session_id: str, seconds: int, stored: Stored, db_url: str, run_dir: str) -> UpSummary:
    """The figures of a session that has ended."""
    totals = [status.totals for status in model.statuses]
    return UpSummary(
        session_id=session_id,
        duration_s=seconds,
        frames=model.total(GATEWAY, "frames"),
        batches=model.batches,
        books=model.books,
        verified=model.trusted,
        quotes_placed=max(model.placed, model.total(EXECUTOR, "submitted")),
        fills=max(model.fills, model.total(EXECUTOR, "fills")),
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
    )


def print_summary(summary: UpSummary, as_json: bool) -> None:
    """To standard output, as a table or as JSON."""
    if as_json:
        body = msgspec.to_builtins(summary) | {"verified_percent": summary.verified_percent}
        print_json({key: value for key, value in body.items() if key != "pnl_e6"})
        return
    percent = (
        "no books"
        if summary.verified_percent is None
        else f"{summary.verified} of {summary.books} ({summary.verified_percent} %)"
    )
    print_table(
        ("session", summary.session_id),
        [
            ("duration", f"{summary.duration_s} s"),
            ("frames", f"{summary.frames:,}"),
            ("batches", f"{summary.batches:,}"),
            ("books verified", percent),
            ("quotes placed", f"{summary.quotes_placed:,}"),
            ("fills", f"{summary.fills:,}"),
            ("simulated PnL", "unknown" if summary.pnl_e6 is None else show_dollars(summary.pnl_e6)),
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
