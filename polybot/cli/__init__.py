"""The command line: ``polybot`` and ``python -m polybot.cli``. Commands are listed in ``contents.py`` and imported when used."""

from __future__ import annotations

import importlib
import sys
from io import TextIOWrapper
from typing import Any

import click

from pipeline.base.errors import BadInput, Interrupted, PolybotError
from pipeline.base.printable import printable
from polybot.cli.contents import COMMANDS, HEADINGS, Row


class Contents(click.Group):
    """A group that reads like a table of contents and imports a command only when it is wanted."""

    def __init__(self, rows: tuple[Row, ...], **settings: Any) -> None:
        super().__init__(**settings)
        self.rows = {row.name: row for row in rows}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        row = self.rows.get(cmd_name)
        if row is None:
            return None
        command = importlib.import_module(f"polybot.cli.{row.module}").command
        if not isinstance(command, click.Command):
            raise TypeError(f"polybot.cli.{row.module}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.rows)
        for heading in HEADINGS:
            with formatter.section(heading):
                formatter.write_dl([(row.name.ljust(width), row.help) for row in self.rows.values() if row.heading == heading])

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Read the options before the command."""
        try:
            return super().make_context(*args, **kwargs)
        except click.UsageError as error:
            raise _in_one_line(error) from None

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; Ctrl-C is an error like others, for commands that do not take it as their normal end."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted("interrupted") from None
        except click.UsageError as error:
            raise _in_one_line(error) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line; what Polybot refuses is one line on standard error and the error's exit code."""
        try:
            return super().main(*args, **kwargs)
        except PolybotError as error:
            click.echo(f"polybot: {printable(str(error))}", err=True)
            sys.exit(error.exit_code)


def _in_one_line(error: click.UsageError) -> Exception:
    """An option or argument that cannot be used is refused like everything else; no argument at all still shows the help."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error
    words = error.ctx.command_path.split()[1:] if error.ctx is not None else []
    path = " ".join(["polybot", *words])
    return BadInput(f"{' '.join(error.format_message().split()).rstrip('.')}; `{path} --help` explains it")


@click.group(
    cls=Contents,
    rows=COMMANDS,
    epilog="polybot COMMAND --help explains a command, with an example.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    help="What to log on standard error.",
)
@click.version_option(package_name="polybot", message="polybot %(version)s")
def main(log_level: str) -> None:
    """Polybot: a trading pipeline for Polymarket, on paper.

    \b
    Example:
      polybot up --for 20
      polybot status
    """
    from pipeline.base.log import set_up_logging
    from pipeline.base.private import keep_private
    from pipeline.base.redaction import redact_tracebacks

    keep_private()
    redact_tracebacks()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            # A question may hold letters that a pipe's code page lacks.
            stream.reconfigure(errors="replace")
    set_up_logging(log_level, sys.stderr)
