"""Whether what a service left is whole: every page, every row, every entry, every snapshot.  Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw

from marigram.errors import MarigramError
from marigram.events.keys import KeyNames
from marigram.fleet import Fleet
from marigram.store import audit
from marigram.store.database import FILE, check, open_reader, plainly
from marigram.store.journal import unpack_batch
from marigram.store.log import entries
from marigram.store.packing import unpack_verdicts

Finding = tuple[str, bool, str]


def examine_service(folder: Path) -> Iterator[Finding]:
    """Yield (name, whether it is whole, detail) for the database and each snapshot, for each tenant."""
    for place in (folder, *sorted((folder / "tenants").glob("*"))):
        if (place / FILE).exists():
            for name, whole, detail in _examined(place):
                yield (name if place == folder else f"{place.name}: {name}"), whole, detail


def _examined(place: Path) -> Iterator[Finding]:
    try:
        connection = open_reader(place / FILE)
    except MarigramError as error:
        yield FILE, False, str(error)
        return
    try:
        for name, look in (("pages", _pages), ("log", _log), ("verdicts", _verdicts), ("audit", _audit)):
            try:
                with plainly(place / FILE):
                    yield name, *look(connection)
            except MarigramError as error:
                yield name, False, str(error)
    finally:
        connection.close()
    for path in sorted(place.glob("held-*.mg")):
        try:
            waited = unpack_batch(path.read_bytes(), KeyNames())
            yield path.name, True, f"{len(waited):,} events that waited, {path.stat().st_size:,} bytes"
        except (MarigramError, OSError) as error:
            yield path.name, False, str(error)
    for path in sorted([*place.glob("fleet-*.mg"), *place.glob("past-*.mg")]):
        try:
            yield path.name, True, f"{len(Fleet.load(path)):,} keys, {path.stat().st_size:,} bytes"
        except MarigramError as error:
            yield path.name, False, str(error)


def _pages(connection: apsw.Connection) -> tuple[bool, str]:
    wrong = check(connection)
    return not wrong, "; ".join(wrong) or f"{connection.pragma('page_count'):,} pages, every checksum fits"


def _log(connection: apsw.Connection) -> tuple[bool, str]:
    row = connection.execute("SELECT min(seq), max(seq) FROM log").fetchone()
    if row is None or row[0] is None:
        return True, "nothing was accepted yet"
    rows = 0
    for entry in entries(connection, row[0] - 1, row[1]):
        rows += len(entry.batch(KeyNames())) if entry.kind == "events" else 0
    return True, f"entries {row[0]:,} to {row[1]:,}, {rows:,} events"


def _verdicts(connection: apsw.Connection) -> tuple[bool, str]:
    rows = 0
    for count, block in connection.execute("SELECT rows, verdicts FROM chunk"):
        found = len(unpack_verdicts(block))
        if found != count:
            return False, f"a block of {count} verdicts holds {found}"
        rows += found
    return True, f"{rows:,} verdicts"


def _audit(connection: apsw.Connection) -> tuple[bool, str]:
    head, wrong = audit.verify(connection)
    return wrong is None, wrong or f"{head.rows:,} rows; head {head}"


__all__ = ["examine_service"]
