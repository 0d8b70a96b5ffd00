"""The stage of a role as it was at the beginning of one of its lives: from the session's configuration and the premises in its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from pipeline.base.config import Config
from pipeline.base.errors import BadInput
from pipeline.base.halt_file import HaltWord
from pipeline.base.settings import SecretsSection
from pipeline.bus.input_reading import Head
from pipeline.bus.stage import Stage
from pipeline.bus.topology import BOOK_BUILDER, EXECUTOR, GATEWAY, SCHEDULER, STRATEGY, WRITER
from pipeline.messages.market import Market
from pipeline.messages.orders import PlaceOrder
from pipeline.messages.records import OrderIntent
from pipeline.venue.relayers import Sign

VERIFIED = (SCHEDULER, GATEWAY, BOOK_BUILDER, STRATEGY, EXECUTOR, WRITER)
"""The roles that are asked again, in the order in which data flows."""

Intents = Mapping[str, OrderIntent]
"""The orders that a session signed, by ``client_order_id``."""


def stage_of(config: Config, intents: Intents, writer: Callable[[Head], Stage]) -> Callable[[Head], Stage]:
    """What makes the stage of a log's head; ``writer`` makes the writer's. Edges are not made: what they said is in the log."""

    def build(head: Head) -> Stage:
        settings = config.settings
        if head.role == SCHEDULER:
            from processes.scheduler import Premises, Scheduler

            return Scheduler.on(settings.ingestion, msgspec.msgpack.decode(head.premises, type=Premises))
        if head.role == GATEWAY:
            from processes import gateway

            return gateway.stage_of(settings, strict=msgspec.msgpack.decode(head.premises, type=bool))
        if head.role == BOOK_BUILDER:
            from processes import book_builder

            return book_builder.build(config)
        if head.role == STRATEGY:
            from processes import strategy

            return strategy.build(config, head.session_id)
        if head.role == EXECUTOR:
            return _executor(config, msgspec.msgpack.decode(head.premises, type=HaltWord | None), intents)
        if head.role == WRITER:
            return writer(head)
        raise BadInput(f"{head.run_id}: {head.role} is no role that can be verified; known are {', '.join(VERIFIED)}")

    return build


def _executor(config: Config, word: HaltWord | None, intents: Intents) -> Stage:
    from processes import executor

    settings = config.settings
    needs_key = settings.execution.relayer == "clob" and settings.secrets != SecretsSection()
    return executor.build(config, _signed_before(intents) if needs_key else None, lambda: word)


def _signed_before(intents: Intents) -> Sign:
    """Gives each order as it was signed then: the key is not needed to know that."""

    def sign(order: PlaceOrder, market: Market, tick_size: str, now_ns: int) -> tuple[str, str]:
        signed = intents.get(order.client_order_id)
        return ("", "") if signed is None else (signed.venue_order_id, signed.body)

    return sign
