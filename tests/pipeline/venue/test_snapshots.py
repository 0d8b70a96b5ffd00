import json
from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.messages.edges import FetchBooks, RestBody
from pipeline.venue.decode import decode_books
from pipeline.venue.generic import GenericRules
from pipeline.venue.snapshots import Snapshots, fake_snapshots, file_snapshots

SNAPSHOT = '{"seq": 7, "bids": [[0.10, 1.0]], "asks": []}'
BOOK = {"asset_id": "11", "market": "0x1", "bids": [], "asks": [{"price": "0.4", "size": "1"}], "hash": "h"}


def ask(provider: Snapshots, *token_ids: str) -> list[RestBody]:
    wanted = FetchBooks(
        ts_ns=1, token_ids=token_ids, markets=tuple(t.partition("/")[0] for t in token_ids), cause="gap", request_id=3
    )
    return list(provider.take(wanted, 9))  # type: ignore[arg-type]


def at(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "snapshot.json"
    file.write_text(text, encoding="utf-8")
    return file


def test_the_fake_gives_every_token_its_levels_at_once() -> None:
    first, second = ask(fake_snapshots(5, [("0.4", "1")]), "m/yes", "m/no")
    assert (first.ts_ns, first.request, first.token_ids, first.request_id, first.status) == (9, "fake m/yes", ("m/yes",), 3, 200)
    (book,) = decode_books(second.body, 9, "fake", GenericRules("m", "no"))
    assert (book.token_id, book.seq, book.bids, book.asks) == ("m/no", 5, (("0.4", "1"),), ())


def test_a_function_may_have_no_snapshot() -> None:
    (found,) = ask(Snapshots(lambda token_id, market: None), "m/yes")
    assert (found.status, found.error) == (404, "no snapshot of m/yes")


def test_a_file_with_one_snapshot_answers_for_everybody_with_exact_numbers(tmp_path: Path) -> None:
    (found,) = ask(file_snapshots(at(tmp_path, SNAPSHOT)), "m/yes")
    (book,) = decode_books(found.body, 9, "file", GenericRules("m"))
    assert (found.request, book.bids, book.seq) == ("file m/yes", (("0.10", "1.0"),), 7)


@pytest.mark.parametrize(
    "tree",
    [
        [BOOK, {**BOOK, "asset_id": "12"}],
        {"11": BOOK, "12": {**BOOK, "asset_id": "12"}},
    ],
)
def test_a_file_with_several_answers_each_token_with_its_own(tmp_path: Path, tree: object) -> None:
    provider = file_snapshots(at(tmp_path, json.dumps(tree)))
    assert [(answer.status, answer.token_ids) for answer in ask(provider, "12", "13", "11")] == [
        (200, ("12",)),
        (404, ("13",)),
        (200, ("11",)),
    ]
    assert json.loads(ask(provider, "12")[0].body)["asset_id"] == "12"


def test_a_generic_snapshot_answers_for_its_market_and_outcome(tmp_path: Path) -> None:
    text = json.dumps(
        [{"market": "a", "seq": 1, "bids": [], "asks": []}, {"market": "b", "outcome_id": "no", "seq": 2, "bids": [], "asks": []}]
    )
    provider = file_snapshots(at(tmp_path, text))
    assert [answer.status for answer in ask(provider, "a/yes", "b/yes", "b/no")] == [200, 404, 200]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "not JSON"),
        ("5", "holds no snapshot"),
        ("[]", "holds no snapshot"),
        ('{"seq": 1, "bids": [[0.1, -1]], "asks": []}', "negative"),
        ('{"m": {"bids": [], "asks": []}}', "snapshot m: seq: missing"),
    ],
)
def test_a_wrong_file_is_refused_before_anything_runs(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        file_snapshots(at(tmp_path, text))
    with pytest.raises(BadInput, match="cannot be opened"):
        file_snapshots(tmp_path / "absent.json")
