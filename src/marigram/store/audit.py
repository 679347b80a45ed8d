"""Who did what and when, in a chain: each row's hash covers the row before it.

A row that is changed, removed or put in between breaks the chain behind it.  Rows cut off at the end do not, so the
head of the chain (the number of rows and the last hash) can be written down elsewhere and given to :func:`verify`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import apsw
import msgspec

START: Final = bytes(32)


class Head(NamedTuple):
    """The end of a chain."""

    rows: int
    hash: bytes

    def __str__(self) -> str:
        return f"{self.rows}:{self.hash.hex()}"


def record(connection: apsw.Connection, at: int, actor: str, action: str, detail: Mapping[str, Any]) -> None:
    """Append a row, inside the transaction of what it tells."""
    head = head_of(connection)
    text = msgspec.json.encode(dict(detail), order="deterministic").decode()
    link = _link(head.hash, head.rows + 1, at, actor, action, text)
    connection.execute(
        "INSERT INTO audit (id, at, actor, action, detail, hash) VALUES (?, ?, ?, ?, ?, ?)",
        (head.rows + 1, at, actor, action, text, link),
    )


def head_of(connection: apsw.Connection) -> Head:
    """Return the end of the chain."""
    row = connection.execute("SELECT id, hash FROM audit ORDER BY id DESC LIMIT 1").fetchone()
    return Head(0, START) if row is None else Head(int(str(row[0])), bytes(row[1]))


def verify(connection: apsw.Connection, expected: str | None = None) -> tuple[Head, str | None]:
    """Walk the chain; returns its head, and what is wrong with it or None.

    ``expected`` is the text of a head that was noted earlier: the chain must contain it.
    """
    head, seen = Head(0, START), expected in (None, str(Head(0, START)))
    for id, at, actor, action, detail, hash in connection.execute(  # noqa: A001 - names of the columns
        "SELECT id, at, actor, action, detail, hash FROM audit ORDER BY id"
    ):
        if id != head.rows + 1:
            return head, f"row {head.rows + 1} is missing"
        if hash != _link(head.hash, id, at, actor, action, detail):
            return head, f"row {id} was changed, or the one before it"
        head = Head(id, hash)
        seen = seen or str(head) == expected
    return head, None if seen else f"the chain does not contain {expected}: rows were removed at its end"


def _link(before: bytes, id: int, at: int, actor: str, action: str, detail: str) -> bytes:  # noqa: A002
    content = msgspec.json.encode([before.hex(), id, at, actor, action, detail])
    return hashlib.sha256(content).digest()


__all__ = ["Head", "head_of", "record", "verify"]
