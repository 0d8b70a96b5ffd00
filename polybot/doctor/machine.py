"""The machine: Python, packages, room on the disks, who may read our files."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

from pipeline.base.code import is_compiled
from pipeline.base.config import LAYERS, find_config
from pipeline.base.errors import ConfigError
from pipeline.store.url import path_of_url
from polybot.doctor.finding import Finding, Patient, show_bytes

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9._-]+)(?:\[[^]]*\])?\s*(?:>=\s*([0-9][0-9A-Za-z.]*))?[^;]*(?:;(.*))?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")
_LITTLE_ROOM = 1_000_000_000
_ROOT = Path(__file__).resolve().parents[2]


def python_findings() -> Iterator[Finding]:
    """The interpreter against what the package requires."""
    running = ".".join(map(str, sys.version_info[:3]))
    wanted = importlib.metadata.metadata("polybot").json.get("requires_python", "")
    wanted = wanted if isinstance(wanted, str) else ""
    least = wanted.removeprefix(">=").strip()
    if least and _parts(running) < _parts(least):
        yield Finding("python", "problem", f"Python {running}; Polybot needs {wanted}", f"install Python {least} or newer")
    else:
        build = "compiled" if is_compiled() else "not compiled"
        yield Finding("python", "ok", f"Python {running}, which fits {wanted or 'Polybot'}; Polybot is {build}")


def package_findings() -> Iterator[Finding]:
    """Each required package: there, new enough, and in a checkout the version that is tested with."""
    needed = [_parsed(line) for line in importlib.metadata.requires("polybot") or ()]
    pins = _pins()
    fine, missing_extras = 0, dict[str, list[str]]()
    for name, least, extra in needed:
        version = _version(name)
        if version is None and extra:
            missing_extras.setdefault(extra, []).append(name)
        elif version is None:
            yield Finding("packages", "problem", f"{name} is not installed", "run `uv sync`, or `pip install polybot` again")
        elif least and _parts(version) < _parts(least):
            yield Finding(
                "packages",
                "problem",
                f"{name} {version} is older than {least}",
                f"run `uv sync`, or `pip install '{name}>={least}'`",
            )
        elif pins.get(name, version) != version:
            yield Finding("packages", "warning", f"{name} {version} is not {pins[name]}, which is tested with", "run `uv sync`")
        else:
            fine += 1
    yield Finding("packages", "ok", f"{fine} packages are as required")
    for extra, names in sorted(missing_extras.items()):
        yield Finding(
            "packages", "ok", f"extra {extra} ({', '.join(names)}) is not installed", f"`uv sync --extra {extra}` if wanted"
        )


def disk_findings(patient: Patient) -> Iterator[Finding]:
    """Room on the disks of the database, the state directory and the recordings in it; one finding a disk."""
    places: dict[int, tuple[Path, list[str]]] = {}
    database = path_of_url(patient.db_url)
    wanted = [("state directory", patient.state_dir), ("recordings", patient.state_dir / "runs")]
    for name, path in [*wanted, *([("database", database)] if database is not None else [])]:
        there = _existing(path)
        try:
            places.setdefault(there.stat().st_dev, (there, []))[1].append(name)
        except OSError as error:
            yield Finding("disk", "unknown", f"{name}: {there} cannot be looked at: {error.strerror}")
    least = patient.settings.bus.min_free_mb * 1_000_000
    for path, names in places.values():
        free = shutil.disk_usage(path).free
        text = f"{show_bytes(free)} free for {', '.join(names)}"
        if free < least:
            yield Finding(
                "disk", "problem", f"{text}; no order is placed below {show_bytes(least)}", "make room, then trading goes on"
            )
        elif free < _LITTLE_ROOM:
            yield Finding("disk", "warning", text, "make room: `polybot db prune`, or lower [supervisor] runs_days")
        else:
            yield Finding("disk", "ok", text)


def permission_findings(patient: Patient, config_path: Path | None) -> Iterator[Finding]:
    """Files and folders that others may read."""
    if os.name != "posix":
        yield Finding("permissions", "unknown", "this platform shows no permissions of others")
        return
    database = path_of_url(patient.db_url)
    looked, open_to_others = 0, False
    for path in (patient.state_dir, database, *_secret_files(config_path)):
        if path is None or not path.exists():
            continue
        looked += 1
        status = path.stat()
        if status.st_mode & 0o077:
            open_to_others = True
            secret = path.name == LAYERS[2]
            fix = f"chmod {'700' if path.is_dir() else '600'} {path}"
            text = f"others may look into {path} ({status.st_mode & 0o777:o})"
            yield Finding("permissions", "problem" if secret else "warning", text, fix)
        elif status.st_uid != os.getuid():
            open_to_others = True
            yield Finding(
                "permissions", "problem", f"{path} belongs to user {status.st_uid}", "run as that user, or give it back"
            )
    if not open_to_others:
        yield Finding("permissions", "ok", f"{looked} places are their owner's only" if looked else "nothing is there yet")


def _secret_files(config_path: Path | None) -> list[Path]:
    try:
        place = find_config(config_path)
    except ConfigError:
        return []
    return [place / LAYERS[2]] if place.is_dir() else []


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _parsed(requirement: str) -> tuple[str, str, str]:
    """(name, least version or "", extra or "") of a requirement."""
    match = _REQUIREMENT.match(requirement)
    if match is None:
        return requirement, "", ""
    extra = _EXTRA.search(match[3] or "")
    return match[1], match[2] or "", extra[1] if extra else ""


def _parts(version: str) -> tuple[int, ...]:
    """A version's leading numbers."""
    parts = []
    for part in version.split("."):
        number = re.match(r"\d+", part)
        if number is None:
            break
        parts.append(int(number[0]))
    while parts and not parts[-1]:
        parts.pop()
    return tuple(parts)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pins() -> dict[str, str]:
    """The versions that a checkout is tested with; none beside an installed package."""
    try:
        project = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}
    lines = project.get("tool", {}).get("uv", {}).get("constraint-dependencies", [])
    return dict(line.split("==", 1) for line in lines if "==" in line)
