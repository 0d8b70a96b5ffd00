from pathlib import Path

import pytest

from pipeline.base.errors import BadInput
from pipeline.base.units import nearest_e6
from pipeline.messages.market import VenuePriceChange, VenueTrade
from pipeline.recording.level2 import nearest_text, parse_columns, read_level2
from pipeline.recording.source import open_frames

HEADER = "ts_ms,event_type,asset_id,side,price,size,best_bid,best_ask\n"


def at(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "x.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_row_is_a_change_or_a_trade(tmp_path: Path) -> None:
    file = at(
        tmp_path,
        HEADER
        + "1780795851472,PRICE_CHANGE,57,BID,0.31,198.0,0.35,0.39\n"
        + "1780795854024,LAST_TRADE,72,ASK,0.48,2.083332,0.0,0.0\n",
    )
    assert list(open_frames(file, market="mkt").messages()) == [
        VenuePriceChange(
            ts_ns=1_780_795_851_472_000_000,
            token_id="57",
            market="mkt",
            venue_ts="1780795851472",
            hash="",
            changes=(("0.31", "198", "BUY"),),
            best_bid="0.35",
            best_ask="0.39",
        ),
        VenueTrade(
            ts_ns=1_780_795_854_024_000_000,
            token_id="72",
            market="mkt",
            venue_ts="1780795854024",
            price="0.48",
            size="2.083332",
            side="SELL",
        ),
    ]


def test_columns_and_words_can_be_mapped(tmp_path: Path) -> None:
    file = at(tmp_path, "when,id,way,p,q,m\n1780795851.25,57,b,0.31,5,0x1\n")
    columns = parse_columns("time=when,unit=s,token=id,side=way,price=p,size=q,market=m,bid=b,ask=a,kind=,best_bid=,best_ask=")
    (found,) = read_level2(file, "", columns)
    assert isinstance(found, VenuePriceChange)
    assert (found.ts_ns, found.market, found.changes, found.best_bid) == (
        1_780_795_851_250_000_000,
        "0x1",
        (("0.31", "5", "BUY"),),
        None,
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("198.0", "198"),
        ("0.1", "0.1"),
        ("2.0833330000000001", "2.083333"),
        ("1e-7", "0"),
        ("0.0000005", "0"),
        ("0.0000015", "0.000002"),
    ],
)
def test_numbers_from_floats_go_to_the_nearest_millionth(text: str, wanted: str) -> None:
    assert nearest_text(text) == wanted


@pytest.mark.parametrize("text", ["", "x", "nan", "inf", "1e30", "1e999999999"])
def test_what_is_no_number_has_no_nearest_millionth(text: str) -> None:
    with pytest.raises(ValueError, match="number"):
        nearest_e6(text)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,PRICE_CHANGE,57,BID,0.31\n", "has 5 fields, the header 8"),
        ("x,PRICE_CHANGE,57,BID,0.31,1,0,0\n", "'x' is not a decimal number"),
        ("1,PRICE_CHANGE,57,MID,0.31,1,0,0\n", "side 'MID'"),
        ("1,PRICE_CHANGE,57,BID,1.31,1,0,0\n", "price 1.31 is outside 0 to 1"),
        ("1,PRICE_CHANGE,57,BID,0.31,-1,0,0\n", "size -1 is negative"),
        ("1,QUOTE,57,BID,0.31,1,0,0\n", "'QUOTE' is neither PRICE_CHANGE nor LAST_TRADE"),
    ],
)
def test_a_wrong_row_is_refused_with_file_and_line(tmp_path: Path, row: str, reason: str) -> None:
    with pytest.raises(BadInput, match=rf"x\.csv:3: .*{reason}"):
        list(read_level2(at(tmp_path, HEADER + "1,PRICE_CHANGE,57,BID,0.31,1,0,0\n" + row), "m"))


def test_a_missing_column_is_named_with_the_way_to_map_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"no column price for the price; it has ts_ms,.*--columns price=NAME"):
        list(read_level2(at(tmp_path, "ts_ms,event_type,asset_id,side,p,size\n"), "m"))


@pytest.mark.parametrize("text", ["colour=red", "time", "unit=h"])
def test_a_wrong_mapping_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="--columns"):
        parse_columns(text)
