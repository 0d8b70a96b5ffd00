"""Coverage as one HTML page that needs nothing else: totals, a heat map of tokens over time, the gaps, and what the source tells."""

from __future__ import annotations

from html import escape

from polybot.coverage.columns import Columns
from polybot.coverage.model import Coverage, TokenCoverage, all_checks
from polybot.coverage.shares import NOT_OBSERVED, PROVED, STATES, WORDS, Times
from polybot.coverage.strips import source_strip, token_strip
from polybot.coverage.style import CSS, SCRIPT, STATE_CSS
from polybot.coverage.told import gap_length, healed, hours_left_out, percent, show_length, show_moment

MOST_LISTED = 500
_MEANS = {
    "VERIFIED": "equal to the venue's book, proved by its hash or by contiguous numbers",
    "QUIET": "proved, and nothing has changed for a while",
    "UNVERIFIED": "cannot be checked, and nothing speaks against it",
    "PENDING": "differs, which a late trade may explain",
    "SUSPECT": "differs from the venue's",
    "RESYNCING": "a fresh book is asked for",
    "STALE": "too old, or its link is down",
    "DEAD": "resolved, unknown, or given up",
    NOT_OBSERVED: "nobody watched",
}
_DOUBTED = ("PENDING", "SUSPECT", "RESYNCING", "STALE")


def page(coverage: Coverage) -> str:
    """The whole page."""
    columns = Columns(coverage)
    style = CSS + "".join(STATE_CSS.format(state) for state in STATES)
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">',
            f"<title>Book coverage: {escape(coverage.source)}</title><style>{style}</style></head><body><main>",
            _head(coverage, columns),
            _tiles(coverage),
            _legend(coverage),
            _heat_map(coverage, columns),
            _gaps(coverage),
            _notes(coverage),
            "<footer>Times are UTC. A column that saw several states shows them stacked, what is not proved on top and never too thin "
            "to see; point at it for the shares and reasons. Made by <code>polybot coverage</code>.</footer>",
            f'</main><div id="tip"></div><script>{SCRIPT}</script></body></html>\n',
        )
    )


def _head(coverage: Coverage, columns: Columns) -> str:
    start, end = (show_moment(ns, fraction=False) for ns in (coverage.start_ns, coverage.end_ns))
    left_out = hours_left_out(coverage)
    told = [
        f"{start} to {end}",
        f"{len(coverage.tokens):,} tokens",
        f"{show_length(sum(e - s for s, e in coverage.observed))} watched",
        f"a column is {show_length(columns.width_ns).replace('.000', '').replace('.0', '')}",
    ]
    if left_out:
        told.append(f"{left_out:,} hours that nobody watched left out")
    return f'<h1>Book coverage</h1><p class="sub">{escape(coverage.source)}</p><p class="sub">{" · ".join(map(escape, told))}</p>'


def _tiles(coverage: Coverage) -> str:
    totals, checks, gaps = coverage.totals, coverage.checks, coverage.gaps
    observed = sum(ns for word, ns in totals.items() if word != NOT_OBSERVED)
    proved, doubted = (sum(totals.get(word, 0) for word in words) for words in (PROVED, _DOUBTED))
    still_open = sum(gap.end_ns is None for _, gap in gaps)
    longest = max((gap.end_ns - gap.start_ns for _, gap in gaps if gap.end_ns is not None), default=0)
    tiles = (
        (f"{percent(proved, observed)} %", "proved", "of the observed time"),
        (f"{percent(doubted, observed)} %", "in doubt", f"{show_length(doubted)} of token time"),
        (f"{len(gaps):,}", "gaps", f"{still_open:,} not healed" + (f", longest {show_length(longest)}" if longest else "")),
        (f"{checks.done:,}", "hash checks", _told_checks(checks.done, checks.matched, checks.missed, checks.undecided)),
        (f"{percent(totals.get(NOT_OBSERVED, 0), sum(totals.values()))} %", "not observed", "of the hours shown"),
    )
    return (
        '<div class="tiles">'
        + "".join(f'<div class="tile"><b>{b}</b><span>{s}</span><i>{i}</i></div>' for b, s, i in tiles)
        + "</div>"
    )


def _told_checks(done: int, matched: int, missed: int, undecided: int) -> str:
    if not done:
        return "none: the feed has no hashes"
    told = [f"{percent(matched, done)} % matched"]
    told += [f"{number:,} {word}" for number, word in ((missed, "missed"), (undecided, "undecided")) if number]
    return ", ".join(told)


def _legend(coverage: Coverage) -> str:
    totals = coverage.totals
    whole = sum(totals.values())
    bar = "".join(
        f'<i class="{word}" style="flex:{totals[word] / whole:.6f}" title="{_word(word)} {percent(totals[word], whole)} %"></i>'
        for word in WORDS
        if totals.get(word)
    )
    keys = "".join(
        f'<li title="{escape(_MEANS[word])}"><span class="dot {word}"></span>{_word(word)} '
        f"<em>{percent(totals.get(word, 0), whole)} %</em></li>"
        for word in WORDS
    )
    return f'<div class="card"><div class="bar">{bar}</div><ul class="key">{keys}</ul></div>'


def _heat_map(coverage: Coverage, columns: Columns) -> str:
    axis = "".join(f'<span style="left:{place * 100:.2f}%">{escape(text)}</span>' for place, text in columns.labels())
    watcher = "recorder" if coverage.kind == "recording" else "book builder"
    rows = [
        f'<tr class="source"><td class="name">{watcher}</td><td class="map src"><div>{source_strip(coverage, columns)}</div></td>'
        "<td></td><td></td><td></td></tr>"
    ]
    market = ""
    for token in coverage.tokens:
        rows.append(_row(token, coverage, columns, first=token.market_id != market))
        market = token.market_id
    return (
        '<h2>Tokens over time</h2><div class="card scroll"><table class="heat"><thead><tr><th class="name">token</th>'
        f'<th><div class="axis">{axis}</div></th><th class="num share">proved</th><th class="num gaps">gaps</th>'
        f'<th class="num checks">hash checks</th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def _row(token: TokenCoverage, coverage: Coverage, columns: Columns, first: bool) -> str:
    times: Times = token.times(coverage.whole_ns)
    observed = sum(ns for word, ns in times.items() if word != NOT_OBSERVED)
    proved = f"{percent(sum(times.get(word, 0) for word in PROVED), observed)} %" if observed else "-"
    checks = all_checks([token])
    told = f"{checks.matched:,} of {checks.done:,}" if checks.done else "-"
    name = escape(token.name, quote=True)
    return (
        f'<tr data-n="{name}"{" class=first" if first else ""}><td class="name" title="{name}&#10;{escape(token.token_id)}">'
        f"<div>{_split(token.name)}</div></td>"
        f'<td class="map"><div>{token_strip(token, columns)}</div></td><td class="num">{proved}</td>'
        f'<td class="num">{len(token.gaps) or "-"}</td><td class="num">{told}</td></tr>'
    )


def _split(name: str) -> str:
    """A name whose last part, the outcome, is never cut off."""
    title, _, outcome = name.rpartition(" / ")
    return f"<span>{escape(title)}</span><b>{escape(outcome)}</b>" if title else f"<span>{escape(name)}</span>"


def _gaps(coverage: Coverage) -> str:
    gaps = coverage.gaps
    if not gaps:
        return '<h2>Gaps</h2><div class="card">No gap.</div>'
    rows = "".join(
        f'<tr><td class="who">{escape(token.name)}</td><td class="t">{show_moment(gap.start_ns)}</td>'
        f'<td class="t">{"" if gap.end_ns is None else show_moment(gap.end_ns)[11:]}</td>'
        f'<td class="t num{" open" if gap.end_ns is None else ""}">{gap_length(gap)}</td>'
        f"<td>{escape(gap.cause)}</td><td>{escape(healed(gap))}</td></tr>"
        for token, gap in gaps[:MOST_LISTED]
    )
    more = (
        f"<p class=sub>{len(gaps) - MOST_LISTED:,} later gaps are left out; --json has all.</p>"
        if len(gaps) > MOST_LISTED
        else ""
    )
    return (
        '<h2>Gaps</h2><div class="card scroll"><table class="list"><thead><tr><th>token</th><th>from</th><th>to</th>'
        f'<th class="num">for</th><th>cause</th><th>healed by</th></tr></thead><tbody>{rows}</tbody></table>{more}</div>'
    )


def _notes(coverage: Coverage) -> str:
    if not coverage.notes:
        return ""
    rows = "".join(
        f'<tr><td class="t">{show_moment(note.ts_ns)}</td><td><span class="tag">{escape(note.kind.replace("_", " "))}</span></td>'
        f"<td>{escape(note.text)}</td></tr>"
        for note in coverage.notes[:MOST_LISTED]
    )
    left_out = max(0, len(coverage.notes) - MOST_LISTED) + coverage.notes_left_out
    more = f"<p class=sub>{left_out:,} further notes are left out.</p>" if left_out else ""
    title = "What the recording tells of itself" if coverage.kind == "recording" else "Runs of the book builder"
    return f'<h2>{title}</h2><div class="card scroll"><table class="list"><tbody>{rows}</tbody></table>{more}</div>'


def _word(word: str) -> str:
    return "not observed" if word == NOT_OBSERVED else word
