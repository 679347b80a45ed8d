"""Files that grow or come one by one: what is new in them since the last look, and the place to go on from.

Texts of one event a line (CSV, JSON lines, flow logs, syslog) are read on from the byte behind the last whole line.
What comes whole (gzip, zstd, Parquet, Arrow, a JSON document) is read once it can be read to its end; should it be
longer later, the records behind those that were taken. A file is known by its inode, or else by its name, each with a
checksum of how it begins, so that a log that was renamed is not read again and one that was replaced is. Which file it
is is asked of the open file that is read, since a name may pass to another at any moment.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

import msgspec

from marigram.bridge.presets import Preset
from marigram.bridge.readers.opened import EventBatch, Tally, of_data, of_file, tells_columns
from marigram.errors import InputError

__all__ = ["Place", "Stretch", "known_place", "listed", "read_on"]

_AT_ONCE: Final = 1 << 23
_HEAD: Final = 512
_WHOLE: Final = (".gz", ".zst", ".parquet", ".pq", ".arrow", ".feather", ".ipc")
_UNFINISHED: Final = (".tmp", ".part", ".partial", ".crdownload")


class Place(msgspec.Struct, frozen=True):
    """How far a file was read.

    Attributes
    ----------
    taken
        Bytes, all of them where it comes whole.
    rows
        Lines or records.
    inode
        Of the file; 0 for none.
    head
        Checksum of its first bytes, 512 or all that were taken.
    """

    taken: int = 0
    rows: int = 0
    inode: int = 0
    head: int = 0


class Stretch(NamedTuple):
    """What was new, and how far the file is read with it."""

    batches: list[EventBatch]
    place: Place


def listed(paths: list[str]) -> list[str]:
    """Return files, those of folders by name; hidden ones and those that are still being copied are left out.

    Raises
    ------
    InputError
        A path is neither.
    """
    found: list[str] = []
    for path in paths:
        if path == "-" or Path(path).is_file():
            found.append(path)
        elif Path(path).is_dir():
            inside = [os.path.join(folder, name) for folder, _, names in os.walk(path) for name in names]
            found += sorted(name for name in inside if _is_finished(Path(name).relative_to(path)))
        else:
            raise InputError(0, f"no such file: {path}")
    return found


def known_place(path: str, places: Mapping[str, Place]) -> Place:
    """Return how far a file was read, under this name or another; the beginning of one that is new.

    Parameters
    ----------
    path
        Of the file.
    places
        How far files were read, by their whole names.
    """
    with open(path, "rb") as file:
        return _known(file, path, places)


def _known(file: BinaryIO, path: str, places: Mapping[str, Place]) -> Place:
    status, name = os.fstat(file.fileno()), os.path.abspath(path)

    def fits(place: Place) -> bool:
        return status.st_size >= place.taken and _head(file, place.taken) == place.head

    same = [place for place in places.values() if place.inode == status.st_ino and fits(place)]
    if not same and name in places and fits(places[name]):
        same = [places[name]]
    return max(same, key=lambda place: place.taken, default=Place())


def read_on(
    path: str, preset: Preset, places: Mapping[str, Place] | None = None, *, whole: bool = True
) -> Iterator[Stretch]:
    """Yield what is new in a file, in stretches that are taken or not as a whole.

    Parameters
    ----------
    path
        Of the file; ``-`` is standard input, which has no place.
    preset
        Whose log it is.
    places
        How far files were read, by their whole names.
    whole
        Whether a last line without an end is taken; where a file still grows it is not.

    Raises
    ------
    InputError
        The file is nothing that can be read, or not yet.
    """
    if path == "-":
        for batch in of_file(path, preset, Tally()):
            yield Stretch([batch], Place())
        return
    with open(path, "rb") as file:
        after = _known(file, path, places or {})
        if _comes_whole(path, file, preset):
            yield from _as_one(path, file, preset, after)
        else:
            yield from _lines_of(path, file, preset, after, whole=whole)


def _lines_of(path: str, file: BinaryIO, preset: Preset, after: Place, *, whole: bool) -> Iterator[Stretch]:
    taken, rows, size = after.taken, after.rows, _AT_ONCE
    header = _first_line(file) if tells_columns(path, _beginning(file), preset) else b""
    if whole and not os.fstat(file.fileno()).st_size:
        list(of_file(path, preset, Tally()))  # says what is wrong with an empty file
    while True:
        file.seek(taken)
        data = file.read(size)
        ends = len(data) < size
        cut = len(data) if ends and whole else data.rfind(b"\n") + 1
        if not cut and not ends:
            size *= 2  # a line longer than what is read at once
            continue
        if not cut:
            return
        before = header if taken else b""
        tally = Tally(shift=rows - bool(before))
        batches = list(of_data(path, before + data[:cut], preset, tally))
        taken, rows = taken + cut, rows + _lines(data[:cut])
        yield Stretch(batches, _placed(file, taken, rows))
        if ends:
            return


def _as_one(path: str, file: BinaryIO, preset: Preset, after: Place) -> Iterator[Stretch]:
    """A file that comes whole, without the records that were taken before."""
    size = os.fstat(file.fileno()).st_size
    if after.taken and size == after.taken:
        return
    tally = Tally(skip=after.rows)
    batches = list(of_file(path, preset, tally))
    place = _placed(file, size, max(tally.last, after.rows))
    if os.stat(path).st_ino != place.inode:
        raise InputError(0, f"{path}: replaced while it was read")
    yield Stretch(batches, place)


def _comes_whole(path: str, file: BinaryIO, preset: Preset) -> bool:
    """Whether a file can only be read to its end: it is packed, a table, or one JSON document."""
    if Path(path).suffix.lower() in _WHOLE:
        return True
    beginning = _beginning(file)
    if beginning.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        return True
    if preset.reader != "cloudtrail" or not beginning.lstrip().startswith((b"{", b"[")):
        return False
    first = _first_line(file)
    if not first.endswith(b"\n"):
        return True
    try:
        return not isinstance(msgspec.json.decode(first), dict)
    except msgspec.DecodeError:
        return True


def _placed(file: BinaryIO, taken: int, rows: int) -> Place:
    return Place(taken, rows, os.fstat(file.fileno()).st_ino, _head(file, taken))


def _head(file: BinaryIO, taken: int) -> int:
    return zlib.crc32(_beginning(file, min(taken, _HEAD)))


def _beginning(file: BinaryIO, length: int = 4096) -> bytes:
    file.seek(0)
    return file.read(length)


def _first_line(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.readline()


def _lines(data: bytes) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n"))


def _is_finished(name: Path) -> bool:
    hidden = any(part.startswith((".", "_")) for part in name.parts)
    return not hidden and name.suffix.lower() not in _UNFINISHED
