"""A table of verdicts: what its columns, rows and parts hold."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.kinds import Kind
from marigram.verdicts import FIELDS, Verdict, Verdicts


def table(n=10, d=1, drifts=(2, 7), seed=0):
    rng = np.random.default_rng(seed)
    shape, levels = ((n,), (len(drifts),)) if d == 1 else ((n, d), (len(drifts), d))
    return Verdicts(
        value=rng.normal(size=shape),
        kind=rng.integers(0, 7, n),
        key=rng.choice(np.array(["a", "b", None], object), n),
        p_value=rng.random(n),
        lower=rng.normal(size=shape),
        notice=rng.random(n) < 0.5,
        drift_rows=drifts,
        changed_at=rng.integers(0, 9, len(drifts)),
        before=rng.normal(size=levels),
        after=rng.normal(size=levels),
        resolves=rng.integers(-1, 9, len(drifts)),
    )


indices = st.one_of(
    st.slices(10),
    st.lists(st.integers(-10, 9)),
    st.lists(st.booleans(), min_size=10, max_size=10),
    st.lists(st.booleans(), min_size=10, max_size=10).map(np.array),
)


@given(index=indices, d=st.sampled_from([1, 3]), drifts=st.sets(st.integers(0, 9)).map(sorted))
def test_a_part_holds_the_same_as_the_columns_parts(index, d, drifts):
    v = table(d=d, drifts=drifts)
    part = v[index]
    rows = np.arange(10)[index if isinstance(index, slice) or len(index) else np.array([], int)]
    assert len(part) == len(rows)
    for name in FIELDS:
        np.testing.assert_array_equal(part[name], v[name][rows])


@given(st.lists(st.integers(0, 10), max_size=4).map(sorted), st.sampled_from([1, 3]))
def test_joined_parts_are_the_whole(cuts, d):
    v = table(d=d)
    edges = [0, *cuts, 10]
    whole = Verdicts.concat(v[a:b] for a, b in pairwise(edges))
    for name in FIELDS:
        np.testing.assert_array_equal(whole[name], v[name])


def test_a_row_is_a_verdict_with_plain_values():
    v = table()
    row = v[2]
    assert isinstance(row, Verdict)
    assert row.kind is Kind(int(v["kind"][2]))
    assert type(row.value) is float
    assert type(row.seq) is int
    assert type(row.notice) is bool
    assert row.value == v["value"][2]
    assert row.before == v["before"][2]
    assert row.why == [1.0]
    assert v[3].before is None
    assert v[3].changed_at is None
    assert v[-1].seq == 9
    assert [x.seq for x in v] == list(range(10))


def test_a_row_of_vectors_holds_lists():
    row = table(d=3)[2]
    assert len(row.value) == len(row.before) == len(row.why) == 3
    assert all(np.isnan(row.upper))


def test_rows_that_are_not_there_are_refused():
    v = table()
    for row in (10, -11):
        with pytest.raises(IndexError, match="of 10"):
            v[row]
    with pytest.raises(IndexError, match="mask"):
        v[np.ones(3, bool)]
    with pytest.raises(KeyError, match="no field of a verdict"):
        v["vlaue"]


def test_columns_that_were_not_given_hold_their_nulls():
    v = Verdicts(value=[1.0, 2.0], kind=[0, 1])
    assert np.isnan(v["p_value"]).all()
    assert np.isnan(v["score"]).all()
    assert v["seq"].tolist() == [0, 1]
    assert v["time"].tolist() == [np.iinfo(np.int64).min] * 2
    assert v["key"].tolist() == [None, None]
    assert v["changed_at"].tolist() == [-1, -1]
    assert v["why"].tolist() == [[1.0], [1.0]]
    assert v["kind"].dtype == np.uint8
    assert np.isnan(Verdicts(value=[[1.0, 2.0]], kind=[0])["why"]).all()


def test_the_score_is_that_of_p_and_has_a_ceiling():
    v = Verdicts(value=np.zeros(5), kind=np.zeros(5), p_value=[1.0, 1e-3, 0.0, 5e-324, np.nan])
    assert v["score"][:4] == pytest.approx([0.0, 3.0, 300.0, 300.0])
    assert not np.signbit(v["score"][0])
    assert np.isnan(v["score"][4])


def test_columns_cannot_be_written_to_and_the_callers_stay_theirs():
    values = np.array([1.0, 2.0])
    v = Verdicts(value=values, kind=[0, 0])
    for name in FIELDS:
        with pytest.raises(ValueError, match="read-only"):
            v[name][0] = v[name][1]
    values[0] = 5.0


def test_wrong_shapes_are_refused_with_the_name():
    with pytest.raises(ValueError, match=r"kind must be of shape \(2,\)"):
        Verdicts(value=[1.0, 2.0], kind=[0])
    with pytest.raises(ValueError, match=r"expected must be of shape \(2, 3\)"):
        Verdicts(value=np.zeros((2, 3)), kind=[0, 0], expected=[0.0, 0.0])
    with pytest.raises(ValueError, match="before must be"):
        Verdicts(value=[1.0, 2.0], kind=[0, 0], drift_rows=[1], before=[1.0, 2.0])
    with pytest.raises(ValueError, match="different d"):
        Verdicts.concat([table(), table(d=3)])


def test_one_coordinate_may_come_as_a_matrix():
    v = Verdicts(value=np.ones((4, 1)), kind=np.zeros(4), expected=np.ones((4, 1)), why=np.ones((4, 1)))
    assert v.d == 1
    assert v["value"].shape == v["expected"].shape == (4,)


def test_nothing_is_a_table_too():
    v = Verdicts.concat([])
    assert len(v) == 0
    assert v.json_lines() == b""
    assert v.to_arrow().num_rows == 0
    assert v.summary()["rows"] == 0
    assert repr(v) == "Verdicts(0 rows)"


def test_the_summary_counts():
    v = Verdicts(
        value=np.zeros(4), kind=[0, 1, 1, 2], key=["a", "b", "a", "a"], notice=[False, True, False, True]
    )
    summary = v.summary()
    assert (summary["rows"], summary["keys"], summary["notices"], summary["late"]) == (4, 2, 2, 0)
    assert {name: count for name, count in summary["kinds"].items() if count} == {
        "normal": 1,
        "anomaly": 2,
        "drift": 1,
    }
    assert repr(v) == "Verdicts(4 rows: 1 normal, 2 anomaly, 1 drift)"
