"""The tables of the store, and how an older file becomes one of this version.

Times are nanoseconds since 1970 UTC.  Each migration is run once, in order, within one transaction, after a copy of
the file was made; ``PRAGMA user_version`` counts them.
"""

from __future__ import annotations

from typing import Final

APPLICATION: Final = 0x4D475241
"""``PRAGMA application_id``: "MGRA"."""

_FIRST = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE log (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    source TEXT NOT NULL,
    batch_id TEXT,
    digest BLOB,
    rows INTEGER NOT NULL,
    rejects INTEGER NOT NULL,
    first INTEGER,
    last INTEGER,
    payload BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX log_batch ON log (source, batch_id) WHERE batch_id IS NOT NULL;

CREATE TABLE chunk (
    seq INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    first INTEGER,
    last INTEGER,
    keys BLOB NOT NULL,
    verdicts BLOB NOT NULL
) STRICT;

CREATE TABLE position (
    source TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE token (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    tenant TEXT NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER,
    revoked INTEGER
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;
"""

MIGRATIONS: Final[tuple[str, ...]] = (_FIRST,)
"""Version v of the tables is what the first v scripts make."""

__all__ = ["APPLICATION", "MIGRATIONS"]
