"""What many tests need: the real captures where they are present, and a lockstep run."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# Many tests start processes: byte code is compiled once for all of them, whatever the environment says.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("PYTHONPYCACHEPREFIX", str(Path(tempfile.gettempdir()) / "polybot-tests-bytecode"))

settings.register_profile("polybot", deadline=None, max_examples=50)  # a busy machine is slow, not wrong
settings.load_profile("polybot")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Goldens are rewritten only on demand."""
    parser.addoption(
        "--update-golden", action="store_true", help="write tests/golden anew; read the difference before committing it"
    )


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference vectors and real captures beside the checkout; skips where it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("the real captures and vectors (../shared) are not on this machine")
    return folder


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return Path(__file__).resolve().parents[1]
