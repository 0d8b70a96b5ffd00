"""The offline venue as a process: it serves its own market, or a recording, or writes a recording without serving anything."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from pipeline.base import events
from pipeline.base.clock import SystemClock
from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.log import get_logger, set_up_logging
from pipeline.base.private import state_folder
from pipeline.base.settings import FakeVenueSection
from pipeline.base.units import NS_PER_S, ONE_E6
from pipeline.fake_venue.exchange import ExchangePlan, FakeExchange
from pipeline.fake_venue.holdings import NAME as HOLDINGS
from pipeline.fake_venue.server import FakeVenueServer, ServerOptions
from pipeline.fake_venue.session import record_session
from pipeline.fake_venue.source import Source
from pipeline.fake_venue.tape import TapeSource, Timed
from pipeline.messages.edges import RawFrame
from pipeline.recording.source import FrameSource, open_frames
from pipeline.recording.writer import RecordingWriter
from processes.options import new_run_id, process_options, stop_when_told

ROLE = "fake_venue"
SETTINGS = {"rate": "rate_per_s", "resolve_after": "resolve_after_s"}
RECORDED_FROM_NS = 1_780_000_000 * NS_PER_S
"""Event time of the first frame of a recording made without a clock: 2026-05-28 20:26:40 UTC."""


@click.command()
@click.option("--host", help="The loopback address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), help="The port; 0 takes any free one.")
@click.option("--seed", type=int, help="The same seed gives the same market.")
@click.option("--rate", type=click.IntRange(1), help="Mean price_change frames a second, over all markets.")
@click.option("--resolve-after", type=click.IntRange(0), help="End the last single market after so many seconds; 0: never.")
@click.option("--decoys/--no-decoys", default=None, help="Whether to list events that look like Dutch Books and are none.")
@click.option("--recording", type=click.Path(path_type=Path), help="Serve this recording instead of the invented market.")
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), default=1.0, help="How much faster than it was recorded.")
@click.option(
    "--record-to", type=click.Path(path_type=Path), help="Serve nothing; write a recording into this folder, at full speed."
)
@click.option(
    "--for", "seconds", type=click.IntRange(1), default=600, show_default=True, help="Seconds of market time to record."
)
@process_options
def main(
    config: Config,
    session_id: str,
    recording: Path | None,
    speed: float,
    record_to: Path | None,
    seconds: int,
    **given: Any,
) -> None:
    """Serve an offline Polymarket on loopback.

    Example: python -m processes.fake_venue --port 8765 --seed 1 --rate 150
    """
    named = {SETTINGS.get(key, key): value for key, value in given.items() if value is not None}
    config = config.with_values({ROLE: named}, "command line")
    settings = config.settings.fake_venue
    set_up_logging(config.settings.log.level, role=ROLE, run_id=new_run_id(session_id, ROLE))
    if record_to is not None:
        lines = write_recording(settings, record_to, seconds)
        click.echo(f"wrote {lines} lines, {seconds} s of market time, to {record_to}")
        return
    taped = recording or (Path(settings.recording) if settings.recording else None)
    state_dir = Path(config.settings.bus.state_dir)
    state_folder(state_dir)
    serve(settings, taped, Decimal(str(speed)), state_dir / HOLDINGS)


def serve(settings: FakeVenueSection, recording: Path | None, speed: Decimal, holdings: Path | None = None) -> None:
    """Serve until told to stop. Raises PortInUse, and BadInput for a recording or a file of holdings that cannot be used."""
    clock = SystemClock()
    source: Source
    if recording is not None:
        frames = open_frames(recording)
        source = TapeSource(timed_frames(frames), frames.markets, clock.now_ns(), speed)
        if source.next_ns() is None:
            raise BadInput(f"{recording}: holds no frame of a websocket; give a recording of the market channel")
    else:
        source = FakeExchange(plan_of(settings), clock.now_ns())
    cash_e6 = settings.starting_balance * ONE_E6
    options = ServerOptions(
        host=settings.host,
        port=settings.port,
        waits_for_reader=recording is not None,
        start_cash_e6=cash_e6,
        holdings=holdings,
    )
    server = FakeVenueServer(source, clock, options)
    stop = stop_when_told()
    threading.Thread(target=_stop_when, args=(stop, server), daemon=True).start()
    log = get_logger()
    log.info(
        events.FAKE_VENUE_LISTENING, url=server.url, ws_url=server.ws_url, markets=len(source.listings()), seed=settings.seed
    )
    server.run()
    log.info(events.PROCESS_STOPPED)


def _stop_when(told: threading.Event, server: FakeVenueServer) -> None:
    told.wait()
    server.stop()


def write_recording(settings: FakeVenueSection, folder: Path, seconds: int) -> int:
    """Record the invented market from a fixed time on: the same settings give the same bytes. Raises BadInput for a folder in use."""
    if folder.exists() and any(folder.iterdir()):
        raise BadInput(f"--record-to {folder}: is not empty; give a new folder")
    exchange = FakeExchange(plan_of(settings), RECORDED_FROM_NS)
    writer = RecordingWriter(folder, venue="fake")
    try:
        for msg in record_session(exchange, seconds):
            writer.write(msg)
    finally:
        writer.close()
    return writer.lines


def plan_of(settings: FakeVenueSection) -> ExchangePlan:
    """The exchange that the settings describe."""
    return ExchangePlan(
        seed=settings.seed,
        rate_per_s=settings.rate_per_s,
        binary_markets=settings.binary_markets,
        event_markets=settings.event_markets,
        bursty=settings.bursty,
        decoys=settings.decoys,
        sports_delay_s=settings.sports_delay_s,
        resolve_after_s=settings.resolve_after_s,
    )


def timed_frames(frames: FrameSource) -> Iterator[Timed]:
    """The websocket frames of a recording with the time of their receipt."""
    for msg in frames.messages():
        if isinstance(msg, RawFrame):
            yield msg.ts_ns, msg.data.decode(errors="replace")


if __name__ == "__main__":
    main()
