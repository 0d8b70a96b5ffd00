"""Backtests as one HTML page that needs nothing else: figures, charts and what they are repeatable from. It opens without a network."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from pipeline.base.errors import BadInput
from pipeline.base.units import NS_PER_S
from polybot.backtest.look import CSS, MODEL_COLOURS, STATE_COLOURS, THEME
from polybot.backtest.result import RunResult
from polybot.backtest.series import best, markouts, siblings
from polybot.backtest.told import percent, table
from polybot.cli.output import Styled, show_dollars
from polybot.cli.trading_words import short_id
from polybot.coverage.told import show_length, show_moment

MOST_MARKETS = 6
MOST_TOKENS = 16
MOST_RUNS = 200
_HOSTS = re.compile(r"https?://(?:cdn\.jsdelivr\.net|maps\.googleapis\.com|cdn\.bokeh\.org)[^\"'`\s]*")
"""Addresses in the charts' own script from which it would load fonts of formulas or maps, if a chart had any."""

_CHOOSE = """
document.getElementById('market')?.addEventListener('change',e=>{const d=Bokeh.documents[0];
for(const o of e.target.options)for(const k of['price','held']){const m=d.get_model_by_name(k+o.value);if(m)m.visible=o.selected}});
"""


def require_bokeh() -> None:
    """Raises BadInput where the charts cannot be made."""
    if importlib.util.find_spec("bokeh") is None:
        raise BadInput("--html: needs bokeh: `uv sync --extra report`")


def page(results: Sequence[RunResult]) -> str:
    """The whole page, about the best run of the first fill model, with its other fill models as a band and all runs as a table."""
    from bokeh.embed import components
    from bokeh.resources import Resources
    from bokeh.themes import Theme

    shown = best(results)
    runs = siblings(results, shown)
    charts = _charts(shown, runs)
    script, found = components(charts, theme=Theme(json=THEME))
    divs: dict[str, str] = dict(found)
    library = _HOSTS.sub("about:blank", "\n".join(Resources(mode="inline", components=["bokeh"]).js_raw))
    library = library.replace("cdn.jsdelivr.net", "localhost.invalid").replace("</script", "<\\/script")
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Backtest: {escape(_name(shown))}</title><style>{CSS}</style><script>{library}</script></head><body><main>",
        _head(shown, len(results)),
        _tiles(shown),
        _card("Equity and drawdown", _EQUITY, divs["equity"]),
        _markets(shown, divs),
        '<div class="two">',
        _card("Where the profit came from", _SPLIT, divs["split"]),
        _card("Markouts", _markout_words(shown), divs["markout"]),
        "</div>",
        '<div class="two">',
        _card("Fill rate by queue position", _QUEUE, divs["queue"]),
        _card("The fill models", _model_words(runs), _models(runs, shown) + _by_market(shown)),
        "</div>",
        _card("Data coverage", _coverage_words(shown), divs["coverage"], _state_key(shown)),
        _all_runs(results, shown),
        _versions(shown),
        "<footer>Profit is simulated: orders are matched on paper against the recorded books. Times are UTC. "
        "Made by <code>polybot backtest</code>.</footer>",
        f"</main>{script}<script>{_CHOOSE}</script></body></html>\n",
    ]
    return "\n".join(parts)


_EQUITY = (
    "Profit with what is held at its mids. The band is what the fill models make of cancels ahead of our orders: "
    "all behind us (pessimistic), in proportion, or all ahead of us (optimistic)."
)
_SPLIT = (
    "Each bar begins where the one before ended. The spread is against the mid that a trade met; adverse selection is how far the mid "
    "went against it within a minute; estimates of what the venue pays once a day stand apart."
)
_QUEUE = (
    "Which part of the resting shares traded, by how many shares of others stood ahead at the same price when an order joined; in "
    "brackets the number of orders."
)


def _charts(shown: RunResult, runs: Sequence[RunResult]) -> dict[str, Any]:
    from bokeh.layouts import column

    from polybot.backtest import charts

    equity, drawdown = charts.equity(shown, runs)
    found: dict[str, Any] = {"equity": column(equity, drawdown, sizing_mode="stretch_width")}
    traded = _most_traded(shown)
    stack = []
    for number, market in enumerate(traded):
        price = charts.price(shown, market)
        held = charts.inventory(market, price.x_range)
        price.name, held.name = f"price{number}", f"held{number}"
        price.visible = held.visible = number == 0
        stack += [price, held]
    if stack:
        found["markets"] = column(*stack, sizing_mode="stretch_width")
    found["split"] = charts.split(shown)
    found["markout"] = charts.markout(runs, shown)
    found["queue"] = charts.queue(shown)
    found["coverage"] = charts.coverage(shown, equity.x_range, _tokens(shown))
    return found


def _most_traded(shown: RunResult) -> list[Any]:
    return sorted(shown.markets, key=lambda each: (-each.fills, -each.orders))[:MOST_MARKETS]


def _tokens(shown: RunResult) -> dict[str, str]:
    """The tokens whose coverage is drawn, with distinct names: those of the most traded markets, then others."""
    places = {market.market: place for place, market in enumerate(_most_traded(shown))}
    order = sorted(shown.coverage, key=lambda token: places.get(token.market, MOST_MARKETS))
    names: dict[str, str] = {}
    for token in order[:MOST_TOKENS]:
        name = _short(token.name)
        names[token.token_id] = name if name not in names.values() else f"{name} ({short_id(token.token_id)})"
    return names


def _short(name: str) -> str:
    """A name for a narrow place: ids are cut in their middle, sentences at their end."""
    words = [short_id(part) if " " not in part else part if len(part) <= 60 else f"{part[:59]}…" for part in name.split(" / ")]
    return " / ".join(words)


def _name(shown: RunResult) -> str:
    return f"{shown.played.strategy} on {Path(shown.played.source).name}"


def _head(shown: RunResult, runs: int) -> str:
    played = shown.played
    span = f"{show_moment(played.start_ns, fraction=False)} to {show_moment(played.end_ns, fraction=False)} UTC"
    words = ", ".join(f"{name} = {value}" for name, value in played.parameters.items()) or "parameters of the configuration"
    many = f"run {shown.number} of {runs}" if runs > 1 else "one run"
    return (
        f"<header><div><h1>{escape(played.strategy.replace('_', ' ').title())} "
        f"<small>backtest on {escape(Path(played.source).name)}</small></h1>"
        f'<p class="sub">{span} · {show_length(played.end_ns - played.start_ns)} · {played.messages:,} messages · {escape(words)}</p></div>'
        f'<div><span class="tag">{escape(played.fill_model)} fills</span> <span class="tag">{many}</span> '
        f'<span class="tag mono">{shown.run_hash[:12]}</span></div></header>'
    )


def _tiles(shown: RunResult) -> str:
    parts = shown.parts
    adverse = parts.adverse_e6.get(60_000, 0)
    volume = parts.volume_e6
    per_dollar = f"{parts.pnl_e6 / volume * 100:+.2f} % of {show_dollars(volume)} traded" if volume else "nothing traded"
    tiles = (
        (_coloured(parts.pnl_e6), "profit, simulated", per_dollar),
        (show_dollars(-shown.max_drawdown_e6), "largest drawdown", "from the peak"),
        (_coloured(parts.spread_e6), "spread earned", f"over {parts.measured.get(0, 0):,} trades"),
        (_coloured(adverse), "adverse selection", "within 60 s of a trade"),
        (f"{len(shown.fills):,}", "fills", f"of {len(shown.orders):,} orders"),
        (percent(shown.fill_rate), "fill rate", f"of {shown.rested:,} resting orders"),
        (
            percent(shown.covered),
            "covered",
            f"{sum(token.gaps for token in shown.coverage):,} gaps in {len(shown.coverage):,} books",
        ),
    )
    return (
        '<div class="tiles">'
        + "".join(
            f'<div class="tile"><span>{word}</span><b>{figure}</b><i>{escape(told)}</i></div>' for figure, word, told in tiles
        )
        + "</div>"
    )


def _coloured(amount_e6: int) -> str:
    kind = "down" if amount_e6 < 0 else "up" if amount_e6 > 0 else ""
    return f'<em class="{kind}" style="font-style:normal">{show_dollars(amount_e6)}</em>'


def _card(title: str, words: str, inside: str, beside: str = "") -> str:
    return f'<section class="card"><h2>{escape(title)}{beside}</h2><p>{words}</p>{inside}</section>'


def _markets(shown: RunResult, divs: dict[str, str]) -> str:
    traded = _most_traded(shown)
    if not traded:
        return _card("Price, quotes and fills", "No order was placed.", "")
    options = "".join(
        f'<option value="{number}">{escape(_short(each.title))}: {each.fills:,} fills, {show_dollars(each.parts.pnl_e6)}</option>'
        for number, each in enumerate(traded)
    )
    choice = f'<select id="market" aria-label="market">{options}</select>'
    words = (
        "The grey ribbon is the market's spread, lines are our resting orders, triangles our trades; below, the net shares held."
    )
    return _card("Price, quotes and fills; inventory", words, divs["markets"], choice)


def _markout_words(shown: RunResult) -> str:
    _, counts = markouts(shown.fills)
    return (
        "What a share had earned against its own price: at once it is the spread, later the market has moved. "
        f"Measured over {counts[0]:,} trades, {counts[-1]:,} of them to the end."
    )


def _model_words(runs: Sequence[RunResult]) -> str:
    alike = len({run.run_hash for run in runs}) == 1 and len(runs) > 1
    more = " They agree here, trade by trade: no cancelled share decided whether an order of ours traded." if alike else ""
    return f"The same recording and parameters under each assumption about the queue.{more}"


def _models(runs: Sequence[RunResult], shown: RunResult) -> str:
    rows = []
    for run in runs:
        colour = MODEL_COLOURS.get(run.played.fill_model, "#888")
        key = f'<span class="key"><i style="background:{colour}"></i></span> {run.played.fill_model}'
        cells = (
            _coloured(run.parts.pnl_e6),
            show_dollars(-run.max_drawdown_e6),
            f"{len(run.fills):,}",
            percent(run.fill_rate),
        )
        told = "".join(f'<td class="n">{cell}</td>' for cell in cells)
        rows.append(f'<tr class="{"shown" if run is shown else ""}"><td>{key}</td>{told}</tr>')
    head = "".join(f'<th class="n">{word}</th>' for word in ("profit", "drawdown", "fills", "fill rate"))
    return (
        f'<div class="scroll"><table><thead><tr><th>fills by</th>{head}</tr></thead><tbody>'
        + "".join(rows)
        + "</tbody></table></div>"
    )


def _by_market(shown: RunResult) -> str:
    """The most traded markets of the run, with what each brought."""
    rows = "".join(
        f"<tr><td>{escape(_short(each.title))}</td>"
        + "".join(f'<td class="n">{cell}</td>' for cell in (_coloured(each.parts.pnl_e6), f"{each.orders:,}", f"{each.fills:,}"))
        + "</tr>"
        for each in _most_traded(shown)
    )
    left = len(shown.markets) - MOST_MARKETS
    more = f'<p style="margin-top:6px">{left:,} further markets were traded.</p>' if left > 0 else ""
    head = "".join(f'<th class="n">{word}</th>' for word in ("profit", "orders", "fills"))
    return f'<div class="scroll"><table><thead><tr><th>market</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}'


def _coverage_words(shown: RunResult) -> str:
    left = len(shown.coverage) - MOST_TOKENS
    more = f" {left:,} further books are left out of the drawing." if left > 0 else ""
    return f"How far each book could be trusted over time; nothing is traded on a book that is in doubt.{more}"


def _state_key(shown: RunResult) -> str:
    totals: dict[str, int] = {}
    for token in shown.coverage:
        for state, ns in token.times_ns.items():
            totals[state] = totals.get(state, 0) + ns
    whole = sum(totals.values()) or 1
    return "".join(
        f'<span class="key"><i style="background:{colour}"></i>{state.lower().replace("_", " ")} {totals[state] / whole * 100:.1f} %</span>'
        for state, colour in STATE_COLOURS.items()
        if totals.get(state, 0) > NS_PER_S // 1_000
    )


def _all_runs(results: Sequence[RunResult], shown: RunResult) -> str:
    if len(results) < 2:
        return ""
    columns, rows, numbers = table(results)
    head = "".join(f'<th class="{"n" if name in numbers else ""}">{escape(name)}</th>' for name in columns)
    body = []
    for result, row in list(zip(results, rows, strict=True))[:MOST_RUNS]:
        cells = []
        for name, cell in zip(columns, row, strict=True):
            text, style = (cell.text, ' style="color:#dc2626"') if isinstance(cell, Styled) else (str(cell or ""), "")
            cells.append(f'<td class="{"n" if name in numbers else ""}"{style}>{escape(text)}</td>')
        body.append(f'<tr class="{"shown" if result is shown else ""}">{"".join(cells)}</tr>')
    words = "The page shows the marked line, the most profitable run of the first fill model." + (
        f" The first {MOST_RUNS} of {len(results):,} are listed." if len(results) > MOST_RUNS else ""
    )
    inside = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(body)}</tbody></table></div>'
    return _card("All runs", words, inside)


def _versions(shown: RunResult) -> str:
    played = shown.played
    rows = (
        ("recording", played.source),
        ("kind", played.kind),
        ("its SHA-256", played.digest),
        ("code", played.code),
        ("configuration", played.config),
        ("seed", str(played.seed)),
        ("run hash", shown.run_hash),
    )
    told = "".join(f'<tr><td>{name}</td><td class="mono">{escape(value)}</td></tr>' for name, value in rows)
    settings = "".join(
        f"<details{' open' if number == 0 else ''}><summary>[{escape(section)}]</summary><table class='plain'><tbody>"
        + "".join(f'<tr><td>{escape(key)}</td><td class="mono">{escape(value)}</td></tr>' for key, value in values.items())
        + "</tbody></table></details>"
        for number, (section, values) in enumerate(played.settings.items())
    )
    words = "The same recording, code, configuration and seed give the same run hash, over every order, fill and point of equity."
    return _card("Parameters and versions", words, f'<table class="plain"><tbody>{told}</tbody></table>{settings}')
