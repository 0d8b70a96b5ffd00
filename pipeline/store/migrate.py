"""Bring a database to the schema of this program, inside one transaction; nothing happens if it is there already.

Alembic is imported only to upgrade a database that has an older schema, as a start must be quick: a new one is made as it is to be.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from pipeline.base.errors import WrongDatabase
from pipeline.store.schema import metadata
from pipeline.store.views import create_views

HEAD = "0005"
"""The newest revision in ``migrations/versions``."""
APPLICATION_ID = 0x506F_6C79
"""``PRAGMA application_id`` of our databases: "Poly"."""


def is_empty(conn: Connection) -> bool:
    """Whether a database holds nothing and bears no other program's mark."""
    holds = conn.exec_driver_sql("SELECT 1 FROM sqlite_master LIMIT 1").first()
    return holds is None and conn.exec_driver_sql("PRAGMA application_id").scalar() in (0, APPLICATION_ID)


def is_ours(conn: Connection) -> bool:
    """Whether a database bears our mark and a schema version."""
    if conn.exec_driver_sql("PRAGMA application_id").scalar() != APPLICATION_ID:
        return False
    return conn.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").first() is not None


def revision_of(conn: Connection) -> str | None:
    """The schema version of one of our databases; None before the first migration."""
    if conn.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").first() is None:
        return None
    revision = conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if revision is None else str(revision)


def migrate(conn: Connection) -> bool:
    """Bring the database to HEAD and make the views afresh; returns whether anything was done.

    Raises WrongDatabase for a schema that this program does not know, as a newer one makes.
    """
    before = revision_of(conn)
    if before == HEAD:
        return False
    if before is None and is_empty(conn):
        create(conn)
    else:
        upgrade(conn)
    conn.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    create_views(conn)
    return True


def create(conn: Connection) -> None:
    """Make the tables of HEAD at once in an empty database: what every migration together makes."""
    metadata.create_all(conn, checkfirst=False)
    conn.exec_driver_sql(
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
    )
    conn.exec_driver_sql("INSERT INTO alembic_version (version_num) VALUES (?)", (HEAD,))


def upgrade(conn: Connection) -> None:
    """Run the migrations that the database lacks. Raises WrongDatabase if its schema is not known."""
    before = revision_of(conn)
    import alembic.command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = conn
    try:
        alembic.command.upgrade(config, HEAD)
    except CommandError as error:
        raise WrongDatabase(f"the database's schema {before} is not known to this version of Polybot ({error})") from None
