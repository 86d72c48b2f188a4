"""Numbered changes of the schema, run by `storage.database` through Alembic."""
