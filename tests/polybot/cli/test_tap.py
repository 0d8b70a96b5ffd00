"""`polybot tap`: listens to a live stream, prints what passes, and refuses what only one may hear."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zmq
from click.testing import CliRunner

from pipeline.base.settings import BusSection
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import STREAM
from pipeline.bus.transport import choose_transport, socket_folder
from pipeline.bus.wires import Subscribed, Wires
from pipeline.messages.market import BookSnapshot, Level
from pipeline.messages.orders import ExecSnapshot, OpenOrder
from polybot.cli import tap
from polybot.cli.onlooker import TAPPABLE, Onlooker

BOOK = BookSnapshot(
    ts_ns=1_764_000_000_250_000_000, token_id="t1", market="m", tick_size_e6=10_000, bids=(Level(410_000, 2_500_000),), asks=(),
    seq=3, venue_ns=0, state="SUSPECT", basis="none", reason="hash differs",
)  # fmt: skip


def run(*args: str):
    return CliRunner().invoke(tap.command, list(args), catch_exceptions=True)


@pytest.mark.parametrize(
    ("stream", "complaint"),
    [
        ("nonsense", "there is no stream nonsense; can be tapped: universe, control, feed, book, exec, committed"),
        (
            "command",
            "stream command goes to executor alone and cannot be tapped; can be: universe, control, feed, book, exec, committed",
        ),
    ],
)
def test_a_stream_that_cannot_be_tapped_is_refused_with_those_that_can(stream, complaint):
    assert str(run(stream).exception) == complaint


def test_every_tappable_stream_can_be_looked_at(tmp_path):
    section = BusSection(state_dir=str(tmp_path))
    for stream in TAPPABLE:
        with Onlooker([stream], section, every_message=True) as look:
            assert look.receive(0) == []
    socket_folder(tmp_path).rmdir()


def test_a_message_on_one_line_for_a_person():
    assert tap.text_line(Arrival("book", "book_builder", "r", 9, BOOK)) == (
        "16:00:00.250 BookSnapshot t1 bid 0.41 x 2.5 ask - SUSPECT (hash differs) seq=3"
    )
    order = OpenOrder("o", "s", "t1", "m", "BUY", 1, 2, 0, "live", 5)
    snapshot = ExecSnapshot(ts_ns=0, accepts=True, halted=False, mode="fake", orders=(order,), positions=())
    assert tap.text_line(Arrival("exec", "executor", "r", 1, snapshot)).startswith(
        '00:00:00.000 ExecSnapshot accepts=true halted=false mode=fake orders=[1] positions=[0] reason=""'
    )


def test_json_has_every_field_by_its_name():
    line = json.loads(tap.json_line(Arrival("book", "book_builder", "r", 9, BOOK)))
    assert (line["stream"], line["kind"], line["producer"], line["run_id"]) == ("book", "BookSnapshot", "book_builder", "r")
    assert line["bids"] == [{"price_e6": 410_000, "size_e6": 2_500_000}]


def test_it_gets_the_current_state_and_ends_after_the_count(tmp_path):
    transport = choose_transport(BusSection(state_dir=str(tmp_path), base_port=27_400))
    context = zmq.Context()
    try:
        with Wires("book_builder", Identity("s", "r", "book_builder"), transport, context, only=["book"]) as wires:
            printed = _tap_while_publishing(wires, tmp_path)
    finally:
        context.destroy(linger=0)
    assert [json.loads(line)["token_id"] for line in printed.splitlines()] == ["t1", "t1"]


def _tap_while_publishing(wires: Wires, state_dir: Path) -> str:
    """Run a tap in a thread of its own while this one plays the publisher."""
    import threading

    results: list[str] = []
    config = state_dir / "config.toml"
    config.write_text(f"[bus]\nstate_dir = '{state_dir}'\n")
    args = ("book", "--key", "t1", "--count", "2", "--json", "--config", str(config))
    thread = threading.Thread(target=lambda: results.append(run(*args).stdout))
    thread.start()
    while thread.is_alive():
        for item in wires.receive(20, 10):
            if isinstance(item, Subscribed) and item.topic == "book.t1\0":
                for token in ("t2", "t1", "t10", "t1"):
                    wires.send(
                        STREAM["book"],
                        BookSnapshot(**{name: getattr(BOOK, name) for name in BOOK.__struct_fields__} | {"token_id": token}),
                    )
    thread.join()
    return results[0]
