"""Venue, journal and database held against each other, row by row: what is lost, doubled or altered between them."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from pipeline.bus import codec
from pipeline.bus.journal_segments import DURABLE, base_name, read_segment
from pipeline.messages import Message

VENUE_STATUS = {
    "LIVE": "live",
    "DELAYED": "delayed",
    "MATCHED": "matched",
    "CANCELED": "cancelled",
    "CANCELED_MARKET_RESOLVED": "cancelled",
}

Records = dict[tuple[str, int], Message]
"""Every durable record by its producer and number."""


def journal_of(state_dir: Path) -> Records:
    """All records of all journals below a state directory, archived segments included."""
    found: Records = {}
    for path in sorted(state_dir.rglob("*.journal*")):
        if path.is_file() and path.suffix != ".new" and ".journal" in base_name(path):
            segment = read_segment(path)
            for entry in segment.entries:
                arrival = codec.decode(DURABLE, entry.frame)
                found[arrival.producer, arrival.seq] = arrival.message
    return found


def compare(orders: list[dict[str, Any]], trades: list[dict[str, Any]], records: Records, conn: sqlite3.Connection) -> list[str]:
    """Every difference, in words. ``orders`` and ``trades`` are the venue's rows; ``conn`` gives rows by name."""
    return [*_journal(records, conn), *_orders(orders, conn), *_trades(trades, orders, conn), *_intents(orders, conn)]


def _journal(records: Records, conn: sqlite3.Connection) -> list[str]:
    """The database has exactly the journal's records, each unchanged."""
    stored = {(row["producer"], row["seq"]): row["body"] for row in conn.execute("SELECT producer, seq, body FROM journal")}
    told = [f"record {key} is in the journal and not in the database" for key in records.keys() - stored.keys()]
    told += [f"record {key} is in the database and not in the journal" for key in stored.keys() - records.keys()]
    both = records.keys() & stored.keys()
    told += [f"record {key} differs" for key in sorted(both) if msgspec.json.encode(records[key]).decode() != stored[key]]
    for producer in {producer for producer, _ in stored}:
        numbers = sorted(seq for name, seq in stored if name == producer)
        if numbers != list(range(1, len(numbers) + 1)):
            told.append(f"the records of {producer} are not numbered 1 to {len(numbers)}")
    return told


def _orders(orders: list[dict[str, Any]], conn: sqlite3.Connection) -> list[str]:
    """Every order of the venue is one of ours, and the same; what the venue never had is over, and nothing of it is filled."""
    told: list[str] = []
    ours: dict[str, sqlite3.Row] = {}
    for row in conn.execute("SELECT * FROM orders"):
        if row["venue_order_id"] and row["venue_order_id"] in ours:
            told.append(f"two of our orders are {row['venue_order_id']} at the venue")
        ours[row["venue_order_id"] or row["client_order_id"]] = row
    for order in orders:
        found = ours.pop(order["id"], None)
        if found is None:
            told.append(f"order {order['id']} at the venue is unknown here")
            continue
        venue = (
            order["asset_id"],
            order["side"],
            order["price_e6"],
            order["matched_e6"],
            VENUE_STATUS.get(order["status"], order["status"]),
        )
        here = (found["outcome_id"], found["side"], found["price_e6"], found["filled_e6"], found["status"])
        if venue != here and not (_failed_back(order, found) or _spent(order, found)):
            told.append(f"order {found['client_order_id']}: {venue} at the venue, {here} here")
    for row in ours.values():
        if row["filled_e6"] or row["status"] not in ("rejected", "cancelled", "expired"):
            told.append(f"order {row['client_order_id']} is {row['status']}, filled {row['filled_e6']}; the venue never had it")
    return told


def _failed_back(order: dict[str, Any], row: sqlite3.Row) -> bool:
    """Shares of a FAILED trade are taken back here; the venue's order keeps them as matched."""
    return bool(row["filled_e6"] < order["matched_e6"]) and order["status"] == "MATCHED" and row["status"] == "matched"


def _spent(order: dict[str, Any], row: sqlite3.Row) -> bool:
    """A purchase that takes is a budget of whole cents at the venue: that is spent, and a rest of the shares that we wanted is not kept."""
    ours = (row["filled_e6"], row["order_type"], row["side"], row["status"])
    return ours == (order["matched_e6"], order.get("order_type"), "BUY", "cancelled") and row["order_type"] in ("FAK", "FOK")


def _trades(trades: list[dict[str, Any]], orders: list[dict[str, Any]], conn: sqlite3.Connection) -> list[str]:
    """Every fill at the venue is one row here, with its price, size, fee and final status, and there is no other."""
    query = """SELECT f.*, o.venue_order_id AS order_id FROM fills f JOIN orders o USING (client_order_id)
               WHERE f.liquidity IN ('maker', 'taker') AND f.reverses = ''"""
    here = {(row["trade_id"], row["order_id"]): row for row in conn.execute(query)}
    told = []
    for trade in trades:
        row = here.pop((trade["trade_id"], trade["order_id"]), None)
        if row is None:
            told.append(f"trade {trade['trade_id']} of {trade['order_id']} is lost")
            continue
        venue = (trade["asset_id"], trade["side"], trade["price_e6"], trade["size_e6"], trade["fee_e6"], trade["liquidity"])
        ours = (row["outcome_id"], row["side"], row["price_e6"], row["size_e6"], row["fee_e6"], row["liquidity"])
        if venue != ours or trade["status"].lower() != row["status"]:
            told.append(f"trade {trade['trade_id']}: {venue} {trade['status']} at the venue, {ours} {row['status']} here")
    told += [f"fill {key} is here and not at the venue" for key in here]
    return told


def _intents(orders: list[dict[str, Any]], conn: sqlite3.Connection) -> list[str]:
    """One intent, one order at most: what was signed for an order is what the venue has of it."""
    signed = Counter(row["client_order_id"] for row in conn.execute("SELECT client_order_id FROM order_intents"))
    told = [f"order {name} was signed {times} times" for name, times in signed.items() if times > 1]
    hashes = {row["venue_order_id"] for row in conn.execute("SELECT venue_order_id FROM order_intents")}
    return told + [f"order {order['id']} left without an intent in the record" for order in orders if order["id"] not in hashes]
