"""Alembic's entry: migrate over the connection that was handed in, inside its transaction."""

from __future__ import annotations

from alembic import context

from pipeline.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
