"""What a file is, told by its first bytes and lines: its format, and how a CSV file is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from marigram.errors import InputError

from .infer import SAMPLE_ROWS
from .rules import BadLine, cells_of
from .schema import Format, Schema
from .times import parse_time

__all__ = ["format_of", "header_of", "sample_of_csv", "sample_of_json", "with_dialect"]

_TABLES: tuple[tuple[bytes, Format], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),
)
_SUFFIXES = {".parquet": "Parquet", ".arrow": "Arrow IPC", ".feather": "Arrow IPC", ".ipc": "Arrow IPC"}
"""What a name promises and the first bytes then did not keep."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS = ",;\t|"
_WHOLE = re.compile(r"[+-]?[0-9]+")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NOTHING = frozenset(("", "nan", "null", "na", "n/a", "none"))


def format_of(first: bytes, name: str) -> Format:
    """Return the format of a file that starts with these (unpacked) bytes; raise InputError for what is none."""
    for magic, found in _TABLES:
        if first.startswith(magic):
            return found
    if first.startswith(_UTF16):
        raise InputError(0, f"{name} is UTF-16; convert it to UTF-8, for example with iconv")
    text = first.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        raise InputError(
            0, f"{name} is one JSON array; one object a line is needed, as `jq -c '.[]'` writes it"
        )
    return "jsonl" if text.startswith(b"{") else "csv"


def with_dialect(schema: Schema, lines: Sequence[bytes]) -> Schema:
    """Return the schema with the delimiter and header of a CSV file of which these are the first lines."""
    texts = [line.decode(errors="replace").removesuffix("\r") for line in lines]
    delimiter = schema.delimiter
    if delimiter is None:
        counts = {mark: [text.count(mark) for text in texts[:20]] for mark in _DELIMITERS}
        delimiter = max(_DELIMITERS, key=lambda mark: (min(counts[mark], default=0), sum(counts[mark])))
    header = schema.header
    if header is None:
        header = not any(_is_datum(cell) for cell in _cells(texts[0], delimiter)) if texts else True
    return msgspec.structs.replace(schema, delimiter=delimiter, header=header)


def header_of(line: bytes, schema: Schema, name: str) -> list[str]:
    """Return the names of the columns of a CSV file whose first line is this one."""
    try:
        cells = cells_of(line.decode().removesuffix("\r"), schema.delimiter or ",")
    except UnicodeDecodeError as error:
        form = next((form for suffix, form in _SUFFIXES.items() if name.lower().endswith(suffix)), None)
        claim = f"does not begin as {form} does, and " if form else ""
        where = f"byte {error.start + 1} of its first line is {line[error.start]:#04x}"
        raise InputError(0, f"{name} {claim}is no text in UTF-8: {where}") from error
    except BadLine as error:
        raise InputError(1, f"the first line of {name} names no columns: {error}") from error
    if schema.header is False:
        return [f"c{i}" for i in range(1, len(cells) + 1)]
    return [cell.strip() for cell in cells]


def sample_of_csv(lines: Sequence[bytes], header: Sequence[str], schema: Schema) -> list[dict[str, Any]]:
    """Return the first rows as inference needs them; ``lines`` hold the header line if there is one."""
    rows = []
    for line in lines[schema.header is not False :][:SAMPLE_ROWS]:
        cells = _cells(line.decode(errors="replace").removesuffix("\r"), schema.delimiter or ",")
        if len(cells) == len(header):
            rows.append({name: _typed(cell) for name, cell in zip(header, cells, strict=True)})
    return rows


def sample_of_json(lines: Sequence[bytes]) -> list[Mapping[str, Any]]:
    """Return the first rows as inference needs them; lines that are no objects are left out."""
    rows: list[Mapping[str, Any]] = []
    for line in lines[:SAMPLE_ROWS]:
        try:
            rows.append(msgspec.json.decode(line, type=dict[str, Any]))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
    return rows


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return cells_of(text, delimiter)
    except BadLine:
        return []


def _is_datum(cell: str) -> bool:
    """Whether a cell is a number or a time, and so no name of a column."""
    if _NUMBER.fullmatch(cell.strip()):
        return True
    try:
        parse_time(cell.strip(), "iso")
    except ValueError:
        return False
    return True


def _typed(cell: str) -> Any:
    text = cell.strip()
    if _NUMBER.fullmatch(text):
        return int(text) if _WHOLE.fullmatch(text) and len(text) < 30 else float(text)
    word = text.lower()
    if word in _NOTHING:
        return None
    return word == "true" if word in ("true", "false") else cell
