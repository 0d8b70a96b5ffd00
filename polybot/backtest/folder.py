"""A folder of results: ``grid.json`` with the figures of all runs, and for each run a folder with ``run.json`` and, if wanted, Parquet.

It appears whole or not at all. ``run.json`` holds everything, so that ``polybot compare`` and the page need nothing else.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from pipeline.base.errors import BadInput
from pipeline.store.export import Column
from polybot.backtest.result import RunResult, decode, encode
from polybot.backtest.told import as_object
from polybot.export_files import ParquetRows

GRID = "grid.json"
RUN = "run.json"
TRADES = "trades.parquet"
ORDERS = "orders.parquet"
EQUITY = "equity.parquet"
AMOUNTS = frozenset(
    {"price", "size", "filled", "notional", "fee", "ahead", "equity", "drawdown", "mid", "mid_1s", "mid_10s", "mid_60s"}
)
TEXTS = frozenset(
    {
        "trade_id",
        "client_order_id",
        "strategy",
        "market_id",
        "token_id",
        "side",
        "liquidity",
        "order_type",
        "status",
        "reason",
        "why",
        "seen",
    }
)


def check_folder(out: Path | None) -> None:
    """Raises BadInput if ``out`` is there already or cannot be made."""
    if out is None:
        return
    if out.exists():
        raise BadInput(f"--out {out}: is there already; give another folder")
    if not out.absolute().parent.is_dir():
        raise BadInput(f"--out {out}: the folder {out.parent} does not exist; create it first")
    part = _part(out)
    try:
        part.mkdir()
        part.rmdir()
    except OSError as error:
        raise BadInput(f"--out {out}: cannot be written: {error.strerror or error}") from None


def write_folder(out: Path, results: Sequence[RunResult], *, parquet: bool) -> None:
    """All results into the new folder ``out``, which is there once it is whole. Raises BadInput."""
    part = _part(out)
    try:
        part.mkdir()
        write_results(part, results, parquet=parquet)
        part.replace(out)
    except OSError as error:
        raise BadInput(f"--out {out}: cannot be written: {error.strerror or error}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_page(html: Path, text: str) -> None:
    """The page into ``html``, which is the whole of it or what it was before. Raises BadInput."""
    part = _part(html)
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(html)
    except OSError as error:
        raise BadInput(f"--html {html}: cannot be written: {error.strerror}; give a file in a folder that is there") from None
    finally:
        part.unlink(missing_ok=True)


def _part(path: Path) -> Path:
    """Where something is written that becomes ``path`` once it is whole."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def write_results(folder: Path, results: Sequence[RunResult], *, parquet: bool) -> None:
    """Everything into an empty folder. Raises BadInput for Parquet without pyarrow."""
    for result in results:
        place = folder / f"{result.number:03d}"
        place.mkdir()
        (place / RUN).write_bytes(encode(result))
        if parquet:
            write_parquet(place, result)
    (folder / GRID).write_bytes(msgspec.json.format(msgspec.json.encode([as_object(result) for result in results]), indent=1))


def require_pyarrow() -> None:
    """Raises BadInput where Parquet cannot be written."""
    if importlib.util.find_spec("pyarrow") is None:
        raise BadInput("--parquet: needs pyarrow: `uv sync --extra parquet`")


def write_parquet(folder: Path, result: RunResult) -> None:
    """Trades, orders and equity as three tables; money and shares are decimals, times UTC nanoseconds."""
    trades = [
        {
            "ts_ns": fill.ts_ns,
            "trade_id": fill.trade_id,
            "client_order_id": fill.client_order_id,
            "strategy": fill.strategy,
            "market_id": fill.market,
            "token_id": fill.token_id,
            "side": fill.side,
            "price": fill.price_e6,
            "size": fill.size_e6,
            "notional": fill.notional_e6,
            "fee": fill.fee_e6,
            "liquidity": fill.liquidity,
            "mid": fill.mids.get(0),
            "mid_1s": fill.mids.get(1_000),
            "mid_10s": fill.mids.get(10_000),
            "mid_60s": fill.mids.get(60_000),
        }
        for fill in result.fills
    ]
    orders = [
        {
            "client_order_id": order.client_order_id,
            "strategy": order.strategy,
            "market_id": order.market,
            "token_id": order.token_id,
            "side": order.side,
            "price": order.price_e6,
            "size": order.size_e6,
            "filled": order.filled_e6,
            "order_type": order.order_type,
            "status": order.status,
            "placed_ns": order.placed_ns,
            "live_ns": order.live_ns,
            "ended_ns": order.ended_ns,
            "ahead": order.ahead_e6,
            "reason": order.reason,
            "why": order.why,
            "seen": order.seen,
        }
        for order in result.orders
    ]
    equity = [{"ts_ns": at.ts_ns, "equity": at.equity_e6, "drawdown": at.drawdown_e6} for at in result.equity]
    for name, rows, names in (
        (TRADES, trades, _NAMES_OF_TRADES),
        (ORDERS, orders, _NAMES_OF_ORDERS),
        (EQUITY, equity, ("ts_ns", "equity", "drawdown")),
    ):
        _table(folder / name, names, rows)


def read_run(path: Path) -> RunResult:
    """The run of a result folder: of the folder of one run, or of a grid that has only one. Raises BadInput."""
    file = path if path.is_file() else path / RUN
    if path.is_dir() and not file.is_file():
        runs = sorted(path.glob(f"*/{RUN}"))
        if len(runs) > 1:
            raise BadInput(f"{path}: holds {len(runs)} runs; give one of them, e.g. {path / runs[0].parent.name}")
        if runs:
            file = runs[0]
    try:
        return decode(file.read_bytes())
    except OSError:
        raise BadInput(f"{path}: holds no run; give a folder that `polybot backtest --out` wrote, or a database") from None
    except msgspec.DecodeError as error:
        raise BadInput(f"{file}: not the result of a backtest: {error}") from None


def _table(path: Path, names: Sequence[str], rows: Sequence[dict[str, Any]]) -> None:
    file = ParquetRows(
        path, [Column(name, "amount" if name in AMOUNTS else "text" if name in TEXTS else "whole") for name in names]
    )
    if rows:
        file.write([tuple(row[name] for name in names) for row in rows])
    file.close()


_NAMES_OF_TRADES = (
    "ts_ns",
    "trade_id",
    "client_order_id",
    "strategy",
    "market_id",
    "token_id",
    "side",
    "price",
    "size",
    "notional",
    "fee",
    "liquidity",
    "mid",
    "mid_1s",
    "mid_10s",
    "mid_60s",
)
_NAMES_OF_ORDERS = (
    "client_order_id",
    "strategy",
    "market_id",
    "token_id",
    "side",
    "price",
    "size",
    "filled",
    "order_type",
    "status",
    "placed_ns",
    "live_ns",
    "ended_ns",
    "ahead",
    "reason",
    "why",
    "seen",
)
