"""The optional compiled build: the same modules, turned into C by mypyc. See docs/compiled.md.

Which modules: ``[tool.hatch.build.targets.wheel.hooks.custom]`` in pyproject.toml. Their sources stay in the wheel beside the compiled
files, which Python prefers.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OPTIONS = ("--ignore-missing-imports", "--no-warn-unused-ignores")
"""The packages of the extras need not be there to build."""
STRUCT = "(msgspec.Struct"


class CompiledBuild(BuildHookInterface):  # type: ignore[type-arg]
    """Adds the compiled modules to a wheel. An editable install has sources only."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile before the wheel is written."""
        if version == "editable":
            return
        root = Path(self.root)
        self._made = tempfile.TemporaryDirectory(prefix="polybot-compiled-")
        into = Path(self._made.name)
        for path in compiled(root, modules(root, self.config["modules"], self.config["sources"]), into):
            build_data["force_include"][str(path)] = path.relative_to(into / "lib").as_posix()
        build_data["pure_python"], build_data["infer_tag"] = False, True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove what is in the wheel now."""
        if version != "editable":
            self._made.cleanup()


def modules(root: Path, wanted: Sequence[str], sources: Sequence[str]) -> list[str]:
    """The files of the patterns ``wanted`` without those of ``sources``, in order. Raises ValueError for a pattern without a file.

    A module with a struct of msgspec stays a source too: mypyc drops what is said of a class beside its bases (frozen, tag, gc).
    """
    found: list[set[str]] = []
    for patterns in (wanted, sources):
        paths: set[str] = set()
        for pattern in patterns:
            files = {path.relative_to(root).as_posix() for path in root.glob(pattern)}
            if not files:
                raise ValueError(f"pyproject.toml: {pattern}: there is no such module")
            paths |= {name for name in files if not name.endswith("/__init__.py")}
        found.append(paths)
    return sorted(path for path in found[0] - found[1] if STRUCT not in (root / path).read_text(encoding="utf-8"))


def compiled(root: Path, files: Sequence[str], into: Path) -> list[Path]:
    """Compile the files of ``root`` into the folder ``lib`` of ``into``; returns what was made. Takes minutes and a C compiler."""
    from mypyc.build import mypycify
    from setuptools import Distribution

    before = Path.cwd()
    os.chdir(root)  # names of modules follow from paths below the current folder
    try:
        extensions = mypycify(
            [*OPTIONS, f"--cache-dir={into / 'mypy'}", *files],
            opt_level="2",
            debug_level="0",
            multi_file=True,
            target_dir=str(into / "c"),
            group_name="polybot",
        )
        command = Distribution({"name": "polybot", "ext_modules": extensions}).get_command_obj("build_ext")
        command.build_lib, command.build_temp = str(into / "lib"), str(into / "o")
        command.ensure_finalized()
        command.run()
        return [Path(path) for path in command.get_outputs()]
    finally:
        os.chdir(before)
