"""Short recordings with all that makes cutting hard, and the books that a reader of a recording has at every batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.messages.market import BookSnapshot, MarketUniverse
from pipeline.recording.lines import Line
from pipeline.recording.markets import read_markets, write_markets
from pipeline.recording.reader import Recording
from pipeline.recording.writer import RecordingWriter
from polybot.recordings.following import Follower
from processes.book_builder import BookBuilder
from processes.gateway import Gateway

Books = list[tuple[Any, ...]]
LINES = 450
MS = 1_000_000


def write_lines(folder: Path, lines: Iterable[Line], like: Path | None = None) -> Path:
    """A recording of these lines, with the markets of another."""
    writer = RecordingWriter(folder, venue="fake")
    for line in lines:
        writer.keep(line)
    writer.close()
    if like is not None:
        write_markets(folder, read_markets(like))
    return folder


def texts(folder: Path) -> bytes:
    """All lines of a recording as they stand."""
    return b"".join(text for text, _ in Recording(folder).texts())


def batches(line: Line) -> set[tuple[str, str]]:
    """(token, hash) of the changes in a frame."""
    if line.kind != "ws_in" or '"price_change"' not in (line.text or ""):
        return set()
    return {(entry["asset_id"], entry["hash"]) for entry in msgspec.json.decode(line.data)["price_changes"]}


def halves_apart(lines: Iterable[Line]) -> list[Line]:
    """A frame that goes on with the batch of the frame before it comes 4 ms later, so that the batch is half told in between."""
    found: list[Line] = []
    last: set[tuple[str, str]] = set()
    late_ns = 0
    for line in lines:
        told = batches(line)
        late_ns = late_ns + 4 * MS if told & last else 0
        last = told
        found.append(msgspec.structs.replace(line, ts_ns=line.ts_ns + late_ns))
    return sorted(found, key=lambda line: line.ts_ns)


def by_two_links(lines: Iterable[Line]) -> list[Line]:
    """The same told once more by a second link, 30 ms later."""
    found = []
    for line in lines:
        found.append(line)
        found.append(msgspec.structs.replace(line, link="market-2", ts_ns=line.ts_ns + 30 * MS))
    return sorted(found, key=lambda line: line.ts_ns)


@pytest.fixture(scope="session")
def plain(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first lines of the shipped recording."""
    shipped = repository / "recordings" / "fake-venue-10min"
    lines = (line for line, _ in Recording(shipped).lines())
    return write_lines(tmp_path_factory.mktemp("plain") / "plain", islice(lines, LINES), shipped)


@pytest.fixture(scope="session")
def halved(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Batches of several frames, each a little later than the one before."""
    lines = halves_apart(line for line, _ in Recording(plain).lines())
    return write_lines(tmp_path_factory.mktemp("halved") / "halved", lines, plain)


@pytest.fixture(scope="session")
def healed(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames of one market are lost twice, which the next ones reveal; 2.6 s later the venue has been asked for its books, and answers."""
    recording = Recording(plain)
    lines = [line for line, _ in recording.lines()]
    follower = Follower(recording.markets, "", answers=False)
    busy = Counter(msgspec.json.decode(line.data)["market"] for line in lines if batches(line)).most_common(1)[0][0]
    tokens = next(market.token_ids for market in recording.markets if market.market_id == busy)
    changes = [line for line in lines if batches(line) and busy in (line.text or "")]
    soon_missed = [one for one, two in pairwise(changes) if 0 < two.ts_ns - one.ts_ns < 100 * MS]
    lost = (soon_missed[len(soon_missed) // 4], soon_missed[-1])
    asked = [line.ts_ns + 2_600 * MS for line in lost]
    found = []
    for line in lines:
        if asked and line.ts_ns > asked[0]:
            ts_ns = asked.pop(0)
            books = [entry for entry in msgspec.json.decode(follower.opening(ts_ns)[-1].data) if entry["asset_id"] in tokens]
            text = msgspec.json.encode(books).decode()
            found.append(Line(kind="rest", ts_ns=ts_ns, request="POST /books", status=200, text=text, token_ids=tokens))
        follower.take(line, "")
        if line not in lost:
            found.append(line)
    return write_lines(tmp_path_factory.mktemp("healed") / "healed", found, plain)


@pytest.fixture(scope="session")
def doubled(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two links that carry the same tokens."""
    lines = by_two_links(line for line, _ in islice(Recording(plain).lines(), LINES // 2))
    return write_lines(tmp_path_factory.mktemp("doubled") / "doubled", lines, plain)


def books_of(folder: Path, market: str = "") -> Books:
    """Every published book of a recording: when, whose, the venue's time, its levels, and how far it is trusted."""
    recording = Recording(folder)
    gateway = Gateway(market=market, mirror=False)
    builder = BookBuilder(depth=1_000, resync=any(line.kind == "rest" for line, _ in recording.lines()))
    found: Books = []
    if recording.markets:
        builder.handle(MarketUniverse(ts_ns=0, markets=recording.markets), 0)
    now_ns = 0

    def keep(told: Iterable[Any]) -> None:
        for msg in told:
            if isinstance(msg, BookSnapshot):
                found.append((msg.ts_ns, msg.token_id, msg.venue_ns, msg.bids, msg.asks, msg.state, msg.hash))

    for msg in recording.messages():
        now_ns = max(now_ns, msg.ts_ns)
        while (due_ns := builder.next_timer_ns()) is not None and due_ns <= now_ns:
            keep(builder.on_timer(due_ns))
        for heard in gateway.handle(msg, now_ns):
            keep(builder.handle(heard, now_ns))
    return found


@pytest.fixture(scope="session")
def books() -> Callable[..., Books]:
    """The books of a recording, each recording played once."""
    known: dict[tuple[Path, str], Books] = {}

    def of(folder: Path, market: str = "", again: bool = False) -> Books:
        if again:
            return books_of(folder, market)
        if (folder, market) not in known:
            known[folder, market] = books_of(folder, market)
        return known[folder, market]

    return of


@pytest.fixture(scope="session")
def written() -> Callable[..., Path]:
    return write_lines


@pytest.fixture(scope="session")
def bytes_of() -> Callable[[Path], bytes]:
    return texts
