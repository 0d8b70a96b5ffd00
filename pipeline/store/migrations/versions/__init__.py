"""One module a schema version; each says its SQL in full, so that a later change of ``schema.py`` does not change it."""
