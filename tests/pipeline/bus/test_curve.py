"""Keys are made once and kept private; over tcp with keys, only who holds them hears anything."""

from __future__ import annotations

import os
import random
import socket as sockets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import zmq

from pipeline.base.errors import BadInput, PortInUse
from pipeline.base.settings import BusSection
from pipeline.bus.curve import PUBLIC, SECRET, CurveKeys, create_keys, read_keys
from pipeline.bus.stage import Arrival, Identity
from pipeline.bus.topology import STREAM, STREAMS
from pipeline.bus.transport import Transport, choose_transport
from pipeline.bus.wires import Wires
from pipeline.messages.control import Heartbeat
from pipeline.messages.orders import CancelEverything

Context = zmq.Context[zmq.Socket[bytes]]
posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")


@pytest.fixture
def contexts() -> Iterator[list[Context]]:
    """Three contexts, as three processes have."""
    found: list[Context] = [zmq.Context() for _ in range(3)]
    yield found
    for context in found:
        context.destroy(linger=0)


@pytest.fixture
def base_port() -> int:
    """A row of ports that is free, below those that systems give to whoever asks for any."""
    draw = random.Random(os.getpid())
    for _ in range(50):
        port = draw.randrange(20_000, 30_000)
        if all(_is_free(port + stream.port) for stream in STREAMS):
            return port
    pytest.skip("no row of free ports")


def _is_free(port: int) -> bool:
    with sockets.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def test_keys_are_written_once(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    made = create_keys(folder)
    assert read_keys(folder) == made
    with pytest.raises(BadInput, match="is there already"):
        create_keys(folder)
    assert read_keys(folder) == made
    assert made.secret.decode() not in repr(made)


@posix
def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    create_keys(tmp_path / "keys")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "keys").iterdir()} == {PUBLIC: 0o600, SECRET: 0o600}


@posix
def test_a_secret_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    create_keys(tmp_path)
    (tmp_path / SECRET).chmod(0o640)
    with pytest.raises(BadInput, match="can be read by others"):
        read_keys(tmp_path)


def test_what_is_no_pair_of_keys_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="polybot keys create"):
        read_keys(tmp_path)
    create_keys(tmp_path)
    (tmp_path / PUBLIC).write_text("short")
    with pytest.raises(BadInput, match="no key of 40"):
        read_keys(tmp_path)
    (tmp_path / PUBLIC).write_bytes(zmq.curve_keypair()[0])
    with pytest.raises(BadInput, match="do not belong together"):
        read_keys(tmp_path)


@pytest.mark.parametrize("host", ["192.168.1.7", "0.0.0.0", "example.org", "10.0.0.1", "::1", "", "8.8.8.8"])
def test_an_address_beyond_this_machine_is_refused_without_keys(host: str, tmp_path: Path) -> None:
    for transport in ("tcp", "ipc"):
        with pytest.raises(BadInput, match="tcp_host"):
            choose_transport(BusSection(transport=transport, tcp_host=host, state_dir=str(tmp_path)))


@pytest.mark.parametrize(("host", "wanted"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("127.3.2.1", "127.3.2.1")])
def test_loopback_needs_no_keys(host: str, wanted: str, tmp_path: Path) -> None:
    found = choose_transport(BusSection(transport="tcp", tcp_host=host, state_dir=str(tmp_path)))
    assert (found.host, found.keys) == (wanted, None)
    assert found.address("feed").startswith(f"tcp://{wanted}:")


def test_keys_open_the_way_to_other_addresses(tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys")
    bus = BusSection(transport="tcp", tcp_host="192.168.1.7", curve_keys=str(tmp_path / "keys"), state_dir=str(tmp_path))
    found = choose_transport(bus)
    assert (found.keys, found.host) == (keys, "192.168.1.7")


def _heard(executor: Wires, sender: Wires, patience_ms: int) -> int:
    """How many of the sender's words reach the executor."""
    for _ in range(patience_ms // 20):
        sender.send(STREAM["operator"], CancelEverything(ts_ns=1, reason="test"))
        found = [item for item in executor.receive(20, 100) if isinstance(item, Arrival)]
        if found:
            return len(found)
    return 0


def test_only_a_peer_with_the_keys_is_heard(contexts: list[Context], base_port: int) -> None:
    ours = CurveKeys(*zmq.curve_keypair())
    guarded = Transport("tcp", base_port=base_port, keys=ours)
    stranger = CurveKeys(*zmq.curve_keypair())
    with Wires("executor", Identity("s", "r", "executor"), guarded, contexts[0], only=("operator",)) as executor:
        without = replace(guarded, keys=None)
        for transport in (without, replace(guarded, keys=stranger)):
            with Wires("cli", Identity("s", "r", "cli"), transport, contexts[1], only=("operator",)) as other:
                assert _heard(executor, other, 400) == 0
        # It knows the public key, as anyone may, and has a pair of its own.
        push = contexts[1].socket(zmq.PUSH)
        push.setsockopt(zmq.CURVE_SERVERKEY, ours.public)
        push.setsockopt(zmq.CURVE_PUBLICKEY, stranger.public)
        push.setsockopt(zmq.CURVE_SECRETKEY, stranger.secret)
        push.connect(guarded.address("operator"))
        push.send(b"operator.\0x")
        assert executor.receive(300, 100) == []
        push.close(linger=0)
        with Wires("cli", Identity("s", "r", "cli"), guarded, contexts[2], only=("operator",)) as friend:
            assert _heard(executor, friend, 5_000) > 0


def test_only_a_listener_with_the_keys_hears(contexts: list[Context], base_port: int) -> None:
    guarded = Transport("tcp", base_port=base_port, keys=CurveKeys(*zmq.curve_keypair()))
    with (
        Wires("executor", Identity("s", "r", "executor"), guarded, contexts[0], only=("exec",)) as executor,
        Wires("strategy", Identity("s", "r", "strategy"), replace(guarded, keys=None), contexts[1], only=("exec",)),
    ):
        assert executor.receive(300, 100) == []
        with Wires("strategy", Identity("s", "r", "strategy"), guarded, contexts[2], only=("exec",)):
            assert executor.receive(5_000, 100), "a subscription with keys arrives"


def test_a_plain_pipeline_stays_plain(contexts: list[Context], base_port: int) -> None:
    plain = Transport("tcp", base_port=base_port)
    with (
        Wires("supervisor", Identity("s", "r", "supervisor"), plain, contexts[0], only=("health",)) as supervisor,
        Wires("writer", Identity("s", "r", "writer"), plain, contexts[1], only=("health",)) as writer,
    ):
        for _ in range(100):
            writer.send(STREAM["health"], Heartbeat(ts_ns=1, role="writer", pid=1))
            if supervisor.receive(20, 10):
                return
    raise AssertionError("nothing was heard")


def test_an_address_that_is_taken_leaves_nothing_open(contexts: list[Context], base_port: int) -> None:
    guarded = Transport("tcp", base_port=base_port, keys=CurveKeys(*zmq.curve_keypair()))
    with Wires("executor", Identity("s", "r", "executor"), guarded, contexts[0]):
        with pytest.raises(PortInUse):
            Wires("executor", Identity("s", "r", "executor"), guarded, contexts[1])
        contexts[1].term()  # would wait for a socket that is still open
