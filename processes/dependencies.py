"""Which role needs which: the order in which they are started, restarted and stopped, and who waits for whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pipeline.bus.topology import BOOK_BUILDER, EXECUTOR, GATEWAY, ROLES, SCHEDULER, STRATEGY, WRITER

FUSED = "fused"
PLAYS: dict[str, tuple[str, ...]] = {FUSED: (EXECUTOR, STRATEGY, BOOK_BUILDER, GATEWAY)}
"""Processes that play several roles, and which: they are started, restarted and stopped as one."""

NEEDS: dict[str, tuple[str, ...]] = {
    FUSED: (WRITER, SCHEDULER),
    EXECUTOR: (WRITER,),
    STRATEGY: (EXECUTOR, BOOK_BUILDER),
    BOOK_BUILDER: (GATEWAY,),
    GATEWAY: (SCHEDULER,),
}
"""What a role cannot do its work without. The executor takes no order before the writer has said what it holds; the others wait for
books, markets and answers. Whoever waits is alive, and goes on by itself once the other speaks."""

FIRST_STARTED: dict[str, tuple[str, ...]] = {EXECUTOR: (WRITER,), FUSED: (WRITER,)}
"""Roles that are not even started while another is down: an executor reads its journal, and then has to hear the writer."""

STOPPED_TOGETHER: tuple[tuple[str, ...], ...] = ((SCHEDULER, GATEWAY, STRATEGY), (BOOK_BUILDER,), (EXECUTOR, FUSED), (WRITER,))
"""What brings in data and orders ends first; then the books; then the executor, which cancels what rests; the writer stores all that
the others had to say. What is no role of the pipeline, such as the fake venue, ends after its clients."""


def start_order(roles: Sequence[str]) -> list[str]:
    """The roles in their own order, but each behind those that it is started after."""
    ordered: list[str] = []

    def add(role: str) -> None:
        for needed in FIRST_STARTED.get(role, ()):
            if needed in roles and needed not in ordered:
                add(needed)
        if role not in ordered:
            ordered.append(role)

    for role in roles:
        add(role)
    return ordered


def stop_waves(roles: Iterable[str]) -> list[list[str]]:
    """The roles in groups, each to be stopped after the one before it."""
    known = list(roles)
    waves = [[role for role in wave if role in known] for wave in STOPPED_TOGETHER]
    waves.append([role for role in known if role not in ROLES and role not in PLAYS])
    return [wave for wave in waves if wave]


def waits_for(role: str, known: Collection[str], running: Collection[str]) -> tuple[str, ...]:
    """The roles that ``role`` needs, that are here, and that do not run."""
    return tuple(needed for needed in NEEDS.get(role, ()) if needed in known and needed not in running)
