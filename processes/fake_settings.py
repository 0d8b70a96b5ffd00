"""The settings that point a process at the fake venue instead of the real one: what ``--venue fake`` means, here and in ``polybot up``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.base.config import BUILT_IN, Config

FAKE_DB = "sqlite:///./polybot-fake.db"
"""Where invented data goes unless another database is named: never beside real data."""

_DEFAULTS = "default.toml"


def is_default(config: Config, section: str, key: str) -> bool:
    """Nobody has set this key: it is as it came with the program."""
    origin = config.origin(section, key)
    return origin == BUILT_IN or Path(origin).name == _DEFAULTS


def fake_addresses(host: str, port: int) -> dict[str, Any]:
    """The ``[polymarket]`` addresses of a fake venue."""
    base = f"{host}:{port}"
    return {"gamma_url": f"http://{base}", "clob_url": f"http://{base}", "ws_url": f"ws://{base}/ws/market"}


def with_fake_venue(config: Config, origin: str) -> Config:
    """The configuration pointed at the configured fake venue, with a database of its own if none was named."""
    section = config.settings.fake_venue
    values: dict[str, dict[str, Any]] = {"venue": {"name": "fake"}, "polymarket": fake_addresses(section.host, section.port)}
    if is_default(config, "db", "url"):
        values["db"] = {"url": FAKE_DB}
    return config.with_values(values, origin)
