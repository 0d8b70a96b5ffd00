import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from pipeline.base.errors import WrongDatabase
from pipeline.store import migrate
from pipeline.store.open import Store, open_store
from pipeline.store.schema import metadata
from pipeline.store.views import LEVELS_VIEW, PLAIN_TABLES, plain_name


def test_head_is_the_newest_revision_in_the_package() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


@pytest.fixture
def migrated() -> Iterator[Connection]:
    """A database in memory that went through every migration."""
    engine = create_engine("sqlite://")
    with engine.begin() as conn:
        migrate.upgrade(conn)
        yield conn
    engine.dispose()


def tables_of(conn: Connection) -> dict[str, dict[str, list[tuple[object, ...]]]]:
    """Columns, keys and indices of every table, in order."""
    names = [row[0] for row in conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
    indices = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? ORDER BY name"
    return {
        name: {
            "columns": [tuple(row) for row in conn.exec_driver_sql(f"PRAGMA table_info({name})")],
            "foreign keys": [tuple(row) for row in conn.exec_driver_sql(f"PRAGMA foreign_key_list({name})")],
            "indices": [tuple(row) for row in conn.exec_driver_sql(indices, (name,))],
            "unique": [tuple(row)[2:] for row in conn.exec_driver_sql(f"PRAGMA index_list({name})")],
        }
        for name in names
    }


def test_a_new_database_is_what_the_migrations_make(store: Store, migrated: Connection) -> None:
    with store.connect() as conn:
        assert tables_of(conn) == tables_of(migrated)
        assert migrate.revision_of(conn) == migrate.revision_of(migrated) == migrate.HEAD


def test_migrations_from_nothing_make_the_schema_of_the_program(store: Store, migrated: Connection) -> None:
    assert compare_metadata(MigrationContext.configure(migrated), metadata) == []
    with store.connect() as conn:
        indices = {row[0] for row in conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'index' AND sql NOT NULL")}
        views = {row[0] for row in conn.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'view'")}
    assert indices == {index.name for table in metadata.tables.values() for index in table.indexes}
    assert views == {plain_name(table) for table in PLAIN_TABLES} | {LEVELS_VIEW}


def test_migrating_again_does_nothing(store: Store) -> None:
    with store.begin() as conn:
        assert not migrate.migrate(conn)


def test_a_schema_from_the_future_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'polybot.db'}"
    with open_store(url) as store, store.begin() as conn:
        conn.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    for read_only in (False, True):
        with pytest.raises(WrongDatabase, match="9999"):
            open_store(url, read_only=read_only)


def test_opening_a_new_or_a_migrated_database_does_not_import_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'polybot.db'}"
    program = (
        "import sys; from pipeline.store.open import open_store; "
        f"open_store({url!r}).close(); open_store({url!r}).close(); print('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "False\n"
