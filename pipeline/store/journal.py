"""Durable records: taken in each producer's order, once, with their projections in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from pipeline.base.errors import PolybotError
from pipeline.messages.records import AuditRecord, FillRecord, HaltRecord, OrderIntent, OrderRecord
from pipeline.store.audit import append_audit, append_halt
from pipeline.store.orders import append_intent, append_order, record_fill
from pipeline.store.schema import journal
from pipeline.store.statements import insert_sql

DurableMessage = OrderRecord | OrderIntent | FillRecord | AuditRecord | HaltRecord
DURABLE_KINDS: tuple[type[DurableMessage], ...] = (OrderRecord, OrderIntent, FillRecord, AuditRecord, HaltRecord)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(DurableMessage)


class JournalConflict(PolybotError):
    """A producer sent a record whose number another record has: the database knows another journal by that name."""


@dataclass(frozen=True, slots=True)
class DurableRecord:
    """A message with its number in its producer's journal (from 1, without gaps) and the row of the run that sent it."""

    seq: int
    run_id: int
    message: DurableMessage


def last_seq(conn: Connection, producer: str) -> int:
    """The number of the last stored record of a producer; 0 before the first."""
    return int(conn.exec_driver_sql("SELECT coalesce(max(seq), 0) FROM journal WHERE producer = ?", (producer,)).scalar_one())


def last_seqs(conn: Connection) -> dict[str, int]:
    """The number of the last stored record of every producer that has one."""
    return {row[0]: row[1] for row in conn.exec_driver_sql("SELECT producer, max(seq) FROM journal GROUP BY producer")}


def append_records(conn: Connection, producer: str, records: Sequence[DurableRecord]) -> int:
    """Store the records that continue the producer's journal, with their projections.

    A repeat is skipped; what follows a gap is left for the producer to send again. Returns the producer's last stored ``seq``, to
    be published once the transaction is committed. Raises JournalConflict if a repeat differs from what is stored.
    """
    last = last_seq(conn, producer)
    for record in records:
        if record.seq == last + 1:
            conn.exec_driver_sql(insert_sql(journal), (producer, record.seq, record.run_id, _text(record.message)))
            project(conn, record.run_id, record.message)
            last = record.seq
        elif record.seq <= last:
            _check_repeat(conn, producer, record)
    return last


def project(conn: Connection, run_id: int, message: DurableMessage) -> None:
    """Bring the tables of trading up to one record."""
    match message:
        case OrderRecord():
            append_order(conn, run_id, message)
        case OrderIntent():
            append_intent(conn, run_id, message)
        case FillRecord():
            record_fill(conn, run_id, message)
        case AuditRecord():
            append_audit(conn, run_id, message)
        case HaltRecord():
            append_halt(conn, run_id, message)


def read_records(conn: Connection, producer: str, after: int = 0) -> Iterator[tuple[int, DurableMessage]]:
    """The stored records of a producer behind ``after``, in order."""
    rows = conn.exec_driver_sql("SELECT seq, body FROM journal WHERE producer = ? AND seq > ? ORDER BY seq", (producer, after))
    for seq, body in rows:
        yield seq, _decoder.decode(body)


def _text(message: DurableMessage) -> str:
    return _encoder.encode(message).decode()


def _check_repeat(conn: Connection, producer: str, record: DurableRecord) -> None:
    body = conn.exec_driver_sql(
        "SELECT body FROM journal WHERE producer = ? AND seq = ?", (producer, record.seq)
    ).scalar_one_or_none()
    if body is not None and body != _text(record.message):
        raise JournalConflict(
            f"record {record.seq} of {producer} differs from the one stored: this database holds another journal of that name; "
            "use the state directory that belongs to it, or another database"
        )
