"""Rows that wait for one transaction: messages become tuples at once, and SQLite is touched only when they are written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from pipeline.messages import Message
from pipeline.messages.market import TradePrint
from pipeline.messages.records import (
    BookEvents,
    BookLevels,
    BookStateChanged,
    FeedGap,
    HashChecks,
    MarketStatus,
    MarketVersion,
    Markout,
    Opportunity,
    PortfolioRow,
    RewardEstimate,
)
from pipeline.store import decisions, market
from pipeline.store.catalogue import OutcomeKey, append_version, mention_market, mention_outcomes, outcome_key
from pipeline.store.event_rows import EventRows
from pipeline.store.market import Row

_SAMPLES: tuple[tuple[str, Callable[[Connection, list[Row]], None]], ...] = (
    ("snapshots", market.insert_snapshots),
    ("trades", market.insert_trades),
    ("states", market.insert_states),
    ("gaps", market.upsert_gaps),
    ("checks", market.insert_checks),
    ("opportunities", decisions.insert_opportunities),
    ("portfolio", decisions.insert_portfolio),
    ("markouts", decisions.insert_markouts),
    ("rewards", decisions.insert_rewards),
)
_NO_GROUP = (0, "", "")


class RowBuffer:
    """Samples of the market on their way to disk. ``waiting`` counts their rows; ``takers`` are what ``take`` calls for each kind."""

    def __init__(self) -> None:
        self.waiting = 0
        self._rows: dict[str, list[Row]] = {name: [] for name, _ in _SAMPLES}
        self._events = EventRows()
        self._group = _NO_GROUP
        self._add_events: Callable[[BookEvents], None]
        self._statuses: dict[str, Row] = {}
        self._versions: list[tuple[int, MarketVersion]] = []
        self._keys: dict[tuple[str, str], OutcomeKey] = {}
        self._mentioned: list[tuple[int, str, str]] = []
        self.takers: dict[type[Message], Callable[[int, Any], None]] = {
            BookEvents: self._take_events,
            BookLevels: lambda run, msg: self._take_row("snapshots", market.snapshot_row(run, self._key(run, msg), msg)),
            TradePrint: lambda run, msg: self._take_row("trades", market.trade_row(run, self._key(run, msg), msg)),
            BookStateChanged: lambda run, msg: self._take_row("states", market.state_row(run, self._key(run, msg), msg)),
            FeedGap: lambda run, msg: self._take_row("gaps", market.gap_row(run, self._key(run, msg), msg)),
            HashChecks: lambda run, msg: self._take_row("checks", market.checks_row(run, self._key(run, msg), msg)),
            Opportunity: lambda run, msg: self._take_row("opportunities", decisions.opportunity_row(run, msg)),
            PortfolioRow: lambda run, msg: self._take_row("portfolio", decisions.portfolio_row(run, self._key(run, msg), msg)),
            Markout: lambda run, msg: self._take_row("markouts", decisions.markout_row(run, self._key(run, msg), msg)),
            RewardEstimate: lambda run, msg: self._take_row("rewards", decisions.reward_row(run, msg)),
            MarketStatus: self._take_status,
            MarketVersion: self._take_version,
        }

    def take(self, run_id: int, msg: Message) -> bool:
        """Keep what a message says until ``write``; False if it is of no kind that is stored here."""
        taker = self.takers.get(type(msg))
        if taker is None:
            return False
        taker(run_id, msg)
        return True

    def write(self, conn: Connection) -> int:
        """Write everything that waits, markets and outcomes first; it stays here until ``clear``. Returns the number of samples."""
        for run_id, version in self._versions:
            append_version(conn, run_id, version)
        for run_id, market_id, token_id in self._mentioned:
            mention_outcomes(conn, run_id, [(market_id, token_id)])
        if self._statuses:
            for row in self._statuses.values():
                mention_market(conn, row[1], row[0])
            market.upsert_statuses(conn, list(self._statuses.values()))
        self._events.write(conn)
        for name, insert in _SAMPLES:
            if self._rows[name]:
                insert(conn, self._rows[name])
        return self._samples

    def clear(self) -> None:
        """Forget what was written."""
        self.drop_samples()
        self._statuses.clear()
        self._versions.clear()
        self._mentioned.clear()
        self.waiting = 0

    def drop_samples(self) -> int:
        """Forget rows that could not be written, but for what the catalogue and the statuses say; returns how many."""
        gone = self._samples
        self._events.clear()
        self._group = _NO_GROUP
        for rows in self._rows.values():
            rows.clear()
        self.waiting -= gone
        return gone

    @property
    def _samples(self) -> int:
        """What waits besides statuses and versions."""
        return self.waiting - len(self._statuses) - len(self._versions)

    def _take_events(self, run_id: int, msg: BookEvents) -> None:
        if (run_id, msg.market, msg.token_id) != self._group:
            self._group = (run_id, msg.market, msg.token_id)
            self._add_events = self._events.group((run_id, *self._key(run_id, msg)))
        self._add_events(msg)
        self.waiting += len(msg.events)

    def _take_row(self, name: str, row: Row) -> None:
        self._rows[name].append(row)
        self.waiting += 1

    def _take_status(self, run_id: int, msg: MarketStatus) -> None:
        self.waiting += msg.market not in self._statuses  # a later one replaces it
        self._statuses[msg.market] = market.status_row(run_id, msg)

    def _take_version(self, run_id: int, msg: MarketVersion) -> None:
        self._versions.append((run_id, msg))
        self.waiting += 1

    def _key(self, run_id: int, msg: Any) -> OutcomeKey:
        pair = (msg.market, msg.token_id)
        key = self._keys.get(pair)
        if key is None:
            key = self._keys[pair] = outcome_key(*pair)
            self._mentioned.append((run_id, *pair))
        return key
