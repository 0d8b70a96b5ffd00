"""The database URL a user gives: SQLite files and memory; anything else is refused in one sentence."""

from __future__ import annotations

from pathlib import Path

from pipeline.base.errors import BadInput

MEMORY = ":memory:"


def path_of_url(db_url: str) -> Path | None:
    """The file of ``sqlite:///path``, ``sqlite:////absolute/path`` or ``sqlite:///C:/path``; None for ``sqlite://`` and
    ``sqlite:///:memory:``. Raises BadInput for everything else.
    """
    scheme, separator, rest = db_url.partition("://")
    if not separator:
        raise BadInput(f"database URL {db_url!r}: not a URL; give sqlite:///path/to/file.db")
    if scheme.split("+")[0] in ("postgresql", "postgres"):
        raise BadInput(f"database URL {scheme}://…: PostgreSQL comes in a later version; give sqlite:///path/to/file.db")
    if scheme != "sqlite":
        raise BadInput(f"database URL {scheme}://…: only SQLite is supported; give sqlite:///path/to/file.db")
    if rest in ("", "/", f"/{MEMORY}"):
        return None
    if not rest.startswith("/"):
        raise BadInput(f"database URL {db_url!r}: a file needs three slashes: sqlite:///{rest}")
    if "?" in rest or "#" in rest:
        raise BadInput(f"database URL {db_url!r}: options are not supported; give sqlite:///path/to/file.db")
    return Path(rest[1:])


def existing_folder(path: Path, db_url: str) -> None:
    """Check that the file's folder exists and that the path is no folder itself. Raises BadInput."""
    if path.is_dir():
        raise BadInput(f"database URL {db_url!r}: {path} is a folder; give a file in it")
    if not path.parent.is_dir():
        raise BadInput(f"database URL {db_url!r}: the folder {path.parent} does not exist; create it first")
