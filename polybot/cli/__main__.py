"""``python -m polybot.cli`` is the same program as ``polybot``."""

from __future__ import annotations

from polybot.cli import main

if __name__ == "__main__":
    main(prog_name="polybot")
