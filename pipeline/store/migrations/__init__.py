"""Alembic migrations, run when a writer opens a database. They are part of the package, so that a wheel carries them."""
