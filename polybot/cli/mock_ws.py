"""``polybot mock-ws``: a JSON lines file as a websocket stream."""

from __future__ import annotations

from pathlib import Path

import click

from polybot.cli.output import counted


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=9000, show_default=True, help="Port to listen on; 0 takes a free one."
)
@click.option("--interval-ms", type=click.IntRange(min=0), default=0, show_default=True, help="Wait between two messages.")
def command(file: Path, host: str, port: int, interval_ms: int) -> None:
    """Serve each line of FILE as one message to whoever connects, then close normally. Ctrl-C ends it.

    \b
    Example:
      polybot mock-ws recordings/sample.jsonl --port 9000
    """
    from pipeline.fake_venue.mock_ws import MockStream, read_lines

    stream = MockStream(read_lines(file), host, port, interval_ms)
    click.echo(f"serving {counted(len(stream.lines), 'message')} of {file} on {stream.url}; Ctrl-C ends it")
    try:
        stream.run()
    except KeyboardInterrupt:
        stream.stop()
