"""The other end of a round trip through ``Wires``: answers each change of the feed on the way back that the book builder has."""

from __future__ import annotations

import sys
from pathlib import Path

import zmq

from benchmarks.samples import MARKET, TOKEN, TS_NS
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import BOOK_BUILDER, STREAM
from pipeline.bus.transport import Transport
from pipeline.bus.wires import Wires
from pipeline.messages.control import BookWanted, EndOfStream


def main(folder: str) -> None:
    """Answer until the stream ends."""
    stream = STREAM["resync"]
    answer = BookWanted(ts_ns=TS_NS, token_id=TOKEN, market=MARKET, cause="subscribed")
    transport = Transport("ipc", socket_dir=Path(folder))
    identity = Identity("bench", "run-2", BOOK_BUILDER)
    with zmq.Context() as context, Wires(BOOK_BUILDER, identity, transport, context, only=("feed", "resync")) as wires:
        while True:
            for item in wires.receive(1_000, 100):
                if type(item) is not Arrival:
                    continue
                if type(item.message) is EndOfStream:
                    return
                wires.send(stream, answer)


if __name__ == "__main__":
    main(sys.argv[1])
