"""Every setting: its section, name, type and default. ``config/default.toml`` shows the same with a comment each.

Money and shares are Decimals in dollars and shares; durations are whole numbers with the unit in the name.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Literal

import msgspec

VenueName = Literal["fake", "polymarket", "recording", "generic"]
VENUE_NAMES: tuple[str, ...] = ("fake", "polymarket", "recording", "generic")


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The base of all sections."""


class PolymarketSection(Section, frozen=True):
    gamma_url: str = "https://gamma-api.polymarket.com"
    clob_url: str = "https://clob.polymarket.com"
    ws_url: str = "wss://ws-subscriptions-clob.polymarket.com/ws/market"
    relayer_url: str = "https://relayer-v2.polymarket.com"


class VenueSection(Section, frozen=True):
    name: VenueName = "polymarket"
    recording: str = ""
    speed: Decimal = Decimal(1)
    tokens_per_socket: int = 200
    ping_interval_ms: int = 10_000
    link_silence_ms: int = 30_000
    reconnect_min_ms: int = 500
    reconnect_max_ms: int = 30_000
    max_frame_bytes: int = 16_777_216
    rest_timeout_ms: int = 5_000
    rest_per_10_s: int = 400
    books_per_request: int = 100
    redundant_sockets: bool = False


class FakeVenueSection(Section, frozen=True):
    host: str = "127.0.0.1"
    port: int = 8765
    seed: int = 1
    rate_per_s: int = 150
    binary_markets: int = 4
    event_markets: int = 4
    recording: str = ""
    bursty: bool = True
    resolve_after_s: int = 0
    decoys: bool = True
    starting_balance: int = 1_000_000
    sports_delay_s: int = 3


class DbSection(Section, frozen=True):
    url: str = "sqlite:///./polybot.db"
    wal: bool = True
    synchronous: Literal["OFF", "NORMAL", "FULL"] = "NORMAL"
    commit_interval_ms: int = 100
    commit_rows: int = 2_500


class IngestionSection(Section, frozen=True):
    buffer_messages: int = 10_000
    staleness_ms: int = 30_000
    snapshot_interval_ms: int = 60_000
    prune_interval_ms: int = 300_000
    retention_ms: int = 604_800_000
    gamma_refresh_ms: int = 300_000
    staleness_interval_ms: int = 5_000
    spot_check_s: int = 30
    record: bool = True
    record_rotate_mb: int = 64


class BookSection(Section, frozen=True):
    depth: int = 10
    batch_close_ms: int = 50
    resyncs_per_minute: int = 60


Policy = Literal["trade", "no_new_quotes", "pull", "never"]
"""What a state of confidence allows: everything; to leave resting what rests; to cancel it; nothing, ever again without a fresh book."""


class ConfidenceSection(Section, frozen=True):
    verified: Policy = "trade"
    quiet: Policy = "trade"
    unverified: Policy = "trade"
    pending: Policy = "no_new_quotes"
    suspect: Policy = "pull"
    resyncing: Policy = "pull"
    stale: Policy = "pull"
    dead: Policy = "never"


class UniverseSection(Section, frozen=True):
    events: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    min_volume_24h: Decimal = Decimal(0)
    max_tokens: int = 200


class StrategySection(Section, frozen=True):
    dutch_book: bool = True
    spread_capture: bool = True
    custom: dict[str, dict[str, Any]] = {}


class ThresholdsSection(Section, frozen=True):
    min_profit_usdc: Decimal = Decimal("0.02")


class SpreadCaptureSection(Section, frozen=True):
    edge: Decimal = Decimal("0.01")
    size: Decimal = Decimal(20)
    max_inventory: Decimal = Decimal(200)
    max_exposure_usdc: Decimal = Decimal(500)
    lean: Decimal = Decimal("0.01")
    min_requote_interval_ms: int = 500
    min_quote_lifetime_ms: int = 1_000
    min_change_ticks: int = 1
    max_book_age_ms: int = 60_000
    max_mid_jump: Decimal = Decimal("0.05")
    jump_pause_ms: int = 3_000
    volatility_widening: Decimal = Decimal(1)
    markout_widening: Decimal = Decimal(1)
    max_widening: Decimal = Decimal("0.05")
    taper_minutes: int = 60
    merge_from: Decimal = Decimal(5)
    rewards: bool = True
    min_reward_usdc: Decimal = Decimal(1)


class DutchBookSection(Section, frozen=True):
    safety_margin_usdc: Decimal = Decimal("0.01")
    max_sets: Decimal = Decimal(100)
    max_cost_usdc: Decimal = Decimal(500)
    min_annual_return: Decimal = Decimal(0)
    gas_usdc: Decimal = Decimal(0)
    conversion_fee: Decimal = Decimal(0)
    min_leg_gain: Decimal = Decimal("0.005")
    leg_miss_rate: Decimal = Decimal("0.02")
    order_type: Literal["FAK", "FOK"] = "FAK"
    deadline_ms: int = 2_000
    unwind_ms: int = 5_000
    max_book_age_ms: int = 40_000
    allow_other: bool = False


class ExecutionSection(Section, frozen=True):
    relayer: Literal["fake", "paper", "clob"] = "paper"
    fill_ratio: Decimal = Decimal("0.5")
    command_ttl_ms: int = 2_000
    batch_wait_ms: int = 5
    books_wait_ms: int = 2_000
    strategy_silence_ms: int = 3_000

    def __post_init__(self) -> None:
        if self.strategy_silence_ms and self.strategy_silence_ms < 500:
            raise ValueError(f"strategy_silence_ms = {self.strategy_silence_ms}: must be at least 500, or 0 for never")


class RiskSection(Section, frozen=True):
    max_order_usdc: Decimal = Decimal(200)
    max_open_orders: int = 200
    max_total_notional_usdc: Decimal = Decimal(5_000)
    max_market_usdc: Decimal = Decimal(1_000)
    max_event_usdc: Decimal = Decimal(2_000)
    max_inventory: Decimal = Decimal(2_000)
    max_daily_loss_usdc: Decimal = Decimal(500)
    max_errors_per_minute: int = 20
    price_band: Decimal = Decimal("0.10")
    late_fill_ms: int = 5_000


class RateLimitsSection(Section, frozen=True):
    orders_per_s: int = 40
    orders_burst: int = 60
    cancels_per_s: int = 80
    cancels_burst: int = 120

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} = {getattr(self, name)}: must be at least 1")


class PaperSection(Section, frozen=True):
    fill_model: Literal["pessimistic", "proportional", "optimistic"] = "pessimistic"
    latency_ms: int = 100
    latency_file: str = ""
    seed: int = 1
    crypto_taker_delay_ms: int = 50
    starting_cash_usdc: Decimal = Decimal(10_000)

    def __post_init__(self) -> None:
        for name in ("latency_ms", "crypto_taker_delay_ms"):
            if not 0 <= getattr(self, name) <= 60_000:
                raise ValueError(f"{name} = {getattr(self, name)}: outside 0 to 60000")


class BusSection(Section, frozen=True):
    transport: Literal["auto", "ipc", "tcp"] = "auto"
    base_port: int = 17_400
    tcp_host: str = "127.0.0.1"
    curve_keys: str = ""
    state_dir: str = "./var"
    log_inputs: bool = False
    heartbeat_ms: int = 1_000
    resend_ms: int = 500
    max_backlog_records: int = 100_000
    min_free_mb: int = 64
    journal_segment_bytes: int = 16_777_216


class SupervisorSection(Section, frozen=True):
    stop_timeout_ms: int = 5_000
    restart_min_ms: int = 100
    restart_max_ms: int = 5_000
    max_deaths_per_minute: int = 5
    heartbeat_timeout_ms: int = 10_000
    start_timeout_ms: int = 60_000
    runs_days: int = 14


class LogSection(Section, frozen=True):
    level: Literal["debug", "info", "warning", "error"] = "info"


class SecretsSection(Section, frozen=True):
    private_key: str = ""
    api_key: str = ""
    api_secret: str = ""
    api_passphrase: str = ""
    signature_type: int = 0
    funder: str = ""
    file: str = ""

    def __repr__(self) -> str:
        """Which are set; never what they are."""
        return f"SecretsSection({', '.join(name for name in self.__struct_fields__ if getattr(self, name))})"


class Settings(Section, frozen=True):
    """All sections."""

    polymarket: PolymarketSection = PolymarketSection()
    venue: VenueSection = VenueSection()
    fake_venue: FakeVenueSection = FakeVenueSection()
    db: DbSection = DbSection()
    ingestion: IngestionSection = IngestionSection()
    book: BookSection = BookSection()
    confidence: ConfidenceSection = ConfidenceSection()
    universe: UniverseSection = UniverseSection()
    strategy: StrategySection = StrategySection()
    thresholds: ThresholdsSection = ThresholdsSection()
    spread_capture: SpreadCaptureSection = SpreadCaptureSection()
    dutch_book: DutchBookSection = DutchBookSection()
    execution: ExecutionSection = ExecutionSection()
    paper: PaperSection = PaperSection()
    risk: RiskSection = RiskSection()
    rate_limits: RateLimitsSection = RateLimitsSection()
    bus: BusSection = BusSection()
    supervisor: SupervisorSection = SupervisorSection()
    log: LogSection = LogSection()
    secrets: SecretsSection = SecretsSection()


def shown(value: Any) -> str:
    """A setting's value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {shown(item)}" for key, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)
