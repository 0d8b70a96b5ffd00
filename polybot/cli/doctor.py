"""``polybot doctor``: what is fine, what is not, and what to do about it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from pipeline.base.errors import BadInput
from polybot.cli.options import config_option, json_option
from polybot.cli.output import Styled, print_json, print_table
from polybot.doctor.finding import Status

EXIT_PROBLEM = 1
_STYLES: dict[Status, str] = {"ok": "green", "warning": "yellow", "problem": "bold red", "unknown": "dim"}


@click.command()
@click.option("--db-url", metavar="URL", help="Database. Default: that of the last session, else [db] url of the configuration.")
@click.option(
    "--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="State directory. Default: [bus] state_dir, ./var."
)
@click.option("--offline", is_flag=True, help="Do not ask the venue for its time.")
@json_option
@config_option
def command(db_url: str | None, state_dir: Path | None, offline: bool, as_json: bool, config_path: Path | None) -> None:
    """Examine this installation: Python, packages, configuration, clock, ports, disks, permissions, session, locks, database,
    feed, journals. Nothing is changed, whether a pipeline runs, has ended or was killed.

    A finding is ok, a warning (it heals by itself, or works but should not be so), a problem, or unknown. The exit code is 0 without
    a problem, 1 with one, 2 if what was asked for is not there.

    \b
    Example:
      polybot doctor
      polybot doctor --state-dir ./var --db-url sqlite:///./polybot-fake.db --json
    """
    from polybot.doctor.examine import examine

    if state_dir is not None and not state_dir.is_dir():
        raise BadInput(f"--state-dir {state_dir}: there is no such folder")
    findings = examine(config_path, state_dir, db_url, offline)
    counts = Counter(finding.status for finding in findings)
    if as_json:
        told = [{"check": f.check, "status": f.status, "text": f.text, "todo": f.todo} for f in findings]
        print_json({"findings": told, "counts": {status: counts[status] for status in _STYLES}, "ok": not counts["problem"]})
    else:
        rows = [(f.check, Styled(f.status, _STYLES[f.status]), f.text, f.todo) for f in findings]
        print_table(("check", "status", "found", "what to do"), rows)
        click.echo()
        click.echo(", ".join(f"{counts[status]} {status}" for status in _STYLES if counts[status]))
    if counts["problem"]:
        click.get_current_context().exit(EXIT_PROBLEM)
