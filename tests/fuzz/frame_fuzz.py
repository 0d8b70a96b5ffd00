"""Mutated frames through decoder and book builder, beside the true ones. A program: by itself at random, or guided by atheris.

    uv run python tests/fuzz/frame_fuzz.py --frames 1000000
    uv run --with atheris python tests/fuzz/frame_fuzz.py --atheris -runs=1000000

It ends with an error for a crash, for a frame that takes more than 250 ms of the processor, for a refused frame that changed a book,
and for a book published as proved that was not the venue's.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.feed_trial import START_NS, TrueToken
from pipeline.base.log import set_up_logging
from pipeline.base.units import NS_PER_MS
from pipeline.fake_venue import gamma
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.market.liveness import LivenessRules
from pipeline.market.watch import FeedWatch
from pipeline.messages import Message
from pipeline.messages.control import BookWanted
from pipeline.messages.edges import FetchBooks, RawFrame, RestBody
from pipeline.messages.market import BadFeedFrame, BookSnapshot, MarketUniverse
from processes.book_builder import BookBuilder
from processes.gateway import Gateway

LONGEST_S = 0.25
LINK = "ws-1"


class Broken(AssertionError):
    """What must not happen has happened."""


class Target:
    """A gateway and a book builder that follow a small exchange, and take whatever else they are given."""

    def __init__(self, seed: int = 1) -> None:
        plan = ExchangePlan(seed=seed, rate_per_s=100, binary_markets=2, event_markets=0)
        self.exchange = FakeExchange(plan, START_NS)
        self.true: dict[str, TrueToken] = {}
        for market in self.exchange.markets:
            yes, no = market.tokens
            market.tokens = (TrueToken(yes), TrueToken(no))
            self.true |= {token.token_id: token for token in market.tokens if isinstance(token, TrueToken)}
        self.gateway = Gateway(watch=FeedWatch(LivenessRules()))
        self.builder = BookBuilder(resyncs_per_minute=1_000_000)
        self.now_ns = START_NS
        self.counts: Counter[str] = Counter()
        self.slowest_s = 0.0
        markets = tuple(listing.market for listing in self.exchange.listings())
        universe = MarketUniverse(ts_ns=self.now_ns, markets=markets)
        for stage in (self.gateway, self.builder):
            list(stage.handle(universe, self.now_ns))
        self.open()

    def open(self) -> None:
        """The list frame of a fresh connection, with which every book is the venue's again."""
        self._hear(self.exchange.list_frame(list(self.true)).encode())

    def follow(self, frames: int = 1) -> list[bytes]:
        """Let the exchange go on by about so many frames; they are heard, and returned."""
        heard: list[bytes] = []
        while len(heard) < frames:
            due_ns = self.exchange.next_ns()
            assert due_ns is not None
            for frame in self.exchange.advance(due_ns, 1):
                self.now_ns = max(self.now_ns, frame.ts_ns)
                heard.append(frame.text.encode())
                self._hear(heard[-1])
        return heard

    def feed(self, data: bytes) -> bool:
        """A frame from nowhere; whether it was refused. Raises Broken."""
        self._pass_time()
        before, kept = self.levels(), len(self.builder.shelf)
        began = time.thread_time()
        refused = self._give(self.gateway.handle(RawFrame(ts_ns=self.now_ns, link_id=LINK, data=data), self.now_ns))
        took_s = time.thread_time() - began
        self.slowest_s = max(self.slowest_s, took_s)
        self.counts["refused" if refused else "taken"] += 1
        if took_s > LONGEST_S:
            raise Broken(f"{took_s:.3f} s for {data[:2000]!r}")
        if refused and (self.levels() != before or len(self.builder.shelf) != kept):
            raise Broken(f"refused, and yet a book changed: {data[:2000]!r}")
        return refused

    def levels(self) -> list[tuple[list[str], list[str]]]:
        """The levels of every followed token, as texts."""
        found = []
        for token_id in self.true:
            book = self.builder.shelf.hashed[token_id].book if token_id in self.builder.shelf.hashed else None
            if book is not None:
                found.append((book.bids.fragments(), book.asks.fragments()))
        return found

    def _hear(self, data: bytes) -> None:
        self._pass_time()
        self._give(self.gateway.handle(RawFrame(ts_ns=self.now_ns, link_id=LINK, data=data), self.now_ns))

    def _pass_time(self) -> None:
        """A millisecond, with what is due by then."""
        self.now_ns += NS_PER_MS
        while (due_ns := self.builder.next_timer_ns()) is not None and due_ns <= self.now_ns:
            self._published(self.builder.on_timer(self.now_ns))

    def _give(self, messages: Iterable[Message]) -> bool:
        refused = False
        for msg in messages:
            if type(msg) is FetchBooks:
                self._answer(msg)
                continue
            refused = refused or type(msg) is BadFeedFrame
            self._published(self.builder.handle(msg, self.now_ns))
        return refused

    def _answer(self, asked: FetchBooks) -> None:
        for token_id in asked.token_ids:
            book = self.exchange.rest_book(token_id)
            body = RestBody(
                ts_ns=self.now_ns,
                request=f"GET /book?token_id={token_id}",
                status=404 if book is None else 200,
                body=b"{}" if book is None else gamma.encode(book),
                token_ids=(token_id,),
            )
            self._give(self.gateway.handle(body, self.now_ns))

    def _published(self, messages: Iterable[Message]) -> None:
        for msg in messages:
            if isinstance(msg, BookWanted):
                self._give(self.gateway.handle(msg, self.now_ns))
            elif isinstance(msg, BookSnapshot) and msg.state == "VERIFIED" and msg.basis == "hash":
                self.counts["proved"] += 1
                self._check(msg)

    def _check(self, shown: BookSnapshot) -> None:
        """A book that is said to be proved is one that the venue had."""
        true = self.true.get(shown.token_id)
        book = self.builder.shelf.hashed[shown.token_id].book
        assert book is not None
        if true is None:
            raise Broken(f"a token that nobody follows is proved: {shown.token_id}")
        if book.hash != shown.hash or book.hash not in true.at:
            return  # a state that is too long ago, or passed within one message
        bids = book.bids.fragments()
        asks = book.asks.fragments()[::-1]
        if (bids, asks) != true.at[book.hash][1:]:
            raise Broken(f"proved, and not the venue's book: {shown.token_id} under {book.hash}")


# --- mutations -----------------------------------------------------------------------------------------------------

ODD_VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    " ",
    "0",
    "-0.1",
    "1",
    "1.0000000000001",
    "1e-7",
    "1e400",
    "NaN",
    "Infinity",
    "0x10",
    "\u0660.\u0665",
    "\u0000",
    "\ud800",
    "9" * 400,
    "0." + "1" * 5_000,
    [],
    {},
    [[]],
    [{}],
    {"price": "0.5"},
    [["0.5", "1"]],
)
WORDS = ("price_change", "book", "last_trade_price", "tick_size_change", "best_bid_ask", "new_market", "market_resolved", "other")


@dataclass
class Mutator:
    """Frames made wrong in many ways, all drawn from one generator."""

    rng: Random
    tokens: list[str] = field(default_factory=list)

    def mutate(self, frame: bytes) -> bytes:
        """One to four mutations of a frame: of its bytes, or of its meaning."""
        for _ in range(self.rng.choice((1, 1, 1, 2, 4))):
            frame = self.rng.choice((self._bytes, self._tree, self._tree))(frame)
        return frame

    def _bytes(self, frame: bytes) -> bytes:
        rng, data = self.rng, bytearray(frame)
        at = rng.randrange(len(data) + 1)
        until = min(len(data), at + rng.choice((1, 1, 2, 8, 200)))
        match rng.randrange(7):
            case 0:
                data[at:until] = b""
            case 1:
                data[at:at] = data[at:until] * rng.choice((1, 2, 50))
            case 2:
                data[at:until] = rng.randbytes(until - at)
            case 3:
                del data[at:]
            case 4:
                data[at:at] = rng.choice((b"[" * 3_000, b'{"a":' * 2_000, b'"', b"\\u0000", b"\xff\xfe", b"1e999", b"]}"))
            case 5 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case _:
                data = bytearray(b"[" + bytes(data) + b"," + bytes(data) + b"]")
        return bytes(data)

    def _tree(self, frame: bytes) -> bytes:
        """Change one value, key or element somewhere; bytes are changed instead where it is no JSON any more."""
        try:
            tree = json.loads(frame)
        except (ValueError, RecursionError):
            return self._bytes(frame)
        self._change(tree, 0)
        try:
            return json.dumps(tree).encode("utf-8", "surrogatepass")
        except (ValueError, RecursionError):
            return frame

    def _change(self, tree: Any, depth: int) -> None:
        rng = self.rng
        if isinstance(tree, list) and tree:
            at = rng.randrange(len(tree))
            if isinstance(tree[at], (dict, list)) and rng.random() < 0.8:
                self._change(tree[at], depth + 1)
            else:
                _edit_list(tree, at, rng)
        elif isinstance(tree, dict) and tree:
            key = rng.choice(list(tree))
            if isinstance(tree[key], (dict, list)) and tree[key] and rng.random() < 0.8:
                self._change(tree[key], depth + 1)
            else:
                self._edit_field(tree, key)

    def _edit_field(self, tree: dict[str, Any], key: str) -> None:
        rng = self.rng
        match rng.randrange(6):
            case 0:
                del tree[key]
            case 1:
                tree[key] = rng.choice(ODD_VALUES)
            case 2 if key in ("asset_id", "winning_asset_id") and self.tokens:
                tree[key] = rng.choice([*self.tokens, str(rng.getrandbits(250))])
            case 2 if key in ("price", "size", "best_bid", "best_ask", "new_tick_size", "tick_size"):
                tree[key] = rng.choice(("0", "0.5", "1", f"0.{rng.randrange(1000)}", str(rng.randrange(10**9)), "0.000001"))
            case 3 if key == "event_type":
                tree[key] = rng.choice(WORDS)
            case 4 if isinstance(tree[key], str) and tree[key]:
                at = rng.randrange(len(tree[key]))
                tree[key] = tree[key][:at] + rng.choice(("", "0", "9", ".", "-", "e", "\n")) + tree[key][at + 1 :]
            case _:
                other = rng.choice(list(tree))
                tree[key], tree[other] = tree[other], tree[key]


def _edit_list(items: list[Any], at: int, rng: Random) -> None:
    match rng.randrange(4):
        case 0:
            del items[at]
        case 1:
            items.insert(at, items[at])
        case 2:
            rng.shuffle(items)
        case _:
            items[at] = rng.choice(ODD_VALUES)


# --- programs ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What a run did; ``resident_mb`` is the memory at ten points of it, the last at the end."""

    frames: int
    seconds: float
    slowest_ms: float
    counts: dict[str, int]
    resident_mb: list[float]


def fuzz(frames: int, seed: int = 1, shown: Callable[[Outcome], None] = lambda outcome: None) -> Outcome:
    """Feed so many mutated frames, each between true ones. Raises Broken."""
    rng = Random(seed)
    target = Target(seed)
    mutator = Mutator(rng, list(target.true))
    recent = [target.exchange.list_frame(list(target.true)[:1]).encode(), *target.follow(50)]
    memory: list[float] = []
    began = time.perf_counter()
    outcome = Outcome(0, 0, 0, {}, [])
    for number in range(1, frames + 1):
        target.feed(mutator.mutate(rng.choice(recent)))
        if number % 4 == 0:
            recent = [*recent[-200:], *target.follow()]
        if number % 1_000 == 0:
            target.open()
            recent = [target.exchange.list_frame(list(target.true)[:1]).encode(), *recent]
        if number % max(1, frames // 10) == 0:
            memory.append(resident_mb())
            took_s = time.perf_counter() - began
            told = {**target.counts, "books": len(target.builder.shelf), "markets": len(target.builder.shelf.feeds)}
            outcome = Outcome(number, took_s, target.slowest_s * 1_000, told, memory)
            shown(outcome)
    return outcome


def resident_mb() -> float:
    """The memory of this process in megabytes; 0 where the platform does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 / 1e6 if statm.is_file() else 0.0


def guided(arguments: list[str]) -> None:
    """Let atheris choose the frames: what reaches code that nothing reached before is kept and mutated further."""
    import atheris  # type: ignore[import-not-found]

    atheris.instrument_all()
    target = Target()
    seeds = [target.exchange.list_frame(list(target.true)[:1]).encode(), *target.follow(50)]
    mutator = Mutator(Random(1), list(target.true))
    fed = 0

    def one(data: bytes) -> None:
        nonlocal fed
        fed += 1
        target.feed(data)
        if fed % 4 == 0:
            target.follow()
        if fed % 1_000 == 0:
            target.open()
        if fed % 100_000 == 0:
            print(f"{fed:,} frames, {target.counts}, {resident_mb():.0f} MB, {len(target.builder.shelf)} books", file=sys.stderr)

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        mutator.rng.seed(seed)
        found = mutator.mutate(data if len(data) > 20 else mutator.rng.choice(seeds))
        return (atheris.Mutate(found, most) if mutator.rng.random() < 0.3 else found)[:most]

    atheris.Setup([sys.argv[0], "-max_len=20000", *arguments], one, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--atheris", action="store_true", help="let atheris choose; what follows goes to it, e.g. -runs=1000000")
    given, more = parser.parse_known_args()
    set_up_logging("error", sys.stderr)
    if given.atheris:
        guided(more)
        return

    def show(outcome: Outcome) -> None:
        print(
            f"{outcome.frames:,} frames in {outcome.seconds:.0f} s, slowest {outcome.slowest_ms:.1f} ms, "
            f"{outcome.resident_mb[-1]:.0f} MB, {outcome.counts}"
        )

    fuzz(given.frames, given.seed, show)


if __name__ == "__main__":
    main()
