"""Tables from wherever they come: Arrow, pandas, polars, columns in a mapping, or files; all become Arrow tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from marigram.errors import InputError

_FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".ndjson": "json", ".json": "json",
    ".parquet": "parquet", ".pq": "parquet", ".arrow": "ipc", ".feather": "ipc", ".ipc": "ipc",
}  # fmt: skip
_PACKED = {".gz", ".zst", ".bz2", ".lz4"}


def to_table(source: Any, what: str) -> pa.Table:
    """Return a table.

    Parameters
    ----------
    source
        An Arrow table or record batch, a pandas or polars frame, anything else that speaks Arrow
        (``__arrow_c_stream__``), a mapping of names to columns, or the path of a file: CSV, TSV, JSON lines (all also
        compressed: ``.gz``, ``.zst``, …), Parquet or Arrow IPC.
    what
        What the table is, for messages.

    Raises
    ------
    InputError
        It is nothing of this, is missing, or cannot be read.
    """
    if isinstance(source, pa.Table):
        table = source
    elif isinstance(source, str | os.PathLike):
        table = read_table(source)
    elif isinstance(source, Mapping):
        try:
            table = pa.table(dict(source))
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise InputError(0, f"{what}: the columns do not make a table: {error}") from error
    elif hasattr(source, "iloc"):  # pandas: NaN is its way to say missing
        table = pa.Table.from_pandas(source, preserve_index=False)
    elif hasattr(source, "__arrow_c_stream__"):
        table = pa.table(source)
    elif isinstance(source, pa.RecordBatch):
        table = pa.Table.from_batches([source])
    else:
        raise InputError(0, f"{what}: {type(source).__name__} is not a table")
    if len(set(table.column_names)) != table.num_columns:
        raise InputError(0, f"{what}: two columns share a name among {', '.join(table.column_names)}")
    return table


def read_table(path: str | os.PathLike[str]) -> pa.Table:
    """Read a file; its format is told by its name.

    Raises
    ------
    InputError
        The file is missing, of no known format, or a row cannot be read (which one, where the reader tells).
    """
    place = Path(path)
    suffixes = [suffix.lower() for suffix in place.suffixes]
    inner = suffixes[-2:-1] if suffixes and suffixes[-1] in _PACKED else suffixes[-1:]
    form = _FORMATS.get(inner[0]) if inner else None
    if form is None:
        raise InputError(0, f"{place}: the name tells no format; use one of {', '.join(_FORMATS)}")
    if not place.is_file():
        raise InputError(0, f"no such file: {place}")
    try:
        return _read(place, form, tabs=inner == [".tsv"])
    except (pa.ArrowException, OSError) as error:
        text = str(error).splitlines()[0]
        row = re.search(r"[Rr]ow #?(\d+)", text)
        raise InputError(int(row.group(1)) if row else 0, f"{place.name}: {text}") from error


def _read(place: Path, form: str, *, tabs: bool) -> pa.Table:
    if form == "parquet":
        import pyarrow.parquet as pq

        return pq.read_table(place)
    if form == "ipc":
        import pyarrow.feather as feather

        return feather.read_table(place)
    if form == "csv":
        return _read_csv(place, tabs=tabs)
    import pyarrow.json as arrow_json

    with pa.input_stream(str(place), compression="detect") as stream:
        return arrow_json.read_json(stream)


def _read_csv(place: Path, *, tabs: bool, texts: Sequence[str] = ()) -> pa.Table:
    """Read a CSV file, or only some columns of it, as texts."""
    import pyarrow.csv as arrow_csv

    options = arrow_csv.ConvertOptions(
        strings_can_be_null=True, column_types=dict.fromkeys(texts, pa.string()), include_columns=list(texts)
    )
    parse = arrow_csv.ParseOptions(delimiter="\t" if tabs else ",")
    with pa.input_stream(str(place), compression="detect") as stream:
        try:
            return arrow_csv.read_csv(stream, parse_options=parse, convert_options=options)
        except pa.ArrowInvalid:
            pass
    with pa.input_stream(str(place), compression="detect") as stream:
        # in one thread Arrow names the row that it cannot read
        reading = arrow_csv.ReadOptions(use_threads=False)
        return arrow_csv.read_csv(stream, read_options=reading, parse_options=parse, convert_options=options)


def with_exact_names(table: pa.Table, source: Any, names: Iterable[str | None]) -> pa.Table:
    """Return a table in which columns that name nodes are as the file has them.

    A CSV file does not say what is a number: ``007`` would become 7, and a card number of 20 digits a rounded float.
    Columns of numbers become texts again, unless every one of them is a usual whole number.
    """
    if not isinstance(source, str | os.PathLike):
        return table
    suffixes = [suffix.lower() for suffix in Path(source).suffixes]
    read_as_numbers = [
        name
        for name in dict.fromkeys(names)
        if name is not None
        and name in table.column_names
        and not pa.types.is_string(table.schema.field(name).type)
    ]
    if not read_as_numbers or not {".csv", ".tsv"} & set(suffixes[-2:]):
        return table
    texts = _read_csv(Path(source), tabs=".tsv" in suffixes[-2:], texts=read_as_numbers)
    for name in read_as_numbers:
        exact = texts[name].combine_chunks()
        usual = pc.match_substring_regex(exact.unique().drop_null(), r"^(0|-?[1-9][0-9]{0,17})$")
        if not pc.all(usual).as_py():
            table = table.set_column(table.column_names.index(name), name, exact)
    return table


__all__ = ["read_table", "to_table", "with_exact_names"]
