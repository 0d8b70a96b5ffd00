"""Replay of a recorded file into a database: the live stages in lockstep, one transaction, committed at the end or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.base.errors import BadInput, WrongDatabase
from pipeline.messages.market import Market
from pipeline.recording.level2 import Columns
from pipeline.recording.playback import Playback
from pipeline.recording.source import FrameSource, open_frames
from pipeline.store.open import Store, open_store, refuse_other_venue
from pipeline.store.runs import replay_of
from pipeline.store.url import path_of_url
from pipeline.venue.snapshots import file_snapshots
from polybot.composition import Composition, generic_market, sha256_of
from processes.gateway import Gateway

ALL_MARKETS = "all"
_DOUBTS = ("resync_gap", "resync_first_delta", "invalid", "crossed", "hash_misses")


@dataclass(frozen=True)
class Replayed:
    """What a replay brought. ``already``: the same file was replayed for the same market before, and nothing was written.

    ``doubts`` counts what kept books from being right: resync_gap, resync_first_delta, invalid, crossed, hash_misses.
    """

    path: Path
    market_id: str
    kind: str
    already: bool
    frames: int = 0
    messages: int = 0
    snapshots: int = 0
    deltas: int = 0
    trades: int = 0
    bad_frames: int = 0
    doubts: dict[str, int] = field(default_factory=dict)
    rows: int = 0


def replay_file(
    path: Path,
    market_id: str,
    db_url: str,
    *,
    outcome_id: str = "yes",
    columns: Columns | None = None,
    snapshots: Path | None = None,
    shown: Callable[[int], None] = lambda done: None,
) -> Replayed:
    """Replay ``path`` for one market (or ``all``) into the database, whole or not at all.

    ``outcome_id`` is meant where a generic line names none; ``columns`` maps level-2 CSV; ``snapshots`` is a JSON file that answers
    requests for fresh books. ``shown`` is told the frames done so far. Raises BadInput for what cannot be replayed: then nothing is
    written.
    """
    if not market_id:
        raise BadInput(f"MARKET_ID is empty; give the market's id, or {ALL_MARKETS} for a file that names its markets")
    wanted = "" if market_id == ALL_MARKETS else market_id
    source = open_frames(path, market=wanted or path.stem, columns=columns, start_ns=time.time_ns())
    provider = None if snapshots is None else file_snapshots(snapshots)
    if source.venue == "generic" and not wanted:
        raise BadInput(f"{path}: lines of the generic stream need a MARKET_ID of their own, not {ALL_MARKETS}")
    digest = sha256_of(path)
    with _whole_or_nothing(db_url) as store:
        _refuse_other_venue(store, source.venue)
        with store.connect() as conn:
            if replay_of(conn, digest, market_id) is not None:
                return Replayed(path, market_id, source.kind, already=True)
        gateway = Gateway(market=wanted, outcome_id=outcome_id, mirror=False, strict=source.strict)
        playback = Playback(source.messages(), answers=provider is not None, shown=shown)
        run = Composition(
            store,
            gateway,
            markets=_markets(source, wanted, outcome_id),
            venue=source.venue or "generic",
            source=str(path),
            edges=[playback],
            provider=provider,
            once=True,
            start_ns=playback.next_ns() or 0,
            told={"market_id": market_id, "file_sha256": digest},
        )
        run.lockstep.run(until=lambda: gateway.ended)
        counts = gateway.counts()
        if not counts["messages"]:
            raise BadInput(f"{path}: {_nothing_about(market_id, counts)}")
        run.finish()
        feeds = run.builder.shelf.feeds.values()
        return Replayed(
            path,
            market_id,
            source.kind,
            already=False,
            frames=playback.played - 1,  # the last thing played says that it ended
            messages=counts["messages"],
            snapshots=sum(feed.snapshots for feed in feeds),
            deltas=sum(feed.deltas for feed in feeds),
            trades=sum(feed.trades for feed in feeds),
            bad_frames=counts["bad_frames"],
            doubts=doubts_of(run.builder.counts()),
            rows=run.writer.counts()["rows"],
        )


def doubts_of(counts: Mapping[str, int]) -> dict[str, int]:
    """Of the counts of a book builder, those that tell why a book was not right for a while."""
    return {name: counts[name] for name in _DOUBTS if counts.get(name)}


def _nothing_about(market_id: str, counts: Mapping[str, int]) -> str:
    """Why a file brought nothing, and what to do."""
    lines = counts["frames"]
    if counts["bad_frames"] == lines:
        return f"none of its {lines:,} lines could be understood; give JSON lines of frames, a recording, or level-2 CSV"
    unknown = [name.partition(":")[2] for name in counts if name.startswith("unknown:")]
    met = f", and some are of the unknown type {', '.join(unknown[:3])}" if unknown else ""
    return f"no line is about market {market_id}{met}; check the MARKET_ID"


@contextmanager
def _whole_or_nothing(db_url: str) -> Iterator[Store]:
    """The database, open for writing. One that was made for this and is left by an error is taken away again."""
    path = path_of_url(db_url)
    was_there = path is None or path.exists()
    try:
        with open_store(db_url) as store:
            yield store
    except BaseException:
        if path is not None and not was_there:
            for file in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm", ".lock"))):
                file.unlink(missing_ok=True)
        raise


def _refuse_other_venue(store: Store, venue: str) -> None:
    try:
        with store.connect() as conn:
            refuse_other_venue(conn, venue)
    except WrongDatabase as error:
        raise WrongDatabase(f"{store.path}: {error}") from None


def _markets(source: FrameSource, wanted: str, outcome_id: str) -> list[Market]:
    """The catalogue of a replay: what the recording holds of the market, else the market that the command names."""
    recorded = [market for market in source.markets if wanted in ("", market.market_id)]
    if recorded or source.venue != "generic":
        return recorded
    return [generic_market(wanted, outcome_id)]
