"""The fuzz program as a module: it stands beside the tests and is no part of a package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def frame_fuzz() -> ModuleType:
    name = "frame_fuzz"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("frame_fuzz.py"))
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
