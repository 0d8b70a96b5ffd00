"""The page is one well-formed file that needs nothing else, and shows every token, gap and state."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from polybot.coverage.columns import MOST_COLUMNS, Columns
from polybot.coverage.model import Coverage, GapSpan, Note, TokenCoverage, watched_hours
from polybot.coverage.page import page
from polybot.coverage.shares import HOUR_NS, NOT_OBSERVED, STATES, Interval, joined, spread, width_for
from polybot.coverage.strips import token_strip
from polybot.coverage.told import percent, show_length

S = 1_000_000_000
EVIL = "<script>alert('1')</script> & \"x\""


def coverage(observed: list[Interval], *tokens: TokenCoverage, notes: tuple[Note, ...] = ()) -> Coverage:
    start, end = observed[0][0], observed[-1][1]
    width = width_for(sum(watched_hours(observed, start, end).values()))
    return Coverage(f"source {EVIL}", "recording", start, end, width, list(tokens), observed, list(notes))


def token(name: str = "Question / Yes") -> TokenCoverage:
    return TokenCoverage("123", "0xm", name)


def rectangles(strip: str) -> list[tuple[str, float, float]]:
    """(class, x, width) of each rectangle of a strip."""
    return [
        (found.get("class", ""), float(found.get("x", 0)), float(found.get("width", 0)))
        for found in ElementTree.fromstring(strip).iter("rect")
    ]


def test_the_page_is_whole_and_asks_for_nothing_from_outside() -> None:
    one = token(f"{EVIL} / Yes")
    for number, state in enumerate(STATES):
        spread(one.cells, S, number * 10 * S, (number * 10 + 9) * S + 1, state, EVIL)
    one.gaps = [GapSpan(1, 2, EVIL, EVIL), GapSpan(5, None, "open one")]
    text = page(coverage([(0, 100 * S)], one, token("mkt-1/no"), notes=(Note(50 * S, "down", EVIL), Note(51 * S, "torn", "x"))))
    assert "<script>alert" not in text
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?:", text)

    class Balanced(HTMLParser):
        open: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta", "rect"):
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            if tag != "rect":
                assert self.open.pop() == tag

    parser = Balanced()
    parser.feed(text)
    assert parser.open == []
    assert text.count('<tr data-n="') == 2
    for state in STATES:
        assert f'<rect class="{state}"' in text
    assert "not healed" in text


def test_equal_columns_are_one_rectangle_and_mixed_ones_a_stack() -> None:
    one = token()
    spread(one.cells, S, 0, 60 * S, "VERIFIED")
    spread(one.cells, S, 60 * S, 60 * S + S // 1_000, "SUSPECT", "hash differs")
    spread(one.cells, S, 60 * S + S // 1_000, 100 * S, "VERIFIED")
    told = coverage([(0, 120 * S)], one)
    strip = token_strip(one, Columns(told))
    assert rectangles(strip) == [
        ("VERIFIED", 0, 60),
        ("VERIFIED", 60, 1),
        ("SUSPECT", 60, 1),
        ("VERIFIED", 61, 39),
        (NOT_OBSERVED, 100, 20),
    ]
    assert "SUSPECT 0.1 %: hash differs" in strip


observations = st.lists(
    st.tuples(st.integers(0, 400 * HOUR_NS), st.integers(1, 3 * HOUR_NS)).map(lambda pair: (pair[0], sum(pair))),
    min_size=1,
    max_size=6,
).map(joined)


@given(observations, st.lists(st.tuples(st.integers(0, 400 * HOUR_NS), st.sampled_from(STATES)), max_size=10))
def test_the_columns_hold_every_watched_hour_and_no_rectangle_leaves_them(
    observed: list[Interval], states: list[tuple[int, str]]
) -> None:
    one = token()
    told = coverage(observed, one)
    for start, end in observed:
        inside = [start, *sorted(at for at, _ in states if start < at < end), end]
        for (since, until), (_, state) in zip(itertools.pairwise(inside), [*states, (0, "QUIET")], strict=False):
            spread(one.cells, told.width_ns, since, until, state)
    columns = Columns(told)
    assert sum(column.whole_ns for column in columns.all) == told.whole_ns
    assert len(columns.all) <= 2 * MOST_COLUMNS
    drawn = [box for box in rectangles(token_strip(one, columns)) if box[0] != "b"]
    covered = {x + at for _, x, width in drawn for at in range(int(width))}
    assert covered == {column.x for column in columns.all}
    places = [place for place, _ in columns.labels()]
    assert places == sorted(places)


def test_a_share_is_never_rounded_to_nothing_or_all() -> None:
    told = [percent(part, 1_000_000) for part in (0, 1, 949, 1_500, 500_000, 999_999, 1_000_000)]
    assert told == ["0", "0.1", "0.1", "0.2", "50.0", "99.9", "100"]
    assert percent(0, 0) == "-"


def test_lengths_are_told_in_two_units() -> None:
    lengths = [0.12, 59.99, 200, 3_600, 18_120, 3_466_800]
    assert [show_length(int(seconds * S)) for seconds in lengths] == [
        "0.120 s",
        "59.9 s",
        "3 min 20 s",
        "1 h",
        "5 h 2 min",
        "40 d 3 h",
    ]
