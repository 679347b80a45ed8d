"""The compiled readers give what the rules give, line by line, whatever the line."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marigram.events import KeyNames, Schema, _rows, decode
from marigram.events.decode import LineDecoder
from marigram.events.lines import LineReader
from marigram.events.streams import FileStream

from .strategies import NUMBERS, broken, csv_lines, json_lines

HEADER = ["ts", "k", "v", "w", "id"]
SCHEMAS = [
    Schema(time="ts", time_unit=unit, tz=tz, key=key, values=values, id=own)
    for unit, tz, key, values, own in [
        ("iso", "UTC", ("k",), ("v",), ""),
        ("iso", "Europe/Berlin", ("k",), ("v", "w"), "id"),
        ("s", "UTC", ("k", "id"), ("v",), ""),
        ("ms", "UTC", (), ("w",), "k"),
        ("ns", "UTC", ("id",), ("v", "w"), ""),
    ]
] + [Schema(time="", key=("k",), values=("v",), id="")]


def decoded(path: Path, schema: Schema, header: list[str] | None, *, slowly: bool, rows: int = 1000):
    """All columns of a file, keys as texts; rejects as (line, reason, raw)."""
    names = KeyNames()
    stream = FileStream(str(path))
    reader = LineReader(stream, "f", block=64 if slowly else 1 << 16)
    decoder = LineDecoder(schema, "f", header, names, rows, (1 << 40) if slowly else 0)
    parts = []
    while block := reader.next() or reader.finish():
        for part in decoder.decode(block):
            reader.line = part.line
            parts.append((part, reader.position))
    stream.close()
    return {
        "values": np.concatenate([p.values for p, _ in parts]).tolist() if parts else [],
        "times": list(itertools.chain(*(p.times.tolist() for p, _ in parts if p.times is not None))),
        "keys": list(
            itertools.chain(*(names.take(p.codes).tolist() for p, _ in parts if p.codes is not None))
        ),
        "ids": list(itertools.chain(*(p.ids.tolist() for p, _ in parts if p.ids is not None))),
        "rejects": [(r.line, r.reason, r.raw) for p, _ in parts for r in p.rejects],
        "blank": sum(p.blank for p, _ in parts),
        "end": (parts[-1][0].position, parts[-1][0].line) if parts else None,
    }


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        if name == "values":
            assert np.array_equal(np.array(a[name]), np.array(b[name]), equal_nan=True)
            assert not np.signbit(np.array(a[name])[np.array(a[name]) == 0]).any()
        else:
            assert a[name] == b[name]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("scan") / "lines"


def some(lines):
    noise = st.binary(max_size=20).filter(lambda raw: b"\n" not in raw)
    return st.lists(st.one_of(broken(lines), broken(lines), noise), max_size=20)


def compare(path, lines, schema, header, rows, end):
    path.write_bytes(b"\n".join(lines) + end)
    quick = decoded(path, schema, header, slowly=False, rows=rows)
    same(quick, decoded(path, schema, header, slowly=True, rows=rows))


COMMON = {
    "schema": st.sampled_from(SCHEMAS),
    "rows": st.sampled_from([3, 1000]),
    "end": st.sampled_from([b"", b"\n"]),
}
PLAIN = {"schema": SCHEMAS[0], "rows": 3, "end": b""}


@settings(max_examples=120)
@given(lines=some(json_lines()), **COMMON)
@example(lines=[b'{"ts":"2024-01-01","k":"a","v":1,"v":null}'], **PLAIN)
@example(
    lines=[b'{"ts":"2024-01-01","k":"\xff","v":1}', '{"ts":"2024-01-01","k":"ü","v":1}'.encode()], **PLAIN
)
@example(lines=[b'{"ts":"' + b"\0" * 16 + b'","k":"a","v":1}'], **PLAIN)
@example(lines=[b'{"ts":"\x00","k":"a","v":1}'], **(PLAIN | {"schema": SCHEMAS[2]}))
def test_json_lines(path, lines, schema, rows, end):
    compare(path, lines, schema, None, rows, end)


@settings(max_examples=120)
@given(lines=some(csv_lines()), **COMMON)
def test_csv(path, lines, schema, rows, end):
    compare(path, lines, schema, HEADER, rows, end)


@pytest.mark.slow
@settings(max_examples=1500)
@given(lines=some(json_lines()), **COMMON)
def test_json_lines_longer(path, lines, schema, rows, end):
    compare(path, lines, schema, None, rows, end)


@pytest.mark.slow
@settings(max_examples=1500)
@given(lines=some(csv_lines()), **COMMON)
def test_csv_longer(path, lines, schema, rows, end):
    compare(path, lines, schema, HEADER, rows, end)


@settings(max_examples=30)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=100))
def test_every_number_as_python_reads_it(path, numbers):
    """In lines that hold nothing else the reader itself must understand nearly all of them."""
    lines = "".join(f'{{"v":{number}}}\n' for number in numbers)
    path.write_text(lines)
    schema = Schema(time="", key=(), values=("v",), id="")
    same(decoded(path, schema, None, slowly=False), decoded(path, schema, None, slowly=True))


def test_ordinary_lines_are_understood(path):
    """A reader that left every line to the rules would pass all comparisons."""
    numbers = [
        "0.1",
        "-17",
        "1e-7",
        "123456789.123456789",
        "0.8444218515250481",
        "9.976931348623157e299",
        "null",
    ]
    times = ["2024-01-01T00:00:00Z", "2024-01-01 00:00:00.123456+05:30", "2024-01-01", "2024-01-01T00:00"]
    rows = [(t, k, v) for t in times for k in ["a", "ü"] for v in numbers]
    text = {
        None: "".join(f'{{"ts": "{t}", "k": "{k}", "x": [] , "v": {v}}}\r\n' for t, k, v in rows),
        ("ts", "k", "v"): "".join(f'"{t}",{k}, {v.replace("null", "")} \n' for t, k, v in rows),
    }
    text[None] = text[None].replace('"x": [] ', '"x": true ')
    for header, lines in text.items():
        raw = bytearray(lines.encode() + b" " * 8)
        form, readable = decode._form(SCHEMAS[0], header)
        assert readable
        values, marks = np.empty((100, 1)), np.empty((100, 8), np.int64)
        scan = decode.scan_json if header is None else decode.scan_csv
        data = np.frombuffer(raw, np.uint8)
        n, at, line = scan(data, 0, len(raw) - 8, 1, True, form, values, marks)
        assert (n, at, line) == (len(rows), len(raw) - 8, len(rows) + 1)
        assert not (marks[:n, _rows.STATE] == _rows.ODD).any()
