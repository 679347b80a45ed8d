"""Every way out of a table of verdicts holds the same fields, in the same order, with the same numbers."""

import json
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from marigram.kinds import Kind
from marigram.verdicts import FIELDS, Verdict, Verdicts, arrow_schema
from marigram.verdicts import table as table_module

HOSTILE = [0.0, -0.0, 5e-324, 1e-5, 1e16, 1.7976931348623157e308, np.nan, np.inf, -np.inf]
LONG = st.integers(-(2**63), 2**63 - 1)


@st.composite
def tables(draw, max_rows=100):
    """Any table: one or three coordinates, text or integer or no keys, sparse or no drifts.

    A few hostile values of each type are drawn, and strewn over all columns by a drawn seed.
    """
    doubles = np.array([*draw(st.lists(st.floats(), max_size=4)), *HOSTILE])
    singles = np.array([*draw(st.lists(st.floats(width=32), max_size=4)), 0, 1e-5, 0.1, np.nan], np.float32)
    longs = np.array([*draw(st.lists(LONG, max_size=4)), 0, 7], np.int64)
    texts = np.array([*draw(st.lists(st.text(max_size=8), max_size=4)), None, "web-7"], object)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, d = draw(st.integers(0, max_rows)), draw(st.sampled_from([1, 3]))
    drifts = np.flatnonzero(rng.random(n) < draw(st.sampled_from([0.0, 0.2])))
    shape, levels = ((n,), len(drifts)) if d == 1 else ((n, d), (len(drifts), d))
    positions = longs & (2**63 - 1)
    return Verdicts(
        value=rng.choice(doubles, shape),
        kind=rng.integers(0, 7, n),
        key=draw(st.sampled_from([None, rng.choice(texts, n), rng.choice(longs, n)])),
        id=draw(st.sampled_from([None, rng.choice(texts, n)])),
        seq=rng.choice(positions, n),
        n=rng.choice(positions, n),
        time=draw(st.sampled_from([None, rng.choice(longs, n)])),
        p_value=rng.choice([0.0, 1e-320, 0.3, 1.0, np.nan, rng.random()], n),
        expected=rng.choice(doubles, shape),
        lower=rng.choice(doubles, shape),
        upper=rng.choice(doubles, shape),
        severity=rng.choice(doubles, n),
        episode=rng.choice(positions, n),
        notice=rng.random(n) < 0.5,
        late=rng.random(n) < 0.5,
        why=rng.choice(singles, (n, d)),
        drift_rows=drifts,
        changed_at=rng.choice([-1, 0, 10**18], len(drifts)),
        before=rng.choice(doubles, levels),
        after=rng.choice(doubles, levels),
        resolves=rng.choice([-1, 0, 10**18], len(drifts)),
    )


def same(a, b):
    """Assert that two tables hold the same in every field, NaN equal to NaN."""
    assert len(a) == len(b)
    for name in FIELDS:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
        assert a[name].dtype == b[name].dtype, name


def plain(verdict):
    """One verdict as what a JSON reader would make of its line."""
    return json.loads(verdict.to_json())


def test_all_have_the_same_fields_in_the_same_order():
    v = Verdicts(value=[1.0], kind=[0])
    assert Verdict.__struct_fields__ == FIELDS
    assert tuple(arrow_schema().names) == FIELDS
    assert tuple(v.to_arrow().column_names) == FIELDS
    assert tuple(v.to_pandas().columns) == FIELDS
    assert tuple(v.to_polars().columns) == FIELDS
    assert tuple(plain(v[0])) == FIELDS
    many = Verdicts(value=np.zeros(500), kind=np.zeros(500, np.uint8))
    assert tuple(json.loads(many.json_lines().splitlines()[-1])) == FIELDS


@given(tables())
def test_arrow_comes_back(v):
    table = v.to_arrow()
    assert table.schema == arrow_schema(v.d, integer_keys=table.schema.field("key").type == pa.int64())
    same(Verdicts.from_arrow(table), v)


def test_parquet_comes_back(tmp_path):
    v = Verdicts(value=[[1.0, np.nan], [np.nan] * 2], kind=[2, 5], key=["é", None], time=[5, -(2**63)], drift_rows=[0],
                 changed_at=[3], before=[[0.0, 1.0]], after=[[1.0, 2.0]], resolves=[-1])  # fmt: skip
    pq.write_table(v.to_arrow(), tmp_path / "v.parquet")
    same(Verdicts.from_arrow(pq.read_table(tmp_path / "v.parquet")), v)


def test_arrow_nulls_are_nulls():
    v = Verdicts(
        value=[1.0, np.nan], kind=[2, 5], drift_rows=[0], changed_at=[3], before=[1.0], after=[np.inf]
    )
    table = v.to_arrow()
    counts = {
        name: table.column(name).null_count for name in ("value", "p_value", "score", "time", "changed_at")
    }
    assert counts == {"value": 1, "p_value": 2, "score": 2, "time": 2, "changed_at": 1}
    assert table.column("after").to_pylist() == [np.inf, None]
    assert table.column("kind").to_pylist() == ["drift", "missing"]


def test_a_table_that_is_none_of_ours_is_refused():
    with pytest.raises(ValueError, match="no column id, key"):
        Verdicts.from_arrow(pa.table({"value": [1.0]}))


def all_lines(v, monkeypatch):
    """The compiled loop's lines, however few."""
    with monkeypatch.context() as patch:
        patch.setattr(table_module, "_FEW", 0)
        return v.json_lines()


@pytest.fixture(scope="module")
def compiled():
    with pytest.MonkeyPatch.context() as patch:
        yield lambda v: all_lines(v, patch)


@given(v=tables(max_rows=20))
@example(v=Verdicts(value=[0.1], kind=[0], time=[-1], key=['"\\\n\x00\x1f\x7f\u2028é😀'], id=["\b\f\r\t/"]))
def test_compiled_lines_are_those_of_single_verdicts_byte_for_byte(compiled, v):
    assert compiled(v) == b"".join(row.to_json() + b"\n" for row in v)


@given(v=tables(max_rows=20))
def test_lines_are_json_and_hold_the_numbers_exactly(compiled, v):
    rows = [json.loads(line) for line in compiled(v).splitlines()]
    assert len(rows) == len(v)
    for row, verdict in zip(rows, v, strict=True):
        assert row["key"] == verdict.key
        assert row["kind"] == verdict.kind.label
        if v.d == 1:
            told = [row[name] for name in ("value", "p_value", "score", "lower", "severity")]
            numbers = [verdict.value, verdict.p_value, verdict.score, verdict.lower, verdict.severity]
            assert told == [x if np.isfinite(x) else None for x in numbers]
        shares = np.array(row["why"] or [None] * v.d, np.float32)
        expected = np.array(verdict.why, np.float32)
        np.testing.assert_array_equal(shares, np.where(np.isfinite(expected), expected, np.nan))


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=100, max_size=200))
def test_floats_are_written_as_repr_writes_them(numbers):
    lines = Verdicts(value=numbers, kind=np.zeros(len(numbers), np.uint8)).json_lines().splitlines()
    told = [line.split(b'"value":')[1].split(b",")[0].decode() for line in lines]
    assert told == [repr(x) for x in numbers]


def test_every_power_of_two_and_ten_is_written_as_repr_writes_it():
    numbers = [2.0**k for k in range(-1074, 1024)] + [
        float(f"{m}e{k}") for m in (1, 9, 123) for k in range(-323, 306)
    ]
    lines = Verdicts(value=numbers, kind=np.zeros(len(numbers), np.uint8)).json_lines().splitlines()
    assert [line.split(b'"value":')[1].split(b",")[0].decode() for line in lines] == [
        repr(x) for x in numbers
    ]


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=70, max_size=100))
def test_times_are_iso_and_exact(times):
    v = Verdicts(value=np.zeros(len(times)), kind=np.zeros(len(times), np.uint8), time=times)
    for line, ns in zip(v.json_lines().splitlines(), times, strict=True):
        text = json.loads(line)["time"]
        seconds = datetime.fromisoformat(text.split(".")[0].removesuffix("Z") + "+00:00").timestamp()
        fraction = text[20:-1] if "." in text else ""
        assert int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0")) == ns
        assert len(fraction) in (0, 3, 6, 9)


def test_more_rows_than_one_block_are_all_written():
    n = 6000
    v = Verdicts(value=np.arange(n), kind=np.zeros(n, np.uint8), key=np.arange(n).astype(str).astype(object))
    rows = [json.loads(line) for line in v.json_lines().splitlines()]
    assert [row["value"] for row in rows] == list(range(n))
    assert [row["key"] for row in rows] == [str(i) for i in range(n)]


def test_kinds_are_names():
    v = Verdicts(value=np.zeros(70), kind=np.arange(70) % 7)
    names = [json.loads(line)["kind"] for line in v.json_lines().splitlines()]
    assert names == [Kind(i % 7).label for i in range(70)]


def test_ids_are_texts_in_files_and_keys_what_they_are(compiled):
    v = Verdicts(value=[1.0, 2.0], kind=[0, 0], key=np.array([7, 8], object), id=np.array([1, "b"], object))
    assert v.to_arrow().column("key").to_pylist() == [7, 8]
    assert v.to_arrow().column("id").to_pylist() == ["1", "b"]
    assert compiled(v) == b"".join(row.to_json() + b"\n" for row in v)
    assert (plain(v[0])["key"], plain(v[0])["id"]) == (7, "1")


def test_a_mixture_of_texts_and_integers_is_no_column_of_keys():
    with pytest.raises(TypeError, match="all texts or all integers"):
        Verdicts(value=[1.0, 2.0], kind=[0, 0], key=np.array(["a", 8], object)).to_arrow()
