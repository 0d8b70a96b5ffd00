"""How each market's rules read when it was first seen, or as an operator accepted them since: the memory of the catalogue across restarts.

The standard library reads it, as whoever asks has no other business with a database and starts sooner without one.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from pipeline.store.url import path_of_url

_FIRST = """
SELECT condition_id, json_extract(body, '$.rules_hash'), min(id) FROM market_versions
WHERE json_extract(body, '$.rules_hash') <> '' GROUP BY condition_id
"""
_ACCEPTED = "SELECT market_id, rules_hash, max(id) FROM accepted_rules GROUP BY market_id"
BUSY_S = 2.0


def first_rules(db_url: str) -> dict[str, str]:
    """Market id -> the hash of its rules in the first version that had one, or that was accepted last.

    Empty for a database that is not there, or knows no markets.

    Raises BadInput for a URL that is none.
    """
    path = path_of_url(db_url)
    if path is None or not path.is_file():
        return {}
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as conn:
            known = {str(market_id): str(rules) for market_id, rules, _ in conn.execute(_FIRST)}
            if conn.execute("SELECT 1 FROM sqlite_master WHERE name = 'accepted_rules'").fetchone():
                known |= {str(market_id): str(rules) for market_id, rules, _ in conn.execute(_ACCEPTED)}
            return known
    except sqlite3.OperationalError:
        return {}  # another's database, or one that the writer has yet to make: it says so itself
