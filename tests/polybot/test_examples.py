"""The programmatic names: each can be imported from ``polybot``, and its documented example runs and says what it says."""

from __future__ import annotations

import doctest
import importlib

import pytest

import polybot

MODULES = (
    "polybot",
    "polybot.ingestion.ingestor",
    "polybot.ingestion.markets",
    "polybot.ingestion.session",
    "polybot.quoting",
    "polybot.service",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    module = importlib.import_module(name)
    ran = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
    assert ran.attempted > 0, f"{name} shows no example"
    assert ran.failed == 0


@pytest.mark.parametrize("name", polybot.__all__)
def test_every_name_is_found_and_documented(name):
    found = getattr(polybot, name)
    assert found.__doc__ and len(found.__doc__) > 20
    assert name in polybot._HOME


def test_the_guides_import_paths_work():
    from polybot.ingestion import OrderbookIngestor, run_ingestion_session
    from polybot.ingestion.markets import GammaHttpClient, refresh_markets
    from polybot.quoting import FakeRelayer, QuoterRunner
    from polybot.service import MarketSpec, ServiceRunner

    names = (
        OrderbookIngestor,
        run_ingestion_session,
        GammaHttpClient,
        refresh_markets,
        FakeRelayer,
        QuoterRunner,
        MarketSpec,
        ServiceRunner,
    )
    assert all(callable(name) for name in names)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        polybot.Nothing  # noqa: B018
