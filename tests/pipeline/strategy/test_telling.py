"""What decisions tell is compact JSON that says what was meant, whatever the texts are."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pipeline.strategy.telling import as_json

texts = st.text(st.characters(exclude_categories=("Cs",)))
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)


@given(values)
def test_it_is_read_as_it_was_written(value: object) -> None:
    assert json.loads(as_json(value)) == value


def test_it_has_no_spaces_and_leaves_letters_as_they_are() -> None:
    assert (
        as_json({"reason": "mid über 0.5", "levels": [["0.4", "1"], []]}) == '{"reason":"mid über 0.5","levels":[["0.4","1"],[]]}'
    )
