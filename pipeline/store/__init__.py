"""SQLite: schema, migrations, and functions of a connection and values."""
