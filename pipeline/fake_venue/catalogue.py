"""What the fake venue lists: its binary markets and its neg-risk event, with the same ids in every run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from pipeline.base.units import NS_PER_S, ONE_E6, format_e6
from pipeline.messages.market import FeeSchedule, Market, Outcome, Rewards

ENDS_NS = 1_893_456_000 * NS_PER_S
"""2030-01-01: when everything is due."""


@dataclass(frozen=True)
class Fees:
    """Fee curve of a market: shares x rate x p(1-p), takers only. A rate of 0 means that no fees are taken.

    ``kind`` is the catalogue's ``feeType``.
    """

    kind: str | None = None
    rate_e6: int = 0
    rebate_e6: int = 0

    @property
    def is_crypto(self) -> bool:
        """Of the kind whose taker orders the venue holds for a moment."""
        return (self.kind or "").startswith("crypto")


@dataclass(frozen=True)
class MarketSpec:
    """One binary market. ``fair_e6`` is where its YES price starts; ``weight`` its share of the order flow.

    One that is not ``active`` is a placeholder: the catalogue lists it, and nothing trades in it. A weight of 0 is for a market whose
    flow follows a script of its own.
    """

    id: str
    slug: str
    question: str
    fair_e6: int
    tick_e6: int
    weight: int
    fees: Fees
    event_slug: str
    group_title: str = ""
    neg_risk: bool = False
    min_size: int = 5
    rewards_daily: int = 0
    outcomes: tuple[str, str] = ("Yes", "No")
    tags: tuple[str, ...] = ()
    active: bool = True
    is_other: bool = False

    @property
    def condition_id(self) -> str:
        return "0x" + digest("condition", self.slug)

    @property
    def question_id(self) -> str:
        return "0x" + digest("question", self.slug)

    @property
    def token_ids(self) -> tuple[str, str]:
        """YES and NO: decimal texts of 256 bits, as the conditional tokens contract numbers them."""
        return str(int(digest("yes", self.slug), 16)), str(int(digest("no", self.slug), 16))

    @property
    def tick_size(self) -> str:
        return format_e6(self.tick_e6)


@dataclass(frozen=True)
class EventSpec:
    """A question group. In a neg-risk event at most one market resolves Yes; ``cumulative``: several may.

    ``augmented``: outcomes may be added. A ``decoy`` is an event whose prices look like a Dutch Book and are none; of a ``stuck`` one the
    feed tells the first market only once.
    """

    id: str
    slug: str
    title: str
    markets: tuple[MarketSpec, ...]
    neg_risk: bool = False
    tags: tuple[str, ...] = field(default=())
    augmented: bool = False
    cumulative: bool = False
    decoy: bool = False
    stuck: bool = False

    @property
    def neg_risk_market_id(self) -> str:
        """The id that the markets of a neg-risk event share; empty otherwise."""
        return "0x" + digest("neg-risk", self.slug)[:62] + "00" if self.neg_risk else ""


def digest(kind: str, word: str) -> str:
    """64 hex digits that depend on nothing but the words."""
    return sha256(f"polybot fake venue/{kind}/{word}".encode()).hexdigest()


def catalogue_market(spec: MarketSpec, event: EventSpec, tick_size: str, closed: bool = False) -> Market:
    """A market as the rest of Polybot knows it."""
    fees, rewards = spec.fees, spec.rewards_daily
    return Market(
        market_id=spec.condition_id,
        outcomes=tuple(Outcome(token_id, name) for token_id, name in zip(spec.token_ids, spec.outcomes, strict=True)),
        question=spec.question,
        slug=spec.slug,
        event_id=event.id,
        event_slug=event.slug,
        event_title=event.title,
        group_item_title=spec.group_title,
        tick_size=tick_size,
        min_order_size=str(spec.min_size),
        neg_risk=spec.neg_risk,
        neg_risk_market_id=event.neg_risk_market_id,
        neg_risk_augmented=event.augmented,
        version="v1",
        active=spec.active,
        closed=closed,
        accepting_orders=spec.active and not closed,
        enable_order_book=True,
        end_ns=ENDS_NS,
        taker_delay=fees.is_crypto,
        fees=FeeSchedule(rate_e6=fees.rate_e6, rebate_rate_e6=fees.rebate_e6) if fees.rate_e6 else None,
        event_market_count=len(event.markets),
        is_other=spec.is_other,
        cumulative=event.cumulative,
        rewards=Rewards(min_size_e6=50 * ONE_E6, max_spread_e6=45_000, daily_rate_e6=rewards * ONE_E6) if rewards else None,
    )


SPORTS = Fees("sports_fees_v2", 50_000, 150_000)
CRYPTO = Fees("crypto_fees_v2", 70_000, 200_000)
POLITICS = Fees("politics_fees", 40_000, 250_000)
FREE = Fees()

# slug, question, fair, tick, weight, fees, rewards a day, outcomes, tag
_BINARY: tuple[tuple[str, str, int, int, int, Fees, int, tuple[str, str], str], ...] = (
    ("gulls-beat-herons", "Gulls vs. Herons", 520_000, 10_000, 19, SPORTS, 100, ("Gulls", "Herons"), "sports"),
    ("coin-above-60k-on-friday", "Coin above $60,000 on Friday?", 410_000, 10_000, 14, CRYPTO, 50, ("Yes", "No"), "crypto"),
    ("harbour-treaty-signed-by-spring", "Harbour treaty by spring?", 172_000, 1_000, 9, FREE, 0, ("Yes", "No"), "geopolitics"),
    (
        "incumbent-stays-until-december",
        "Incumbent stays until December?",
        930_000,
        10_000,
        5,
        POLITICS,
        20,
        ("Yes", "No"),
        "politics",
    ),
)
_CANDIDATES: tuple[tuple[str, int], ...] = (
    ("Ada Ames", 400),
    ("Bo Birch", 270),
    ("Cy Cole", 180),
    ("Di Dunn", 90),
    ("Ed Eller", 30),
    ("Flo Finch", 15),
    ("Gus Grant", 10),
    ("Hal Hobbs", 5),
)

# slug, title, what makes it a false opportunity, least order, (outcome, fair) of each market
_DECOYS: tuple[tuple[str, str, str, int, tuple[tuple[str, int], ...]], ...] = (
    # Outcomes may be added that take what the named ones leave to a dollar.
    ("who-hosts-the-games", "Who hosts the games?", "augmented", 5, (("Alba", 420_000), ("Brune", 300_000), ("Other", 130_000))),
    # The placeholder takes no orders and may win.
    (
        "who-wins-the-prize",
        "Who wins the prize?",
        "hidden",
        5,
        (("Ina Ilk", 510_000), ("Jo Junge", 300_000), ("Person C", 190_000)),
    ),
    # If the earlier date comes true, so do the later ones.
    (
        "bridge-opens-by",
        "When does the bridge open?",
        "cumulative",
        5,
        (("by March", 300_000), ("by June", 500_000), ("by May 9", 400_000)),
    ),
    # A set would be worth it, but the smallest order is larger than the books.
    ("which-ship-is-first", "Which ship is first?", "thin", 500_000, (("Petrel", 480_000), ("Curlew", 400_000))),
    # The feed tells no more of the first one; the second one falls only once the first one's book has grown old.
    ("who-reaches-the-pole", "Who reaches the pole?", "stuck", 5, (("Nils", 620_000), ("Otto", 380_000))),
)


def build_events(binary_markets: int, event_markets: int, decoys: bool = False) -> tuple[EventSpec, ...]:
    """The events of the venue: one of a single market for each binary one, then one neg-risk event of ``event_markets`` (0 or 2 and more).

    More than the named ones get numbers. ``decoys`` adds five events that look like Dutch Books and are none. The same arguments give
    the same ids.
    """
    events = [_binary_event(index) for index in range(binary_markets)]
    if event_markets:
        events.append(_neg_risk_event(max(2, event_markets)))
    if decoys:
        events += [_decoy(index, *row) for index, row in enumerate(_DECOYS)]
    return tuple(events)


def all_markets(events: Sequence[EventSpec]) -> tuple[MarketSpec, ...]:
    """The markets of all events, in their order."""
    return tuple(market for event in events for market in event.markets)


def _binary_event(index: int) -> EventSpec:
    slug, question, fair, tick, weight, fees, rewards, outcomes, tag = _BINARY[index % len(_BINARY)]
    if index >= len(_BINARY):
        slug, question = f"{slug}-{index + 1}", f"{question} ({index + 1})"
    market = MarketSpec(
        id=str(900_001 + index),
        slug=slug,
        question=question,
        fair_e6=fair,
        tick_e6=tick,
        weight=weight,
        fees=fees,
        event_slug=slug,
        rewards_daily=rewards,
        outcomes=outcomes,
        tags=(tag,),
    )
    return EventSpec(id=str(90_001 + index), slug=slug, title=question, markets=(market,), tags=(tag,))


def _neg_risk_event(count: int) -> EventSpec:
    slug = "who-wins-the-mayoral-race"
    names = [_CANDIDATES[i] if i < len(_CANDIDATES) else (f"Candidate {i + 1}", 5) for i in range(count)]
    total = sum(share for _, share in names)
    markets = tuple(
        MarketSpec(
            id=str(910_001 + index),
            slug=f"will-{name.lower().replace(' ', '-')}-win-the-mayoral-race",
            question=f"Will {name} win the mayoral race?",
            fair_e6=max(5_000, share * ONE_E6 // total // 1_000 * 1_000),
            tick_e6=1_000,
            weight=max(2, 12 - 3 * index),
            fees=POLITICS,
            event_slug=slug,
            group_title=name,
            neg_risk=True,
            rewards_daily=30 if index < 2 else 0,
            tags=("politics",),
        )
        for index, (name, share) in enumerate(names)
    )
    return EventSpec(
        id="91001", slug=slug, title="Who wins the mayoral race?", markets=markets, neg_risk=True, tags=("politics",)
    )


def _decoy(index: int, slug: str, title: str, why: str, min_size: int, outcomes: tuple[tuple[str, int], ...]) -> EventSpec:
    """An event whose prices do not add up, and must not."""
    neg_risk = why != "cumulative"
    markets = tuple(
        MarketSpec(
            id=str(920_001 + 10 * index + at),
            slug=f"{slug}-{name.lower().replace(' ', '-')}",
            question=f"{title} {name}?",
            fair_e6=fair,
            tick_e6=10_000,
            weight=0 if why == "stuck" else 2,
            fees=FREE,
            event_slug=slug,
            group_title=name,
            neg_risk=neg_risk,
            min_size=min_size,
            tags=("decoys",),
            active=not (why == "hidden" and name.startswith("Person ")),
            is_other=name == "Other",
        )
        for at, (name, fair) in enumerate(outcomes)
    )
    return EventSpec(
        id=str(92_001 + index),
        slug=slug,
        title=title,
        markets=markets,
        neg_risk=neg_risk,
        tags=("decoys",),
        augmented=why == "augmented",
        cumulative=why == "cumulative",
        decoy=True,
        stuck=why == "stuck",
    )
