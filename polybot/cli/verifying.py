"""``polybot replay --verify``: a session asked again, and whether it says the same."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.base.errors import BadInput, Interrupted
from polybot.cli.output import Cell, Progress, print_json, print_table

if TYPE_CHECKING:
    from pipeline.bus.input_replay import LifeResult


class _Nowhere(io.StringIO):
    """What stages log while they are asked again was logged when it happened."""

    def write(self, text: str) -> int:
        return len(text)


def verify_session(
    run: str, state_dir: Path | None, config_path: Path | None, params: Sequence[str], db_url: str, as_json: bool
) -> None:
    """Print what verifying gave; ends with exit code 1 unless all is identical. Raises BadInput for a session that cannot be verified.

    ``db_url``: where the session's database is now; "" for where its configuration has it.
    """
    from pipeline.base.config import load_config
    from pipeline.base.log import set_up_logging
    from pipeline.store.commits import ScratchFailed
    from polybot.verifying.session import open_session
    from polybot.verifying.verify import verify
    from polybot.verifying.words import as_json as in_json
    from polybot.verifying.words import compared, summary, told

    folder = state_dir or Path(load_config(config_path).settings.bus.state_dir)
    session = open_session(folder, run, params)
    set_up_logging("error", _Nowhere())
    with Progress(f"verifying {session.id}", unit="events") as progress:
        try:
            report = verify(session, lambda role, events: progress.show(events), db_url)
        except ScratchFailed as error:
            raise BadInput(f"{error}; TMPDIR names another place") from None
        except KeyboardInterrupt:
            raise Interrupted(f"verifying {session.id} was interrupted; nothing was changed") from None
    if as_json:
        print_json(in_json(report))
    else:
        rows = [_row(life) for life in report.lives]
        columns = ["role", "life", "inputs", "timers", "messages", "decisions", "intents", "states", "end", "verdict"]
        print_table(columns, rows)
        for run_id in report.empty:
            click.echo(f"{run_id} died before it noted anything")
        click.echo(compared(report))
        for line in told(report):
            click.echo(line)
        click.echo(summary(report))
    if not report.is_identical:
        sys.exit(1)


def check_alone(given: Sequence[tuple[str, object]]) -> None:
    """Refuse what belongs to loading a file. Raises BadInput."""
    for name, value in given:
        if value is not None:
            raise BadInput(f"--verify replays a session of `up`; leave {name} out")


def _row(life: LifeResult) -> list[Cell]:
    """A life in the table."""
    verdict = "differs" if life.divergence is not None else "not whole" if life.faults else "identical"
    end = "stopped" if life.ended else None if life.divergence is not None else "killed"
    figures = (life.inputs, life.timers, life.messages, life.decisions, life.intents, life.states)
    return [life.head.role, life.head.run_id.rpartition(".")[2], *figures, end, verdict]
