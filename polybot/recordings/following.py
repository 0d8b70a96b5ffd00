"""The books of a recording after any of its lines, by the stages that run live; and lines that open a recording with those books."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from pipeline.market.carriers import Carriers
from pipeline.market.confidence import SHOWN
from pipeline.market.hashed import HashedBook
from pipeline.market.market_feed import MarketFeed
from pipeline.market.sequenced import UNKNOWN, SequencedBook
from pipeline.market.token_book import TokenBook
from pipeline.market.verify import trade_price_texts
from pipeline.messages import Message
from pipeline.messages.control import BookWanted
from pipeline.messages.edges import LinkEvent, RawFrame
from pipeline.messages.market import Market, MarketUniverse, VenueTrade
from pipeline.recording.cutting import OfMarkets
from pipeline.recording.lines import Line, message_of
from pipeline.venue.generic import decode_plain
from processes.book_builder import BookBuilder
from processes.gateway import Gateway

OPENING = "opening books, made from the state at this moment"
OPENING_LINK = "the link was up at this moment"
LINK = "cut"
Entry = dict[str, object]


class Follower:
    """Gateway and book builder over a recording's lines. ``answers``: the recording holds answers to requests for fresh books."""

    def __init__(self, markets: tuple[Market, ...], word: str, *, answers: bool, ours: OfMarkets | None = None) -> None:
        """``word`` is the market of generic frames that name none; ``ours`` are the markets whose books matter."""
        self.taken = 0
        self.now_ns = 0
        self.links: dict[str, LinkEvent] = {}
        self._carriers = Carriers()
        self._markets, self._word, self._answers, self._ours = markets, word, answers, ours
        self._gateway: Gateway | None = None
        self._builder = BookBuilder(publish_tops=False, resync=answers)
        self._last_link = LINK
        self._names: tuple[bool, bool] | None = None
        self._trades: dict[str, int] = {}
        self._unsettled: set[str] = set()

    @property
    def is_settled(self) -> bool:
        """Whether no batch is half applied and no hash waits for a late trade: the books can be opened with."""
        return not self._unsettled

    @property
    def shares_links(self) -> bool:
        """Whether several links carry the same tokens, so that what one has told comes again by another."""
        return self._carriers.arbiter is not None

    def was_active(self, since_ns: int) -> bool:
        """Whether something happened since that a trade or a change of tick size explains: a hash that differs is excused by it."""
        return any(feed.active_ns > since_ns for feed in self._builder.shelf.feeds.values())

    def take(self, line: Line, where: str) -> None:
        """Follow one line."""
        self.taken += 1
        if line.ts_ns > self.now_ns:
            self.now_ns = line.ts_ns
        if line.kind == "resumed":
            for event in list(self.links.values()):
                down = msgspec.structs.replace(event, ts_ns=line.ts_ns, state="down", reason="the recorder was restarted")
                self._hear(down)
            return
        msg = message_of(line, where)
        if msg is not None:
            self._hear(msg)

    def opening(self, at_ns: int) -> list[Line]:
        """Lines that a recording can begin with here: the links that are up, and the books on them."""
        lines = []
        for event in self.links.values():
            token_ids = tuple(token_id for token_id in event.token_ids if self._is_ours(token_id))
            if token_ids or not event.token_ids:
                lines.append(
                    Line(kind="link", ts_ns=at_ns, link=event.link_id, state="up", token_ids=token_ids, made=OPENING_LINK)
                )
        frames: dict[str, list[Entry]] = {}
        for feed in self._builder.shelf.feeds.values():
            entries = [(self._link_of(book.token_id), entry) for book in feed.tokens for entry in self._entry(book)]
            entries += self._once_more(feed, entries)
            for link_id, entry in entries:
                frames.setdefault(link_id, []).append(entry)
        for link_id, venue in frames.items():
            if "event_type" in venue[0]:
                lines.append(_frame(at_ns, link_id, venue))
            else:
                lines += [_frame(at_ns, link_id, entry) for entry in venue]
        return lines

    def left_out(self) -> list[str]:
        """Tokens of ours that have a book which is not to be trusted, so that it is not opened with. Ended markets have none."""
        return [
            book.token_id for book in self._books() if book.book is not None and not book.resolved and not self._is_opened(book)
        ]

    # --- following -------------------------------------------------------------------------------------------------

    def _hear(self, msg: Message) -> None:
        if isinstance(msg, LinkEvent):
            self._carriers.learn(msg)
            self._last_link = msg.link_id
            if msg.state == "up":
                self.links[msg.link_id] = msg
            elif msg.state != "connecting":
                self.links.pop(msg.link_id, None)
        elif isinstance(msg, RawFrame):
            self._last_link = msg.link_id
        gateway = self._gateway or self._start(msg)
        builder, now_ns = self._builder, self.now_ns
        due_ns = builder.next_timer_ns()
        while due_ns is not None and due_ns <= now_ns:
            self._answer(gateway, builder.on_timer(due_ns), due_ns)
            due_ns = builder.next_timer_ns()
        for heard in gateway.handle(msg, now_ns):
            if type(heard) is VenueTrade:
                self._note_trade(heard)
            self._answer(gateway, builder.handle(heard, now_ns), now_ns)
            book = builder.shelf.hashed.get(heard.key)
            if book is not None and self._is_ours(book.token_id, book.feed.market_id):
                self._unsettled.add(book.token_id)
        if self._unsettled:
            hashed = builder.shelf.hashed
            self._unsettled = {token_id for token_id in self._unsettled if token_id in hashed and _is_open(hashed[token_id])}

    def _answer(self, gateway: Gateway, told: Iterable[Message], now_ns: int) -> None:
        for msg in told:
            if type(msg) is BookWanted:
                gateway.handle(msg, now_ns)  # what it asks for is in the recording, or nobody answered

    def _start(self, msg: Message) -> Gateway:
        """The gateway is begun with the first thing heard: a generic frame tells whether they name their market."""
        named = True
        if isinstance(msg, RawFrame):
            frame = decode_plain(msg.data)
            if frame is not None:
                self._names = (frame.market is not None, frame.outcome_id is not None)
                named = frame.market is not None
        elif not self._markets:
            return Gateway(mirror=False)  # a link of a generic stream, most likely: what is told of it is the same for all
        self._gateway = Gateway(market="" if named else self._word, mirror=False)
        if self._markets:
            universe = MarketUniverse(ts_ns=self.now_ns, markets=self._markets, version=1)
            self._gateway.handle(universe, self.now_ns)
            self._answer(self._gateway, self._builder.handle(universe, self.now_ns), self.now_ns)
        return self._gateway

    def _note_trade(self, trade: VenueTrade) -> None:
        book = self._builder.shelf.find(trade.token_id)
        prices = None if book is None else book.feed.trade_prices
        if prices:
            self._trades[trade.market] = prices[-1]

    # --- opening ---------------------------------------------------------------------------------------------------

    def _books(self) -> Iterator[TokenBook]:
        return (book for book in self._builder.shelf.all() if self._is_ours(book.token_id, book.feed.market_id))

    def _is_ours(self, token_id: str, market: str = "") -> bool:
        return self._ours is None or self._ours.is_ours(token_id, market)

    def _is_opened(self, book: TokenBook) -> bool:
        """A book that waits for its healing in the recording is left to it; where nothing can heal it, it is given with its doubt."""
        state = book.confidence.state
        return book.book is not None and not book.resolved and (state in SHOWN or (not self._answers and state == "SUSPECT"))

    def _link_of(self, token_id: str) -> str:
        carrying = (event.link_id for event in self.links.values() if token_id in event.token_ids)
        return next(carrying, self._last_link)

    def _entry(self, book: TokenBook) -> Iterator[Entry]:
        if not self._is_ours(book.token_id, book.feed.market_id) or not self._is_opened(book):
            return
        if isinstance(book, HashedBook):
            yield _venue_entry(book)
        elif isinstance(book, SequencedBook):
            yield self._generic_entry(book)

    def _generic_entry(self, book: SequencedBook) -> Entry:
        """All outcomes of a market share its numbers. The number of a book in doubt is too small, so that the gap shows again."""
        known = book.book
        assert known is not None
        seq = (book.seq if book.line.next_seq == UNKNOWN else book.line.next_seq - 1) - (book.confidence.state == "SUSPECT")
        entry: Entry = {"type": "snapshot", "seq": max(0, seq)}
        names_market, names_outcome = self._names or (True, True)
        if names_market:
            entry["market"] = book.feed.market_id
        if names_outcome:
            entry["outcome_id"] = book.token_id.removeprefix(f"{book.feed.market_id}/")
        return entry | {"bids": known.bids.text_levels(rising=False), "asks": known.asks.text_levels(rising=True)}

    def _once_more(self, feed: MarketFeed[TokenBook], entries: list[tuple[str, Entry]]) -> list[tuple[str, Entry]]:
        """The first book again, where something happened lately that explains a hash that differs: a reader knows it by this.

        It tells of a last trade that no hash has used yet; the next batch's will.
        """
        if not entries or "event_type" not in entries[0][1]:
            return []
        link_id, entry = entries[0]
        price_e6 = self._trades.get(feed.market_id)
        texts = [] if price_e6 is None else list(trade_price_texts((price_e6,)))
        if texts and not any(other.get("last_trade_price") in texts for _, other in entries):
            return [(link_id, entry | {"last_trade_price": texts[0]})]
        lately = feed.active_ns and feed.active_ns > self.now_ns - self._builder.rules.pending_ns
        return [(link_id, entry)] if lately else []


def _is_open(book: HashedBook) -> bool:
    if book.awaiting or not book.provable:
        return False
    return book.batch is not None or book.pending_until_ns > 0


def _venue_entry(book: HashedBook) -> Entry:
    """A ``book`` event, with its hash if that proves it."""
    known, feed = book.book, book.feed
    assert known is not None
    key = (known.venue_ts or "", known.hash or "")
    proved = book.batch is None and bool(key[1]) and not known.is_crossed and book.proof.fits(known, key, widely=True)
    market = feed.market
    min_size = known.min_order_size if known.min_order_size is not None else feed.min_order_size
    found: dict[str, object | None] = {
        "timestamp": known.venue_ts,
        "hash": known.hash if proved or book.confidence.state != "SUSPECT" else None,
        "min_order_size": min_size,
        "tick_size": known.tick_size or (market.tick_size if market else None),
        "neg_risk": known.neg_risk if known.neg_risk is not None else feed.neg_risk,
        "last_trade_price": feed.last_trade_price if proved else known.last_trade_price,
        "version": known.version,
    }
    entry: Entry = {"event_type": "book", "market": feed.market_id, "asset_id": book.token_id}
    entry |= {name: value for name, value in found.items() if value is not None}
    entry["bids"] = [{"price": price, "size": size} for price, size in known.bids.text_levels(rising=True)]
    entry["asks"] = [{"price": price, "size": size} for price, size in known.asks.text_levels(rising=False)]
    return entry


def _frame(at_ns: int, link_id: str, content: object) -> Line:
    return Line(kind="ws_in", ts_ns=at_ns, link=link_id, text=msgspec.json.encode(content).decode(), made=OPENING)
