"""Hashed features: the same everywhere, unbiased, named again, and refused with a reason."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import marigram as mg
from marigram.errors import ParameterError

FIELDS = st.dictionaries(
    st.sampled_from("abcdef"),
    st.one_of(st.text(max_size=3), st.floats(allow_nan=False, width=32), st.booleans(), st.none()),
    max_size=5,
)


@given(st.lists(FIELDS, max_size=6), st.integers(1, 50), st.integers(0, 3))
def test_rows_are_well_formed_and_one_by_one_as_together(records, d, seed):
    rows = mg.hash_features(records, d, seed=seed)
    assert rows.shape == (len(records), d)
    alone = [mg.hash_features([record], d, seed=seed).to_dense() for record in records]
    assert np.array_equal(rows.to_dense(), np.concatenate([np.zeros((0, d)), *alone]))


def test_collisions_add_up_with_their_signs():
    rows = mg.hash_features([{"a": 2.0, "b": 3.0}], 1)
    assert abs(rows.to_dense()[0, 0]) in (1.0, 5.0)
    assert set(rows.names(0)) == {"a", "b"}


def test_inner_products_are_unbiased():
    a, b = {f"f{i}": 1.0 for i in range(20)}, {f"f{i}": 1.0 for i in range(10, 30)}
    found = []
    for seed in range(400):
        x = mg.hash_features([a, b], 16, seed=seed).to_dense()
        found.append(x[0] @ x[1])
    error = np.std(found) / np.sqrt(len(found))
    assert abs(np.mean(found) - 10.0) < 4.5 * error  # a fixed sample: fails by chance at 7e-6
    assert error < 1.0


def test_coordinates_are_spread_evenly():
    rows = mg.hash_features([{"word": f"w{i}"} for i in range(64_000)], 64)
    counts = np.bincount(rows.indices, minlength=64)
    assert np.sum((counts - 1000.0) ** 2 / 1000.0) < 120.0  # chi-squared with 63 degrees: 2e-5
    assert abs(rows.values.sum()) < 4.5 * np.sqrt(64_000)


def test_another_process_agrees():
    code = (
        "import marigram as mg; r = mg.hash_features([{'a': 'x', 'b': 1.5}]);"
        "print(r.indices.tolist(), r.values.tolist())"
    )
    rows = mg.hash_features([{"a": "x", "b": 1.5}])
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert said.strip() == f"{rows.indices.tolist()} {rows.values.tolist()}"


def test_words_and_members_are_features():
    rows = mg.hash_features([{"msg": "to be or", "tags": {"x", "y"}, "n": 3, "ok": True}], text=["msg"])
    names = {name for j in rows.indices for name in rows.names(int(j))}
    assert names == {"msg=to", "msg=be", "msg=or", "tags=x", "tags=y", "n", "ok=true"}
    assert mg.hash_features([{"msg": "to be or"}]).names(0) == ()
    assert set(map(abs, rows.values.tolist())) == {1.0, 3.0}


def test_slices_keep_values_and_names():
    rows = mg.hash_features([{"k": str(i), "v": float(i)} for i in range(10)], 32)
    assert np.array_equal(rows[3:7].to_dense(), rows.to_dense()[3:7])
    assert len(rows[7:3]) == 0
    assert rows[3:7].names(int(rows.indices[0])) == rows.names(int(rows.indices[0]))


def test_matrices_of_scipy_are_taken():
    dense = np.array([[0.0, 2.0, 0.0], [1.0, 0.0, -1.0]])
    for kind in (sparse.csr_matrix, sparse.coo_matrix, sparse.csc_array):
        assert np.array_equal(mg.SparseRows.of(kind(dense)).to_dense(), dense)


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: mg.hash_features([1]), "mapping"),  # type: ignore[list-item]
        (lambda: mg.hash_features([{"a": object()}]), "'a'"),
        (lambda: mg.hash_features([{"a": [1.5]}]), "'a'"),
        (lambda: mg.hash_features([], 0), "dimension"),
        (lambda: mg.hash_features([], seed=-1), "seed"),
        (lambda: mg.SparseRows([0, 1], [5], [1.0], 5), r"\[0, 5\)"),
        (lambda: mg.SparseRows([0, 2], [1, 1], [1.0, 1.0], 5), "increase"),
        (lambda: mg.SparseRows([0, 2], [1], [1.0], 5), "indptr"),
        (lambda: mg.SparseRows([0, 1], [1], [1.0, 2.0], 5), "values"),
        (lambda: mg.SparseRows([0], np.zeros((1, 1), int), [], 5), "indices"),
        (lambda: mg.SparseRows.of(np.eye(2)), "SciPy"),
        (lambda: mg.hash_features([{"a": "x"}]).names(-1), "coordinate"),
    ],
)
def test_what_is_wrong_is_refused(make, names):
    with pytest.raises(ParameterError, match=names):
        make()


def test_a_number_that_is_none_stays_one():
    rows = mg.hash_features([{"a": float("nan")}, {"a": float("inf"), "b": 10**400}])
    assert not np.isfinite(rows.values).any()
