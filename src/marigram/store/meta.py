"""Settings that are kept with the data, as JSON by name."""

from __future__ import annotations

from typing import Any

import apsw
import msgspec


def meta(connection: apsw.Connection, name: str) -> Any:
    """Return a setting; None when there is none."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else msgspec.json.decode(str(row[0]))


def set_meta(connection: apsw.Connection, name: str, value: Any) -> None:
    """Keep a setting."""
    text = msgspec.json.encode(value, order="deterministic").decode()
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, text))


__all__ = ["meta", "set_meta"]
