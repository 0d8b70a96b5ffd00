"""The one-screen live view of ``polybot up``, and the short line that stands for it where there is no terminal."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pipeline.base.units import NS_PER_MS, NS_PER_S, format_e6
from pipeline.bus.topology import EXECUTOR, GATEWAY
from polybot.cli.live_model import PipelineModel, TokenRow
from polybot.cli.output import show_dollars

_STATE_STYLES = {"VERIFIED": "green", "QUIET": "green", "STALE": "yellow", "RESYNCING": "yellow", "SUSPECT": "red", "DEAD": "dim"}
_LIFE_STYLES = {"running": "green", "starting": "yellow", "waiting": "red", "given_up": "bold red"}
_OTHER_LINES = 12
"""Lines of the screen that are neither tokens nor processes."""


def show_age(age_ns: int) -> str:
    """An age as ``0.4 s``, ``12 s`` or ``3 min``."""
    if age_ns < 10 * NS_PER_S:
        return f"{age_ns // (100 * NS_PER_MS) / 10} s"
    seconds = age_ns // NS_PER_S
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"


def plain_line(model: PipelineModel, seconds: int) -> str:
    """Where the pipeline stands, on one line."""
    parts = [
        f"{seconds:>4} s",
        f"books {model.trusted}/{model.books} verified",
        f"frames {model.total(GATEWAY, 'frames'):,}",
        f"quotes {max(model.placed, model.total(EXECUTOR, 'submitted')):,} ({model.open_orders} open)",
        f"fills {max(model.fills, model.total(EXECUTOR, 'fills')):,}",
        f"PnL {show_dollars(model.pnl_e6())} simulated",
    ]
    restarts = sum(status.restarts for status in model.statuses)
    if restarts:
        parts.append(f"restarts {restarts}")
    if model.venue_state != "normal":
        parts.append(f"venue {model.venue_state}")
    if model.halted is not None:
        parts.append(f"trading halted: {model.halted}")
    return "  ".join(parts)


class LiveView:
    """The screen, drawn again a few times a second for as long as it is open. A context manager."""

    def __init__(self, title: str, console: Console | None = None) -> None:
        self.title = title
        self.console = console or Console()
        self._live = Live(console=self.console, screen=True, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveView:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.__exit__(None, None, None)

    def draw(self, model: PipelineModel, seconds: int, now_ns: int) -> None:
        """Show the model; ``now_ns`` is UTC."""
        self._live.update(screen(model, self.title, seconds, now_ns, self.console.height), refresh=True)


def screen(model: PipelineModel, title: str, seconds: int, now_ns: int, height: int) -> RenderableType:
    """Everything on one screen of ``height`` lines; tokens that do not fit are counted instead."""
    rows = model.tokens()
    room = max(3, height - _OTHER_LINES - len(model.statuses))
    shown = rows[:room]
    head = Text.assemble((f" {title}", "bold"), f"   {seconds} s   Ctrl-C stops")
    parts: list[RenderableType] = [head, _token_table(shown, now_ns)]
    if len(rows) > len(shown):
        parts.append(Text(f" and {len(rows) - len(shown)} more tokens", style="dim"))
    parts += [_trading_line(model), _process_table(model)]
    deaths = death_lines(model)
    if deaths:
        parts.append(Text(f" {deaths[-1]}", style="yellow", no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def death_lines(model: PipelineModel) -> list[str]:
    """For each role that has died: how often, and how the last time."""
    return [
        f"{status.role} died ({status.last_death}); restarts: {status.restarts}" for status in model.statuses if status.last_death
    ]


def _token_table(rows: list[TokenRow], now_ns: int) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("token", overflow="ellipsis", no_wrap=True, ratio=1)
    for name in ("bid", "ask", "spread", "state", "age", "events", "our bid", "our ask"):
        table.add_column(name, justify="left" if name == "state" else "right", no_wrap=True)
    for row in rows:
        book = row.book
        if book is None:
            table.add_row(Text(row.name), *("-" * 8))
            continue
        bid = format_e6(book.bids[0].price_e6) if book.bids else "-"
        ask = format_e6(book.asks[0].price_e6) if book.asks else "-"
        table.add_row(
            Text(row.name),
            Text(bid, style="green"),
            Text(ask, style="red"),
            "-" if book.spread_e6 is None else format_e6(book.spread_e6),
            Text(book.state, style=_STATE_STYLES.get(book.state, "")),
            show_age(max(0, now_ns - book.ts_ns)),
            f"{book.seq:,}",
            _quote(row.our_bid_e6),
            _quote(row.our_ask_e6),
        )
    return table


def _quote(price_e6: int | None) -> Text:
    return Text("-", style="dim") if price_e6 is None else Text(format_e6(price_e6), style="cyan")


def _trading_line(model: PipelineModel) -> Text:
    untrusted = model.books - model.trusted
    line = Text.assemble(
        " quotes ",
        (f"{max(model.placed, model.total(EXECUTOR, 'submitted')):,}", "bold"),
        f" ({model.open_orders} open)   fills ",
        (f"{max(model.fills, model.total(EXECUTOR, 'fills')):,}", "bold"),
        "   simulated PnL ",
        (show_dollars(model.pnl_e6()), "bold"),
        f"   frames {model.total(GATEWAY, 'frames'):,}   batches {model.batches:,}",
    )
    if untrusted:
        line.append(f"   {untrusted} books not verified", style="yellow")
    if model.venue_state != "normal":
        line.append(f"   venue {model.venue_state}", style="yellow")
    if model.halted is not None:
        line.append(f"   trading halted: {model.halted}", style="bold red")
    return line


def _process_table(model: PipelineModel) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("process", "state", "pid", "restarts", "messages/s", "last sign"):
        table.add_column(name, justify="left" if name in ("process", "state") else "right", no_wrap=True)
    for status in model.statuses:
        beats = status.silence_ns is not None
        state: str = status.state if beats or status.pid is None else "running"
        if status.waits_for:
            state += f", waits for {' and '.join(status.waits_for)}"
        table.add_row(
            status.role,
            Text(state, style=_LIFE_STYLES.get(status.state, "")),
            "-" if status.pid is None else str(status.pid),
            Text(str(status.restarts), style="yellow" if status.restarts else ""),
            f"{model.rate(status.role):,}" if beats else "-",
            show_age(status.silence_ns) if status.silence_ns is not None else "-",
        )
    return table
