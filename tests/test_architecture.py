"""The rooms hold: imports point down the list of layers, every message is on a stream, and no file imports a test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYER = {
    "pipeline.base": 0,
    "pipeline.messages": 1,
    "pipeline.market": 2,
    "pipeline.strategy": 2,
    "pipeline.trading": 2,
    "pipeline.bus": 3,
    "pipeline.venue": 3,
    "pipeline.store": 3,
    "pipeline.recording": 3,
    "pipeline.fake_venue": 3,
    "processes": 4,
    "polybot": 5,
}
SEPARATE = {"pipeline.bus", "pipeline.venue", "pipeline.store", "pipeline.recording", "pipeline.fake_venue"}
"""Edges and plumbing: they do not import each other; processes and the front join them."""

OUTSIDE = {
    "pipeline.base": {"msgspec", "structlog"},
    "pipeline.messages": {"msgspec"},
    "pipeline.market": {"msgspec"},
    "pipeline.strategy": {"msgspec"},
    "pipeline.trading": {"msgspec"},
    "pipeline.bus": {"zmq", "msgspec", "structlog"},
    "pipeline.venue": {"httpx", "websockets", "msgspec", "structlog", "eth_keys", "eth_hash", "eth_utils"},
    "pipeline.store": {"sqlalchemy", "alembic", "filelock", "msgspec", "structlog"},
    "pipeline.recording": {"msgspec", "structlog"},
    "pipeline.fake_venue": {"starlette", "uvicorn", "websockets", "msgspec", "structlog"}
    | {"eth_abi", "eth_account", "eth_keys", "eth_utils"},
    "processes": {"click", "zmq", "filelock", "msgspec", "structlog"},
    "polybot": {"click", "rich", "zmq", "filelock", "msgspec", "structlog", "pyarrow", "bokeh"},
}
IMPURE = {"time", "random", "socket", "asyncio", "threading", "subprocess", "os"}
DOMAIN = {"pipeline.market", "pipeline.strategy", "pipeline.trading"}


def room_of(module: str) -> str | None:
    """The room that a module belongs to."""
    parts = module.split(".")
    for size in (2, 1):
        if ".".join(parts[:size]) in LAYER:
            return ".".join(parts[:size])
    return None


def sources() -> Iterator[Path]:
    for package in ("pipeline", "processes", "polybot"):
        yield from sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of a file, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    room = room_of(module)
    if room is None:
        return
    for line, name in imports(path):
        where = f"{path.relative_to(ROOT)}:{line} imports {name}"
        top = name.split(".")[0]
        assert top not in ("tests", "benchmarks"), where
        other = room_of(name)
        if other is not None:
            if other == room:
                continue
            assert LAYER[other] <= LAYER[room], f"{where}, which lies above {room}"
            assert not {room, other} <= SEPARATE, f"{where}: edges and plumbing do not import each other"
            assert not {room, other} <= DOMAIN or LAYER[other] == 2, where
        elif top not in STANDARD:
            assert top in OUTSIDE[room], f"{where}, which {room} may not use"
        elif room in DOMAIN:
            assert top not in IMPURE, f"{where}: the domain is pure"


def test_no_process_imports_another_process_but_the_fused_one_which_is_four_of_them() -> None:
    shared = {"processes.options", "processes.procfile", "processes.supervised", "processes.supervisor", "processes.health_file"}
    shared |= {"processes.executor_news"}  # a part of one process
    for path in sorted((ROOT / "processes").glob("*.py")):
        own = f"processes.{path.stem}"
        if own == "processes.fused":
            continue
        for line, name in imports(path):
            if name.startswith("processes.") and name != own:
                assert name in shared or own in shared, f"{path.name}:{line} imports {name}"


STANDARD = __import__("sys").stdlib_module_names
