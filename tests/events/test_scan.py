"""The compiled readers give what the rules give, line by line, whatever the line."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from marigram.events import KeyNames, Schema
from marigram.events.decode import LineDecoder
from marigram.events.lines import LineReader
from marigram.events.streams import FileStream

from .strategies import broken, csv_lines, json_lines

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
    reader = LineReader(stream, "f")
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


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.one_of(broken(json_lines()), st.binary(max_size=20).filter(lambda b: b"\n" not in b)), max_size=30
    ),
    st.sampled_from(SCHEMAS),
    st.sampled_from([3, 1000]),
    st.sampled_from([b"", b"\n"]),
)
@example([b'{"ts":"2024-01-01","k":"a","v":1,"v":null}'], SCHEMAS[0], 3, b"")
@example(
    [b'{"ts":"2024-01-01","k":"\xff","v":1}', '{"ts":"2024-01-01","k":"ü","v":1}'.encode()],
    SCHEMAS[0],
    3,
    b"",
)
@example([b'{"ts":"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0","k":"a","v":1}'], SCHEMAS[0], 3, b"")
def test_json_lines(path, lines, schema, rows, end):
    path.write_bytes(b"\n".join(lines) + end)
    same(
        decoded(path, schema, None, slowly=False, rows=rows),
        decoded(path, schema, None, slowly=True, rows=rows),
    )


@settings(max_examples=400, deadline=None)
@given(
    st.lists(
        st.one_of(broken(csv_lines()), st.binary(max_size=20).filter(lambda b: b"\n" not in b)), max_size=30
    ),
    st.sampled_from(SCHEMAS),
    st.sampled_from([3, 1000]),
)
def test_csv(path, lines, schema, rows):
    path.write_bytes(b"\n".join(lines))
    same(
        decoded(path, schema, HEADER, slowly=False, rows=rows),
        decoded(path, schema, HEADER, slowly=True, rows=rows),
    )
