"""The charts of a backtest's page, as bokeh figures: interactive, and complete in themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from bokeh.models import (
    ColumnDataSource,
    CrosshairTool,
    CustomJSTickFormatter,
    FactorRange,
    HoverTool,
    NumeralTickFormatter,
    Range1d,
)
from bokeh.models.annotations import Span
from bokeh.plotting import figure

from polybot.backtest.look import ACCENT, ASK, BAD, BID, GOOD, INK, LINE, MODEL_COLOURS, SOFT, STATE_COLOURS
from polybot.backtest.result import MarketResult, RunResult
from polybot.backtest.series import (
    MOST_FILLS,
    band,
    dollars,
    is_bid,
    longest,
    markouts,
    ms,
    oriented,
    queue_bins,
    quotes,
    sided,
    thin,
)
from polybot.cli.output import show_dollars

MOST_OF_A_MARKET = 800
"""Points of one market: several are drawn."""
TIME = "@at{%F %T}"
_TOOLS = "xpan,xwheel_zoom,box_zoom,reset"


def over_time(height: int, x_range: Any = None, **more: Any) -> Any:
    """An empty chart over time; charts that share an ``x_range`` move together."""
    given = {} if x_range is None else {"x_range": x_range}
    chart = figure(
        height=height,
        sizing_mode="stretch_width",
        x_axis_type="datetime",
        tools=_TOOLS,
        active_drag="xpan",
        toolbar_location=None,
        **given,
        **more,
    )
    chart.xgrid.grid_line_color = None
    chart.add_tools(CrosshairTool(dimensions="height", line_color=SOFT, line_alpha=0.35))
    return chart


def _hover(chart: Any, renderers: list[Any], tips: list[tuple[str, str]], mode: Literal["mouse", "vline"] = "vline") -> None:
    chart.add_tools(HoverTool(renderers=renderers, tooltips=tips, formatters={"@at": "datetime"}, mode=mode))


def _zero(chart: Any) -> None:
    chart.add_layout(Span(location=0, dimension="width", line_color=SOFT, line_alpha=0.55, line_width=1))


def _legend(chart: Any) -> None:
    """What is drawn stands above the chart, where it covers nothing."""
    [legend] = chart.legend
    legend.location = (0, 0)
    legend.orientation = "horizontal"
    legend.click_policy = "hide"
    chart.add_layout(legend, "above")


def _dollars(chart: Any, label: str, ticks: int = 6) -> None:
    """An axis of dollars."""
    chart.yaxis.formatter = NumeralTickFormatter(format="$0,0.00")
    chart.yaxis.axis_label = label
    chart.yaxis.ticker.desired_num_ticks = ticks


def equity(shown: RunResult, runs: Sequence[RunResult]) -> tuple[Any, Any]:
    """Equity of the run and of its other fill models with the band between them, and the run's drawdown under it."""
    chart = over_time(300)
    _dollars(chart, "profit")
    if len(runs) > 1:
        span = band(runs)
        chart.varea(x=span.at, y1=span.low, y2=span.high, fill_color=ACCENT, fill_alpha=0.13, legend_label="band of fill models")
    for run in sorted(runs, key=lambda each: each is shown):
        points = thin(run.equity)
        source = ColumnDataSource({"at": [ms(p.ts_ns) for p in points], "value": [dollars(p.equity_e6) for p in points]})
        colour = MODEL_COLOURS.get(run.played.fill_model, ACCENT)
        width = 2.4 if run is shown else 1.4
        line = chart.step(
            "at", "value", source=source, mode="after", color=colour, line_width=width, legend_label=run.played.fill_model
        )
        if run is shown:
            _hover(chart, [line], [("", TIME), ("profit", "@value{$0,0.00}")])
    _zero(chart)
    _legend(chart)
    points = thin(shown.equity)
    below = over_time(120, chart.x_range)
    _dollars(below, "drawdown", ticks=3)
    data = {"at": [ms(p.ts_ns) for p in points], "value": [-dollars(p.drawdown_e6) for p in points], "zero": [0.0] * len(points)}
    source = ColumnDataSource(data)
    below.varea_step(x="at", y1="zero", y2="value", source=source, step_mode="after", fill_color=BAD, fill_alpha=0.16)
    line = below.step("at", "value", source=source, mode="after", color=BAD, line_width=1.3)
    _hover(below, [line], [("", TIME), ("below the peak", "@value{$0,0.00}")])
    return chart, below


def price(shown: RunResult, market: MarketResult) -> Any:
    """The best prices of a market with our quotes and fills, over the time in which it was traded."""
    own_orders = [order for order in shown.orders if order.market == market.market]
    first = min((order.placed_ns for order in own_orders), default=shown.played.start_ns)
    last = max((order.ended_ns or shown.played.end_ns for order in own_orders), default=shown.played.end_ns)
    edge = (last - first) // 40 + 1
    chart = over_time(360, Range1d(start=ms(first - edge), end=ms(last + edge)))
    chart.yaxis.formatter = NumeralTickFormatter(format="$0.000")
    chart.yaxis.axis_label = "price"
    near = [point for point in market.points if first - edge <= point.ts_ns <= last + edge]
    points = thin([point for point in near if point.bid_e6 is not None and point.ask_e6 is not None], MOST_OF_A_MARKET)
    source = ColumnDataSource(
        {
            "at": [ms(p.ts_ns) for p in points],
            "bid": [dollars(p.bid_e6 or 0) for p in points],
            "ask": [dollars(p.ask_e6 or 0) for p in points],
        }
    )
    chart.varea_step(
        x="at", y1="bid", y2="ask", source=source, step_mode="after", fill_color=SOFT, fill_alpha=0.16, legend_label="spread"
    )
    line = chart.step("at", "bid", source=source, mode="after", color=SOFT, line_width=0.9, line_alpha=0.7)
    chart.step("at", "ask", source=source, mode="after", color=SOFT, line_width=0.9, line_alpha=0.7)
    _hover(chart, [line], [("", TIME), ("bid", "@bid{0.0000}"), ("ask", "@ask{0.0000}")])
    for side, colour in (("bid", BID), ("ask", ASK)):
        lines = quotes(shown, market)[side]
        chart.segment(
            x0=lines["x0"],
            x1=lines["x1"],
            y0=lines["y"],
            y1=lines["y"],
            color=colour,
            line_width=1.6,
            line_alpha=0.6,
            legend_label=f"our {side}s",
        )
    own = [fill for fill in shown.fills if fill.market == market.market and fill.liquidity in ("maker", "taker")]
    largest = max((fill.size_e6 for fill in own), default=1)
    for side, fills in sided((is_bid(market, fill), fill) for fill in own).items():
        if not fills:
            continue
        fills = thin(fills, MOST_FILLS)
        source = ColumnDataSource(
            {
                "at": [ms(fill.ts_ns) for fill in fills],
                "price": [oriented(market, fill.token_id, fill.price_e6) for fill in fills],
                "size": [7 + 7 * fill.size_e6 / largest for fill in fills],
                "shares": [dollars(fill.size_e6) for fill in fills],
                "how": [fill.liquidity for fill in fills],
            }
        )
        marks = chart.scatter(
            "at",
            "price",
            size="size",
            source=source,
            marker="triangle" if side == "bid" else "inverted_triangle",
            fill_color=BID if side == "bid" else ASK,
            line_color="white",
            line_width=0.8,
            legend_label="bought" if side == "bid" else "sold",
        )
        _hover(chart, [marks], [("", TIME), ("price", "@price{0.0000}"), ("shares", "@shares{0,0.00}"), ("as", "@how")], "mouse")
    _legend(chart)
    return chart


def inventory(market: MarketResult, x_range: Any) -> Any:
    """The net shares held of the market's first token."""
    chart = over_time(150, x_range)
    chart.yaxis.formatter = NumeralTickFormatter(format="0,0")
    chart.yaxis.axis_label = "shares held"
    chart.yaxis.ticker.desired_num_ticks = 4
    points = thin([point for point in market.points if x_range.start <= ms(point.ts_ns) <= x_range.end], MOST_OF_A_MARKET)
    data = {"at": [ms(p.ts_ns) for p in points], "held": [dollars(p.inventory_e6) for p in points], "zero": [0.0] * len(points)}
    source = ColumnDataSource(data)
    chart.varea_step(x="at", y1="zero", y2="held", source=source, step_mode="after", fill_color=ACCENT, fill_alpha=0.16)
    line = chart.step("at", "held", source=source, mode="after", color=ACCENT, line_width=1.5)
    _hover(chart, [line], [("", TIME), ("shares", "@held{0,0.00}")])
    _zero(chart)
    return chart


def split(shown: RunResult) -> Any:
    """The profit put together from its parts: each bar begins where the one before ended; estimates stand apart."""
    parts = shown.parts
    held = parts.inventory_e6 - parts.settlement_e6
    steps = [
        ("spread", parts.spread_e6),
        ("adverse, 60 s", parts.adverse_e6.get(60_000, 0)),
        ("later moves", held),
        ("settlement", parts.settlement_e6),
        ("fees", -parts.fees_e6),
    ]
    names, low, high, colours, texts = [], [], [], [], []
    at = 0
    for name, amount in steps:
        names.append(name)
        low.append(dollars(min(at, at + amount)))
        high.append(dollars(max(at, at + amount)))
        colours.append(GOOD if amount >= 0 else BAD)
        texts.append(_signed(amount))
        at += amount
    for name, amount, colour in (
        ("profit", parts.pnl_e6, ACCENT),
        ("rebates (est.)", parts.rebates_e6, "#a5b4fc"),
        ("rewards (est.)", parts.rewards_e6, "#a5b4fc"),
    ):
        names.append(name)
        low.append(dollars(min(0, amount)))
        high.append(dollars(max(0, amount)))
        colours.append(colour)
        texts.append(_signed(amount))
    chart = figure(
        height=290, sizing_mode="stretch_width", y_range=FactorRange(factors=names[::-1]), tools="", toolbar_location=None
    )
    source = ColumnDataSource({"name": names, "low": low, "high": high, "colour": colours, "text": texts})
    chart.hbar(y="name", left="low", right="high", height=0.62, color="colour", source=source)
    span = max(high) - min(low) or 1.0
    chart.x_range = Range1d(start=min(low) - span * 0.04, end=max(high) + span * 0.2)
    chart.text(
        x="high", y="name", text="text", source=source, x_offset=7, text_baseline="middle", text_font_size="12px", text_color=INK
    )
    chart.xaxis.formatter = NumeralTickFormatter(format="$0,0")
    chart.ygrid.grid_line_color = None
    chart.add_layout(Span(location=0, dimension="height", line_color=SOFT, line_alpha=0.55))
    return chart


def _signed(amount_e6: int) -> str:
    told = show_dollars(amount_e6)
    return f"+{told}" if amount_e6 > 0 else told


def markout(runs: Sequence[RunResult], shown: RunResult) -> Any:
    """What a share had earned a while after the trade, for each fill model."""
    names = ["at once", "1 s", "10 s", "60 s"]
    chart = figure(height=290, sizing_mode="stretch_width", x_range=FactorRange(factors=names), tools="", toolbar_location=None)
    for run in sorted(runs, key=lambda each: each is shown):
        means, counts = markouts(run.fills)
        colour = MODEL_COLOURS.get(run.played.fill_model, ACCENT)
        source = ColumnDataSource({"after": names, "cents": means, "trades": counts})
        width = 2.6 if run is shown else 1.5
        chart.line("after", "cents", source=source, color=colour, line_width=width, legend_label=run.played.fill_model)
        dots = chart.scatter("after", "cents", source=source, size=8, fill_color=colour, line_color="white")
        _hover(chart, [dots], [("after", "@after"), ("cents a share", "@cents{0.00}"), ("trades", "@trades")], "mouse")
    _zero(chart)
    chart.yaxis.formatter = NumeralTickFormatter(format="0.00")
    chart.yaxis.axis_label = "cents a share"
    chart.xgrid.grid_line_color = None
    _legend(chart)
    return chart


def queue(shown: RunResult) -> Any:
    """Which part of our resting orders traded, by the shares that stood ahead of them."""
    bins = queue_bins(shown.orders)
    names = [f"{each.name}\n({each.orders:,})" for each in bins]
    chart = figure(
        height=290,
        sizing_mode="stretch_width",
        x_range=FactorRange(factors=names or ["no order rested"]),
        tools="",
        toolbar_location=None,
    )
    source = ColumnDataSource(
        {
            "name": names,
            "rate": [each.rate for each in bins],
            "text": [f"{each.rate * 100:.1f} %" for each in bins],
        }
    )
    bars = chart.vbar(x="name", top="rate", width=0.66, color=ACCENT, fill_alpha=0.85, line_color=None, source=source)
    chart.text(
        x="name", y="rate", text="text", source=source, y_offset=-5, text_align="center", text_font_size="12px", text_color=INK
    )
    _hover(chart, [bars], [("ahead", "@name"), ("filled", "@rate{0.0 %}")], "mouse")
    chart.y_range = Range1d(start=0, end=max((each.rate for each in bins), default=1.0) * 1.18 or 1.0)
    chart.yaxis.formatter = NumeralTickFormatter(format="0 %")
    chart.yaxis.axis_label = "part that traded"
    chart.xaxis.axis_label = "shares ahead (orders)"
    chart.xgrid.grid_line_color = None
    return chart


def coverage(shown: RunResult, x_range: Any, names: dict[str, str]) -> Any:
    """The state of each token's book over time. ``names`` are the tokens to show."""
    tokens = [token for token in shown.coverage if token.token_id in names]
    labels = [names[token.token_id] for token in tokens]
    chart = over_time(54 + 22 * max(1, len(tokens)), x_range, y_range=FactorRange(factors=labels[::-1] or ["no token"]))
    data: dict[str, list[Any]] = {"at": [], "to": [], "who": [], "state": [], "colour": []}
    for token, label in zip(tokens, labels, strict=True):
        for since, until, state in longest(token.spans):
            for name, value in zip(data, (ms(since), ms(until), label, state.lower(), STATE_COLOURS[state]), strict=True):
                data[name].append(value)
    source = ColumnDataSource(data)
    bars = chart.hbar(
        y="who", left="at", right="to", height=0.62, color="colour", line_color="colour", line_width=0.5, source=source
    )
    _hover(chart, [bars], [("", "@who"), ("from", TIME), ("state", "@state")], "mouse")
    chart.ygrid.grid_line_color = None
    chart.yaxis.formatter = CustomJSTickFormatter(
        code="return tick.length > 44 ? tick.slice(0, 18) + '…' + tick.slice(-25) : tick"
    )
    chart.background_fill_color = LINE
    chart.background_fill_alpha = 0.35
    return chart
