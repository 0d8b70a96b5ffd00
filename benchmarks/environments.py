"""Environments of other engines: each has its own interpreter and packages, so that nothing of theirs is installed beside Polybot.

``uv`` makes them when they are first asked for, under ``benchmarks/.peers``; where that cannot be (no network, no uv), the reason is told.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
MADE = HERE / ".peers"
LIMIT_S = 300


@dataclass(frozen=True)
class Peer:
    """Another engine: the script that plays the tape on it, and what its environment has."""

    name: str
    script: str
    packages: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name and version."""
        return self.packages[0].replace("==", " ")


NAUTILUS = Peer("nautilus_trader", "nautilus.py", ("nautilus_trader==1.221.0", "msgspec==0.22.0"))
BASANA = Peer("basana", "basana_dispatcher.py", ("basana==1.11", "msgspec==0.22.0"))
HFTBACKTEST = Peer("hftbacktest", "hft_bound.py", ("hftbacktest==2.4.4", "numpy==2.2.6", "numba==0.68.1"))
PEERS = (NAUTILUS, BASANA, HFTBACKTEST)


class PeerMissing(Exception):
    """The engine is not there and cannot be installed."""


def interpreter(peer: Peer, ready: Path | None = None) -> Path:
    """The interpreter of a peer's environment; made if it is not there. ``ready`` is a folder of environments. Raises PeerMissing."""
    place = (ready or MADE) / peer.name
    python = python_of(place.absolute())
    pins = place / "pins.json"
    if ready is not None:
        if not python.is_file():
            raise PeerMissing(f"no environment in {place}")
        return python
    if not pins.is_file() or json.loads(pins.read_text()) != list(peer.packages):
        uv = shutil.which("uv")
        if uv is None:
            raise PeerMissing("uv is not installed, which makes its environment")
        _run(peer, uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place))
        _run(peer, uv, "pip", "install", "--quiet", "--python", str(python), *peer.packages)
        pins.write_text(json.dumps(peer.packages))
    return python


def play(peer: Peer, python: Path, *words: str) -> dict[str, Any]:
    """What the peer's script tells of one run, in a process of its own. Raises PeerMissing if it fails."""
    told = _run(peer, str(python), "-I", str(HERE / "peers" / peer.script), *words)
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


def _run(peer: Peer, *words: str) -> str:
    try:
        # Away from the project, whose constraints are not theirs.
        done = subprocess.run(words, capture_output=True, text=True, timeout=LIMIT_S, cwd=tempfile.gettempdir())
    except subprocess.TimeoutExpired:
        raise PeerMissing(f"{Path(words[0]).name} {words[1]} took more than {LIMIT_S} s") from None
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["it said nothing"]
        raise PeerMissing(said[-1].strip())
    return done.stdout


def python_of(place: Path) -> Path:
    """The interpreter of an environment."""
    return place / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
