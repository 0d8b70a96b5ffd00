"""The reference vectors of the order protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("eth_keys", reason="signing needs the extra `live`")


@pytest.fixture(scope="session")
def signing_cases(shared: Path) -> list[dict[str, Any]]:
    """Orders of every kind with their hashes and signatures."""
    cases: list[dict[str, Any]] = json.loads(
        (shared / "reference" / "vectors" / "order_signing.json").read_text(encoding="utf-8")
    )["cases"]
    assert len(cases) == 84
    return cases


@pytest.fixture(scope="session")
def auth_cases(shared: Path) -> list[dict[str, Any]]:
    """Headers of both levels."""
    cases: list[dict[str, Any]] = json.loads((shared / "reference" / "vectors" / "auth.json").read_text(encoding="utf-8"))[
        "cases"
    ]
    assert len(cases) == 38
    return cases
