"""hftbacktest (Rust, with a strategy compiled by numba) on a generic tape: the native bound. Run by the interpreter of its environment.

A feed array made beforehand, a venue with queue positions and 100 ms of latency, and the rule of the other sides as compiled code:
nothing of it is Python while the clock runs. It reads no bytes of the tape, so it has one mode, ``memory``.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import hftbacktest as hft
import numpy
from numba import njit

MS = 1_000_000
LATENCY_NS = 100 * MS


def load(path: str) -> numpy.ndarray:
    """The tape as feed events, one a changed level, with total sizes."""
    sizes: dict[tuple[int, float], int] = {}
    rows = []
    seen = 0
    with open(path, "rb") as stream:  # noqa: PTH123
        for text in stream:
            line = json.loads(text)
            seen += 1
            ns = line["ts_ms"] * MS
            for name, side in (("bids", hft.BUY_EVENT), ("asks", hft.SELL_EVENT)):
                for price, change in line.get(name, ()):
                    size = sizes[side, price] = sizes.get((side, price), 0) + round(change * 100)
                    flags = hft.EXCH_EVENT | hft.LOCAL_EVENT | hft.DEPTH_EVENT | side
                    rows.append((flags, ns, ns, price, max(0, size) / 100, 0, seen, 0.0))
    return numpy.array(rows, dtype=hft.event_dtype)


@njit
def play(hbt):  # type: ignore[no-untyped-def]
    """Step from feed event to feed event; returns events, orders placed and the position at the end."""
    events = orders = 0
    next_ns = 0
    ids = [0, 0]
    prices = [0.0, 0.0]
    placed_ns = [0, 0]
    while hbt.wait_next_feed(False, 10**17) == 2:
        events += 1
        now_ns = hbt.current_timestamp
        if now_ns < next_ns:
            continue
        depth = hbt.depth(0)
        bid, ask, tick = depth.best_bid, depth.best_ask, depth.tick_size
        if not 0 < bid < ask < 1:
            continue
        position = hbt.position(0)
        lean = 0.01 * max(-1.0, min(1.0, position / 200))
        inside = min(0.01, (ask - bid) / 4)
        wanted_bid = min(numpy.floor((bid + inside - lean) / tick + 1e-6) * tick, ask - tick)
        wanted_ask = max(numpy.ceil((ask - inside - lean) / tick - 1e-6) * tick, bid + tick)
        resting = hbt.orders(0)
        moved = False
        for side in range(2):
            wanted = wanted_bid if side == 0 else wanted_ask
            allowed = position < 200 if side == 0 else position > -200
            if ids[side] and ids[side] in resting:
                if (allowed and abs(prices[side] - wanted) < tick / 2) or now_ns < placed_ns[side] + 1_000_000_000:
                    continue
                if resting.get(ids[side]).cancellable:
                    hbt.cancel(0, ids[side], False)
            elif not allowed:
                continue
            ids[side] = 0
            if allowed:
                orders += 1
                ids[side], prices[side], placed_ns[side] = orders, wanted, now_ns
                if side == 0:
                    hbt.submit_buy_order(0, orders, wanted, 20.0, hft.GTC, hft.LIMIT, False)
                else:
                    hbt.submit_sell_order(0, orders, wanted, 20.0, hft.GTC, hft.LIMIT, False)
            moved = True
        if moved:
            next_ns = now_ns + 500_000_000
            hbt.clear_inactive_orders(0)
    return events, orders, hbt.position(0)


def venue(events: numpy.ndarray):  # type: ignore[no-untyped-def]
    """One asset on a grid of 0.01 whose levels are plain arrays."""
    asset = hft.BacktestAsset().data([events]).linear_asset(1.0).constant_order_latency(LATENCY_NS, 0)
    asset = asset.risk_adverse_queue_model().partial_fill_exchange().trading_value_fee_model(0, 0)
    asset = asset.tick_size(0.01).lot_size(0.01).roi_lb(0.0).roi_ub(1.0).last_trades_capacity(0)
    return hft.ROIVectorMarketDepthBacktest([asset])


def main(tape: str) -> None:
    """Compile with the first lines, then play all."""
    events = load(tape)
    lines = int(events["ival"][-1])
    first = venue(events[:2_000])
    play(first)
    first.close()
    hbt = venue(events)
    began, cpu = time.perf_counter(), time.process_time()
    _, orders, position = play(hbt)
    seconds, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    fills = int(hbt.state_values(0).num_trades)
    hbt.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = {"events": lines, "seconds": seconds, "cpu_s": cpu_s, "rss_mb": peak / 1_000}
    print(json.dumps(told | {"callbacks": len(events), "orders": orders, "fills": fills, "position": position}))


if __name__ == "__main__":
    main(sys.argv[1])
