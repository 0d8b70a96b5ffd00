"""Gateway, book builder, strategy and executor as one process, without a hop between a frame and the order that it leads to.

The writer and the scheduler stay processes of their own: a commit or a catalogue would hold up every book for milliseconds, and what the
executor has journalled is stored by one that does not fall with it. The classes, the journal and the streams to the outside are those of
the six processes, so that `tap`, `halt`, `resume`, `status` and `doctor` find what they look for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import click
import zmq

from pipeline.base import events
from pipeline.base.config import Config
from pipeline.base.errors import PolybotError
from pipeline.base.fault_points import arm_from_environment
from pipeline.base.log import get_logger, set_up_logging
from pipeline.base.memory import settle
from pipeline.base.private import state_folder
from pipeline.bus.edge import AsyncEdge
from pipeline.bus.fused import Fused, FusedPlan
from pipeline.bus.stage import Identity, InlineEdge, Stage
from pipeline.bus.topology import EXECUTOR
from pipeline.bus.transport import choose_transport
from pipeline.venue.relayer_edges import relayer_edges
from processes.book_builder import build as book_builder
from processes.dependencies import FUSED, PLAYS
from processes.executor import build as executor
from processes.gateway import build as gateway
from processes.options import new_run_id, process_clock, process_options, role_lock, runner_options, stop_when_told
from processes.strategy import build as strategy


@dataclass(frozen=True)
class Part:
    """One role with what feeds it; ``source`` is for people."""

    stage: Stage
    edges: Sequence[AsyncEdge] = ()
    inline: Sequence[InlineEdge] = ()
    source: str = ""
    before_leaving: Callable[[], None] | None = None


@dataclass(frozen=True)
class Parts:
    """The four roles, and what ends the recording of the session."""

    parts: tuple[Part, ...]
    close: Callable[[], None] = field(default=lambda: None)


def build(config: Config, session_id: str) -> Parts:
    """The four roles that a configuration describes. Raises BadInput, as they do.

    The gateway keeps no copy of the books, which a book builder that starts again would ask for: they start again together.
    """
    feed = gateway(config, session_id, mirror=False)
    parts = (
        Part(executor(config), relayer_edges(config.settings)),
        Part(strategy(config, session_id)),
        Part(book_builder(config)),
        Part(feed.stage, feed.edges, feed.inline, feed.source, feed.flush),
    )
    return Parts(parts, feed.close)


def run_fused(parts: Sequence[Part], config: Config, session_id: str) -> None:
    """Run the roles as this process until SIGINT, SIGTERM or the end of a supervisor's standard input.

    Raises RoleTaken if another process plays one of them in the same state directory.
    """
    settings = config.settings
    state_dir = Path(settings.bus.state_dir)
    state_folder(state_dir)
    set_up_logging(settings.log.level, role=FUSED, run_id=new_run_id(session_id, FUSED))
    arm_from_environment(EXECUTOR)
    stop = stop_when_told()
    plans = []
    for part in parts:
        role = part.stage.role
        identity = Identity(session_id, new_run_id(session_id, role), role)
        options = runner_options(config, identity, part.source)
        plans.append(FusedPlan(part.stage, identity, options, part.edges, part.inline, part.before_leaving))
    with ExitStack() as held:
        for role in (FUSED, *PLAYS[FUSED]):
            held.enter_context(role_lock(state_dir, role))
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        try:
            fused = Fused(plans, process_clock(config), choose_transport(settings.bus), context)
            settle()
            fused.run(lambda: not stop.is_set())
        except PolybotError:
            raise
        except Exception:
            get_logger().error(events.PROCESS_FAILED, exc_info=True)
            sys.exit(1)
        finally:
            context.destroy(linger=1_000)


@click.command()
@process_options
def main(config: Config, session_id: str) -> None:
    """Take the feed, build the books, decide and carry out orders, all in one process.

    \b
    Example:
      python -m processes.fused --config ./config
    """
    built = build(config, session_id)
    try:
        run_fused(built.parts, config, session_id)
    finally:
        built.close()


if __name__ == "__main__":
    main()
