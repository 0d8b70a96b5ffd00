"""What the compiled build names is there, and can be compiled without becoming something else."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
HOOK = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]


def files(patterns: list[str]) -> list[Path]:
    return [path for pattern in patterns for path in ROOT.glob(pattern)]


def test_every_name_in_the_lists_is_a_module_and_what_stays_a_source_would_be_compiled_otherwise() -> None:
    missing = [pattern for pattern in HOOK["modules"] + HOOK["sources"] if not files([pattern])]
    assert not missing, f"pyproject.toml, modules or sources of the compiled build: there is no {missing}"
    assert set(files(HOOK["sources"])) < set(files(HOOK["modules"]))


def test_an_ordinary_build_compiles_nothing() -> None:
    assert HOOK["enable-by-default"] is False


def test_what_is_compiled_stays_what_it_is() -> None:
    # mypyc drops what is said of a class beside its bases, `python -m` needs a source, and a compiled file's name is another.
    for path in set(files(HOOK["modules"])) - set(files(HOOK["sources"])):
        text = path.read_text(encoding="utf-8")
        if "(msgspec.Struct" in text:  # stays a source
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                assert not node.keywords, f"{path}:{node.lineno} {node.name}: name its module in sources"
            elif isinstance(node, ast.Name):
                assert node.id not in ("__name__", "__file__"), f"{path}:{node.lineno}: name it in sources"


def test_what_strategies_of_others_derive_from_is_not_compiled() -> None:
    sources = {path.relative_to(ROOT).as_posix() for path in files(HOOK["sources"])}
    assert {"pipeline/strategy/base.py", "pipeline/strategy/quoter.py", "pipeline/strategy/spread.py"} <= sources
