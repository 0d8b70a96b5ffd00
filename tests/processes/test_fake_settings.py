"""`--venue fake` points a process at the fake venue, and changes nothing that somebody has set."""

from __future__ import annotations

from pipeline.base.config import Config
from pipeline.base.settings import Settings
from processes.fake_settings import FAKE_DB, with_fake_venue


def test_every_address_is_the_fake_venues_and_so_is_the_database():
    config = Config(Settings()).with_values({"fake_venue": {"port": 9_000}}, "test")
    settings = with_fake_venue(config, "--venue fake").settings
    assert (settings.venue.name, settings.db.url) == ("fake", FAKE_DB)
    assert settings.polymarket.gamma_url == settings.polymarket.clob_url == "http://127.0.0.1:9000"
    assert settings.polymarket.ws_url == "ws://127.0.0.1:9000/ws/market"


def test_a_database_that_was_named_stays():
    config = Config(Settings()).with_values({"db": {"url": "sqlite:///mine.db"}}, "config/local.toml")
    assert with_fake_venue(config, "--venue fake").settings.db.url == "sqlite:///mine.db"


def test_pointing_twice_changes_nothing():
    once = with_fake_venue(Config(Settings()), "polybot up")
    assert with_fake_venue(once, "--venue fake").settings == once.settings
