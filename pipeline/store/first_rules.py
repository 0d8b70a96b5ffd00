"""How each market's rules read when it was first seen: the memory of the catalogue across restarts, read without waiting for anybody.

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
BUSY_S = 2.0


def first_rules(db_url: str) -> dict[str, str]:
    """Market id -> the hash of its rules in the first version that had one. Empty for a database that is not there, or knows no markets.

    Raises BadInput for a URL that is none.
    """
    path = path_of_url(db_url)
    if path is None or not path.is_file():
        return {}
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as conn:
            return {str(market_id): str(rules) for market_id, rules, _ in conn.execute(_FIRST)}
    except sqlite3.OperationalError:
        return {}  # another's database, or one that the writer has yet to make: it says so itself
