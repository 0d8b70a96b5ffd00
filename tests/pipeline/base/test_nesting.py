"""Deep nesting is seen without a parser, whatever the recursion limit; wide frames and brackets in texts are no nesting."""

from __future__ import annotations

import json

import pytest

from pipeline.base.nesting import nests_too_deeply


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"[" * 2_000 + b"]" * 2_000, b"[{" * 900]
)
def test_deep_nesting_is_seen(data: bytes) -> None:
    assert nests_too_deeply(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[" * 100,
        json.dumps([{"bids": [{"price": "0.1", "size": "1"}] * 200}] * 50).encode(),
        json.dumps([{"question": "Will [[[ happen?"}] * 300).encode(),
    ],
)
def test_wide_frames_and_brackets_in_texts_are_not_deep(data: bytes) -> None:
    assert not nests_too_deeply(data)
