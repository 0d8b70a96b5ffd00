"""The stream table holds together."""

from __future__ import annotations

from pipeline.bus.topology import ROLES, STREAMS, SUPERSEDED, receives, routes, sends


def test_every_stream_and_port_is_named_once() -> None:
    assert len({stream.name for stream in STREAMS}) == len(STREAMS) == len({stream.port for stream in STREAMS})


def test_every_role_speaks_and_hears_and_the_scheduler_hears_only_what_is_held() -> None:
    assert all(sends(role) and receives(role) for role in ROLES)
    assert [stream.name for stream in receives("scheduler")] == ["exec"]


def test_a_trade_print_goes_to_listeners_and_to_the_writer() -> None:
    from pipeline.messages.market import TradePrint

    assert [stream.name for stream in routes("book_builder")[TradePrint]] == ["book", "persist.lossy"]


def test_only_kinds_that_replace_each_other_are_superseded() -> None:
    assert {kind.__name__ for kind in SUPERSEDED} == {"BookSnapshot", "MarketUniverse", "Committed", "WriterState"}


def test_every_message_kind_is_on_some_stream() -> None:
    from pipeline.messages import Message, control, edges, market, orders, records

    local = {kind for kind in vars(edges).values() if isinstance(kind, type) and issubclass(kind, Message)}
    carried = {kind for stream in STREAMS for kind in stream.carries} | {control.StreamHead, control.EndOfStream, Message}
    for module in (control, market, orders, records):
        kinds = {kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Message)}
        assert kinds <= carried | local, kinds - carried


def test_a_log_of_inputs_can_be_read_whatever_kind_of_message_is_in_it() -> None:
    import pkgutil
    from importlib import import_module

    import pipeline.messages
    from pipeline.bus.input_reading import KINDS

    modules = [import_module(f"pipeline.messages.{found.name}") for found in pkgutil.iter_modules(pipeline.messages.__path__)]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    messages = {kind for kind in kinds if issubclass(kind, pipeline.messages.Message)} - {pipeline.messages.Message}
    assert messages == set(KINDS)
