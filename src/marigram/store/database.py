"""Connections to the database of the store: one that writes, many that read.

SQLite in WAL mode with ``synchronous = FULL``: a commit is on the disk when it returns, readers never wait for the
writer, and after a crash at any moment exactly the committed transactions are there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import apsw

from marigram.errors import MarigramError, SnapshotError
from marigram.store.pages import NAME, PAGE, RESERVED, PageFiles
from marigram.store.tables import APPLICATION, MIGRATIONS

FILE: Final = "marigram.db"
_WAIT = 5000
"""Milliseconds to wait for another connection, such as one that makes a token."""
_PAGES_OF_LOG = 2000
"""Pages after which what is in the write-ahead log moves into the database."""
_FILES: Final = PageFiles()


class FullError(MarigramError):
    """The disk is full or cannot be written to; nothing of what was asked for was kept."""


class DamageError(SnapshotError):
    """The database is damaged."""


@contextmanager
def plainly(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what SQLite says into errors that a person can act on."""
    try:
        yield
    except apsw.FullError as error:
        raise FullError(f"the disk of {path} is full") from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        raise DamageError(f"{path} is damaged: {error}") from error
    except apsw.IOError as error:
        if "damaged" in str(error):
            raise DamageError(f"{path}: {error}") from error
        raise FullError(f"{path} cannot be read or written: {error}") from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, OSError) as error:
        raise FullError(f"{path} cannot be opened or written: {error}") from error


def open_writer(path: Path, ddl: Iterable[str] = (), vfs: str = NAME) -> apsw.Connection:
    """Open the database, new or of an older version, for the one that writes.

    Parameters
    ----------
    path
        The file.
    ddl
        Statements of those who keep tables of their own there: ``CREATE … IF NOT EXISTS``.
    vfs
        Name of the layer below, for tests.

    Raises
    ------
    DamageError
        It is damaged, no database of marigram, or of a newer version.
    FullError
        The disk cannot be written to.
    """
    with plainly(path):
        connection = _connected(path, vfs)
        if _int(connection, "PRAGMA page_count") == 0:
            connection.reserve_bytes("main", RESERVED)
            connection.pragma("page_size", PAGE)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        connection.wal_autocheckpoint(_PAGES_OF_LOG)
        _migrate(connection, path)
        with connection:
            for statement in ddl:
                connection.execute(statement)
    return connection


def open_reader(path: Path, vfs: str = NAME) -> apsw.Connection:
    """Open the database for questions only; ``SnapshotError`` where there is none."""
    if not path.exists():
        raise SnapshotError(f"{path.parent} holds no state of a service: there is no {path.name}")
    with plainly(path):
        connection = _connected(path, vfs, create=False)
        connection.pragma("query_only", True)
    return connection


def _connected(path: Path, vfs: str, *, create: bool = True) -> apsw.Connection:
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
    connection.set_busy_timeout(_WAIT)
    connection.pragma("mmap_size", 0)
    connection.pragma("trusted_schema", False)
    return connection


def _migrate(connection: apsw.Connection, path: Path) -> None:
    """Bring the tables to this version."""
    version, application = _int(connection, "PRAGMA user_version"), _int(connection, "PRAGMA application_id")
    if version and application != APPLICATION:
        raise DamageError(f"{path} is a database, but none of marigram")
    if version > len(MIGRATIONS):
        raise DamageError(
            f"{path} has tables of version {version}, written by a newer marigram; this one reads up to "
            f"{len(MIGRATIONS)}: update marigram to open it"
        )
    if version == len(MIGRATIONS):
        return
    if version:
        back_up(connection, path.with_name(f"{path.name}.version-{version}"))
    with connection:
        for script in MIGRATIONS[version:]:
            connection.execute(script)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def back_up(connection: apsw.Connection, path: Path) -> None:
    """Write a copy of the database, whole and of one moment, while others go on."""
    partial = path.with_name(f".{path.name}.tmp")
    partial.unlink(missing_ok=True)
    copy = _connected(partial, NAME)
    copy.reserve_bytes("main", RESERVED)
    with copy.backup("main", connection, "main") as backup:
        while not backup.done:
            backup.step(1000)
            time.sleep(0)
    copy.close()
    os.replace(partial, path)


def check(connection: apsw.Connection) -> list[str]:
    """Return what is wrong with the database, page by page and row by row; empty when it is whole."""
    try:
        found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    except apsw.Error as error:
        return [str(error)]
    return [] if found == ["ok"] else found


def _int(connection: apsw.Connection, question: str) -> int:
    row = connection.execute(question).fetchone()
    return int(str(row[0])) if row else 0


__all__ = ["FILE", "DamageError", "FullError", "back_up", "check", "open_reader", "open_writer", "plainly"]
