"""What a backtest plays: a recording, a capture, level-2 rows, sampled books or a database, looked at once before anything is played.

An ``Input`` is small and can be sent to another process, which opens the data again.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadFrame, BadInput
from pipeline.base.units import NS_PER_MS, nearest_e6
from pipeline.messages import Message
from pipeline.messages.edges import RawFrame
from pipeline.messages.market import Market, MarketResolved, VenuePriceChange
from pipeline.recording.level2 import Columns
from pipeline.recording.markets import RecordedMarkets
from pipeline.recording.notes import survey
from pipeline.recording.reader import Recording
from pipeline.recording.source import FrameSource, open_frames
from polybot.backtest.pairs import TokenSurvey
from polybot.backtest.parquet_rows import is_parquet, parquet_messages
from polybot.backtest.samples import is_samples, sampled_markets, sampled_messages
from polybot.recordings.parquet_files import FRAMES, LEVEL2

EPOCH_NS = 1_577_836_800_000_000_000
"""When a file begins that tells no time at all (2020-01-01): a run must not depend on today."""


@dataclass(frozen=True)
class Input:
    """One thing to play. ``word`` is the market of generic lines that name none; ``answers``: it holds answers about fresh books.

    ``resolutions`` are how its markets ended, where a file beside it says so. ``lines`` is how much there is to play, 0 if unknown.
    """

    source: str
    kind: str
    digest: str
    markets: tuple[Market, ...]
    word: str = ""
    outcome: str = "yes"
    answers: bool = False
    strict: bool = False
    lines: int = 0
    columns: Columns | None = None
    resolutions: tuple[MarketResolved, ...] = field(default=())

    def messages(self) -> Iterator[Message]:
        """All of it from the beginning, with what is told of the ends of markets where its time comes. Raises BadInput."""
        return _resolved(_opened(self), self.resolutions) if self.resolutions else _opened(self)


def look(
    source: str, *, market: str = "", outcome: str = "yes", columns: Columns | None = None, markets_file: Path | None = None
) -> Input:
    """Recognise what ``source`` (a path, or a database's URL) is, and which markets it has. Raises BadInput, also for what is empty."""
    if source.startswith("sqlite:"):
        found = _stored(source)
    else:
        path = Path(source)
        if (path / FRAMES).is_file():
            raise BadInput(
                f"{source}: holds the tables of a recording; `polybot recordings convert {source} --out FOLDER` makes it one "
                f"again, and {path / LEVEL2} can be played"
            )
        with_header = path.is_file() and path.open("rb").read(16)
        if with_header == b"SQLite format 3\x00":
            found = _stored(f"sqlite:///{source}")
        elif is_parquet(path) or is_samples(path):
            found = _ready_made(path, columns)
        else:
            found = _frames(path, market, outcome, columns)
    if markets_file is not None:
        found = _described(found, markets_file)
    if next(_opened(found), None) is None:
        raise BadInput(f"{source}: holds nothing to play; give a recording with frames")
    if not found.markets:
        raise BadInput(
            f"{source}: names no markets; give --markets FILE (a recording's markets.json), or --market for generic lines"
        )
    return found


def chosen(found: Input, wanted: tuple[str, ...]) -> Input:
    """The same with only these markets traded, each by id, slug or event; all without any. Raises BadInput."""
    if not wanted or found.kind == "generic":
        return found
    markets: dict[str, Market] = {}
    for word in wanted:
        matching = [each for each in found.markets if word in (each.market_id, each.slug, each.event_id, each.event_slug)]
        if not matching:
            known = ", ".join(each.slug or each.market_id for each in found.markets[:4])
            raise BadInput(f"--market {word}: {found.source} has no such market or event; it has {known}")
        markets |= {each.market_id: each for each in matching}
    return replace(found, markets=tuple(markets.values()))


# --- kinds ---------------------------------------------------------------------------------------------------------


def _opened(found: Input) -> Iterator[Message]:
    path = Path(found.source)
    match found.kind:
        case "database":
            from pipeline.store.playing import stored_messages

            return stored_messages(found.source, found.markets)
        case "samples":
            return sampled_messages(path)
        case "parquet":
            return _of_market(parquet_messages(path, found.word, found.columns), found.markets)
        case "level2":
            return _of_market(_source(found).messages(), found.markets)
        case _:
            return _source(found).messages()


def _source(found: Input) -> FrameSource:
    return open_frames(Path(found.source), market=found.word, columns=found.columns, start_ns=EPOCH_NS)


def _stored(db_url: str) -> Input:
    from pipeline.store.playing import stored_catalogue

    markets, first_ns, last_ns, rows = stored_catalogue(db_url)
    if not rows:
        raise BadInput(f"{db_url}: holds no books; a database that `up`, `replay` or `ingest-ws` filled can be played")
    told = msgspec.json.encode((markets, first_ns, last_ns, rows))
    return Input(db_url, "database", hashlib.sha256(told).hexdigest(), markets, lines=rows)


def _ready_made(path: Path, columns: Columns | None) -> Input:
    from polybot.composition import sha256_of

    digest = sha256_of(path)
    if is_parquet(path):
        tokens = TokenSurvey()
        tokens.see(parquet_messages(path, "", columns))
        return Input(str(path), "parquet", digest, tokens.markets(), columns=columns, lines=tokens.seen)
    return Input(str(path), "samples", digest, sampled_markets(path))


def _frames(path: Path, market: str, outcome: str, columns: Columns | None) -> Input:
    from polybot.composition import sha256_of

    source = open_frames(path, market=market, columns=columns, start_ns=EPOCH_NS)
    digest = sha256_of(path)
    if source.kind == "recording":
        told = survey(Recording(path))
        return Input(
            str(path), "recording", digest, source.markets, answers=told.answers > 0, lines=told.lines, strict=source.strict
        )
    if source.kind == "level2":
        tokens = TokenSurvey()
        tokens.see(open_frames(path, columns=columns).messages())
        return Input(str(path), "level2", digest, tokens.markets(), columns=columns, lines=tokens.seen)
    if source.kind == "generic":
        return _generic(source, digest, market or path.name.split(".")[0], outcome, bool(market))
    return Input(str(path), source.kind, digest, source.markets or _named_in(source), strict=source.strict)


class _Words(msgspec.Struct, gc=False):
    """What a generic line says of whom it is about."""

    market: Any = None
    outcome_id: Any = None
    data: Any = None


_words = msgspec.json.Decoder(_Words)


def _generic(source: FrameSource, digest: str, word: str, outcome: str, given: bool) -> Input:
    """The markets that the lines name; what names none is ``word``. A market that was given is the only one."""
    from polybot.composition import generic_market

    found: dict[str, dict[str, None]] = {}
    lines = 0
    for msg in source.messages():
        lines += 1
        if not isinstance(msg, RawFrame):
            continue
        try:
            line = _words.decode(msg.data)
        except msgspec.DecodeError:
            continue  # the run itself says where it is and what is wrong with it
        inner = line.data if isinstance(line.data, dict) else {}
        name = str(line.market or inner.get("market") or word)
        if name == word or not given:
            found.setdefault(name, {}).setdefault(str(line.outcome_id or inner.get("outcome_id") or outcome))
    if given and word not in found:
        raise BadInput(f"--market {word}: no line of {source.path} is about it")
    markets = tuple(generic_market(name, *outcomes) for name, outcomes in found.items())
    only = word if given or word in found else ""
    return Input(str(source.path), "generic", digest, markets, word=only, outcome=outcome, strict=True, lines=lines)


def _named_in(source: FrameSource) -> tuple[Market, ...]:
    """The markets of captured frames without a catalogue: each with the tokens that its frames name."""
    from pipeline.messages.market import Outcome
    from pipeline.venue.decode import FrameDecoder

    tokens: dict[str, dict[str, None]] = {}
    decoder = FrameDecoder()
    for msg in source.messages():
        if isinstance(msg, RawFrame):
            try:
                heard = decoder.decode(msg.data, msg.ts_ns)
            except BadFrame:
                continue  # the gateway counts it when it is played
            for each in heard:
                token_id, market = getattr(each, "token_id", ""), getattr(each, "market", "")
                if token_id and market:
                    tokens.setdefault(market, {}).setdefault(token_id)
    return tuple(
        Market(
            market_id=market,
            outcomes=tuple(Outcome(token, word) for token, word in zip(names, ("first", "second"), strict=False)),
        )
        for market, names in tokens.items()
        if len(names) <= 2
    )


def _of_market(messages: Iterator[Message], markets: tuple[Market, ...]) -> Iterator[Message]:
    """Level-2 rows that name no market belong to that of their token."""
    market_of = {token: market.market_id for market in markets for token in market.token_ids}
    for msg in messages:
        name = market_of.get(msg.key)
        if name is not None and isinstance(msg, VenuePriceChange) and msg.market == name:
            yield msg
        else:
            yield msg if name is None else msgspec.structs.replace(msg, market=name)


# --- what a file beside it says ------------------------------------------------------------------------------------


def _described(found: Input, file: Path) -> Input:
    """The markets as ``file`` describes them: a recording's markets.json, or CSV with their words, times and payouts."""
    if file.suffix.lower() == ".csv":
        return _from_csv(found, file)
    try:
        recorded = msgspec.json.decode(file.read_bytes(), type=RecordedMarkets)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(
            f"--markets {file}: not the markets of a recording: {error}; give a recording's markets.json, or CSV"
        ) from None
    return replace(found, markets=recorded.markets)


def _from_csv(found: Input, file: Path) -> Input:
    known = {market.market_id: market for market in found.markets}
    resolutions: list[MarketResolved] = []
    try:
        with file.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"--markets {file}: cannot be read: {error}") from None
    for number, row in enumerate(rows, 2):
        market = known.get(row.get("market_id") or "")
        if market is None:
            continue
        try:
            end_ns = int(row.get("end_ts") or 0) * NS_PER_MS
            payouts = tuple(nearest_e6(row[name]) for name in ("payout_up", "payout_down") if row.get(name))
        except ValueError as error:
            raise BadInput(f"--markets {file}:{number}: {error}") from None
        market = msgspec.structs.replace(market, slug=row.get("slug") or "", question=row.get("question") or "", end_ns=end_ns)
        known[market.market_id] = market
        if end_ns and len(payouts) == len(market.outcomes):
            resolutions.append(_ending(market, payouts))
    return replace(
        found, markets=tuple(known.values()), resolutions=tuple(sorted(resolutions, key=lambda each: (each.ts_ns, each.market)))
    )


def _ending(market: Market, payouts: tuple[int, ...]) -> MarketResolved:
    best = max(range(len(payouts)), key=lambda index: payouts[index])
    return MarketResolved(
        ts_ns=market.end_ns,
        market=market.market_id,
        venue_ts=str(market.end_ns // NS_PER_MS),
        token_ids=market.token_ids,
        winning_token_id=market.token_ids[best],
        winning_outcome=market.outcomes[best].name,
        payouts_e6=payouts,
    )


def _resolved(messages: Iterator[Message], resolutions: tuple[MarketResolved, ...]) -> Iterator[Message]:
    """The ends of markets put between the messages, each where its time comes; those after the last message follow it."""
    waiting = list(reversed(resolutions))
    for msg in messages:
        while waiting and waiting[-1].ts_ns <= msg.ts_ns:
            yield waiting.pop()
        yield msg
    yield from reversed(waiting)
