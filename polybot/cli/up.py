"""``polybot up``: the whole pipeline under the supervisor, with a live view and a summary."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.base.clock import monotonic_ns
from pipeline.base.config import load_config
from pipeline.base.errors import CrashLoop
from pipeline.base.log import set_up_logging
from pipeline.base.units import NS_PER_MS, NS_PER_S
from pipeline.bus.topology import GATEWAY, SUPERVISOR
from polybot.cli.live_model import PipelineModel
from polybot.cli.onlooker import Onlooker
from polybot.cli.options import config_option
from polybot.cli.up_plan import Asked, UpPlan, plan_up
from polybot.cli.up_summary import print_summary, read_stored, summarise
from processes.child_output import FileOutput, role_stream
from processes.options import new_session_id
from processes.stop_signals import StopSignals
from processes.supervisor import Supervisor

if TYPE_CHECKING:
    from polybot.cli.live_view import LiveView

_WATCHED = ("universe", "book", "exec")
_TURN_MS = 50
_DRAW_NS = 250 * NS_PER_MS
_PLAIN_NS = 2 * NS_PER_S
_SETTLE_NS = NS_PER_S


class _Speed(click.ParamType[Decimal]):
    name = "number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            speed = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value} is not a number")
        if not speed.is_finite() or speed <= 0:
            self.fail(f"{value} is not above 0")
        return speed


@click.command()
@click.option("--venue", default="fake", show_default=True, metavar="VENUE", help="fake, polymarket or recording:PATH.")
@click.option("--market", "markets", multiple=True, metavar="SLUG", help="Follow this market only. May be repeated.")
@click.option(
    "--for", "seconds", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="End by itself after this time."
)
@click.option("--speed", type=_Speed(), metavar="N", help="Pace of a recording: 1 is as it was, 10 ten times as fast.")
@click.option(
    "--port", type=click.IntRange(1, 65_535), help="Port of the fake venue. Default: the configured one, or a free one."
)
@click.option("--db-url", metavar="URL", help="Database. Default: polybot-fake.db for the fake venue, else [db] url.")
@click.option(
    "--state-dir", type=click.Path(path_type=Path), metavar="DIR", help="Where journals, logs, recordings and locks are kept."
)
@click.option("--procfile", type=click.Path(path_type=Path), metavar="FILE", help="The roles to run, instead of the usual ones.")
@click.option("--fused", is_flag=True, help="One process from the feed to the orders: the least delay, less isolation.")
@click.option("--plain", is_flag=True, help="Short lines instead of the live view.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON; everything else goes to standard error.")
@config_option
def command(
    venue: str,
    markets: tuple[str, ...],
    seconds: float | None,
    speed: Decimal | None,
    port: int | None,
    db_url: str | None,
    state_dir: Path | None,
    procfile: Path | None,
    fused: bool,
    plain: bool,
    as_json: bool,
    config_path: Path | None,
) -> None:
    """Run the whole pipeline on paper, with a live view, until Ctrl-C; a recording ends by itself.

    \b
    Example:
      polybot up --for 20
      polybot up --fused --for 20
      polybot up --venue recording:var/runs/20260101-120000-1f/recording --speed 10
      polybot up --venue polymarket --market fed-decision-in-january
    """
    asked = Asked(venue, markets, speed, db_url, state_dir, port, procfile, fused)
    plan = plan_up(asked, load_config(config_path), new_session_id())
    live = sys.stdout.isatty() and not plain and not as_json
    Session(plan, live=live, as_json=as_json, seconds=seconds).run()


class Session:
    """One ``up``, from the first process to the summary."""

    def __init__(self, plan: UpPlan, *, live: bool, as_json: bool, seconds: float | None) -> None:
        self.plan = plan
        self.model = PipelineModel()
        self._recorded = plan.config.settings.venue.name == "recording"
        self._live = live
        self._as_json = as_json
        self._duration_ns = None if seconds is None else int(seconds * NS_PER_S)
        self._began_ns = monotonic_ns()
        self._ended_ns = 0
        self._told: set[str] = set()

    @property
    def seconds(self) -> int:
        """Since the start."""
        return (monotonic_ns() - self._began_ns) // NS_PER_S

    def run(self) -> None:
        """Run until the time is over or somebody says stop, then show the summary. Raises CrashLoop after it, BadInput at once."""
        settings, session_id = self.plan.config.settings, self.plan.session_id
        failure: CrashLoop | None = None
        seconds = 0
        with StopSignals() as told:
            output = FileOutput(Path(settings.bus.state_dir) / "runs" / session_id)
            supervisor = Supervisor(self.plan.commands, self.plan.config, session_id, output, hurry=lambda: told.insists)
            self._say(f"{self.plan.title}; logs in {supervisor.run_dir}" + (f"; {self.plan.note}" if self.plan.note else ""))
            set_up_logging(settings.log.level, role_stream(output, SUPERVISOR), role=SUPERVISOR)
            try:
                with supervisor, Onlooker(_WATCHED, settings.bus) as look:
                    try:
                        with ExitStack() as screen:
                            # Only here, as the processes start meanwhile.
                            from polybot.cli.live_view import LiveView

                            view = screen.enter_context(LiveView(self.plan.title)) if self._live else None
                            self._watch(supervisor, look, view, told)
                    finally:
                        seconds = self.seconds
                    click.echo("stopping, the writer last; Ctrl-C again kills at once", err=self._as_json)
            except CrashLoop as error:
                failure = error
            self.model.on_statuses(supervisor.statuses(), monotonic_ns())
        click.echo(supervisor.stopped.told(), err=self._as_json)
        summary = summarise(
            self.model,
            session_id=session_id,
            seconds=seconds,
            stored=read_stored(settings.db.url, session_id),
            db_url=settings.db.url,
            run_dir=str(supervisor.run_dir),
        )
        print_summary(summary, self._as_json)
        if failure is not None:
            raise failure

    def _watch(self, supervisor: Supervisor, look: Onlooker, view: LiveView | None, told: StopSignals) -> None:
        from polybot.cli.live_view import death_lines, plain_line

        shown_ns, had_books = 0, False
        every_ns = _PLAIN_NS if view is None else _DRAW_NS
        while not told.requests:
            supervisor.step(_TURN_MS)
            for arrival in look.receive(0):
                self.model.on_message(arrival.message)
            now_ns = monotonic_ns()
            if view is not None and not had_books and self.model.trusted:
                shown_ns, had_books = 0, True
            if self._duration_ns is not None and now_ns - self._began_ns >= self._duration_ns:
                return
            if now_ns - shown_ns < every_ns:
                continue
            shown_ns = now_ns
            if self._played_out(now_ns):
                return
            self.model.on_statuses(supervisor.statuses(), now_ns)
            if view is not None:
                view.draw(self.model, self.seconds, self.model.latest_ns if self._recorded else time.time_ns())
            else:
                for line in death_lines(self.model):
                    if line not in self._told:
                        self._told.add(line)
                        self._say(line)
                self._say(plain_line(self.model, self.seconds))

    def _played_out(self, now_ns: int) -> bool:
        """A recording has ended, and what came last has had its time to reach the database."""
        if not self._recorded or not self.model.total(GATEWAY, "feed_ended"):
            return False
        self._ended_ns = self._ended_ns or now_ns
        return now_ns - self._ended_ns >= _SETTLE_NS

    def _say(self, line: str) -> None:
        """Progress: to standard output, which a summary in JSON has for itself; nothing while the live view owns the screen."""
        if not self._live:
            click.echo(line, err=self._as_json)
