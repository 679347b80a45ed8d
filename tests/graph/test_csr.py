"""Sorted edges against SciPy and a plain twin; what is mapped from files equals what is in memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from marigram import snapshots
from marigram.errors import ParameterError, SnapshotError
from marigram.graph.csr import CSR

edge_lists = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(-5, 5)), max_size=30)


def ends(edges):
    return tuple(np.array([edge[i] for edge in edges], np.int64) for i in range(3))


@given(edge_lists, st.booleans())
def test_rows_are_sorted_by_time_or_neighbour(edges, timed):
    rows, columns, times = ends(edges)
    csr = CSR.build(rows, columns, (7, 5), times if timed else None)
    for row in range(7):
        mine = slice(csr.indptr[row], csr.indptr[row + 1])
        expected = sorted(np.flatnonzero(rows == row), key=lambda e: times[e] if timed else columns[e])
        assert csr.edge[mine].tolist() == expected
        assert csr.indices[mine].tolist() == columns[expected].tolist()
        assert csr.times[mine].tolist() == (times[expected].tolist() if timed else [])
        assert (csr.receivers[mine] == row).all()


@given(edge_lists)
def test_the_transpose_equals_scipys(edges):
    rows, columns, _ = ends(edges)
    csr = CSR.build(rows, columns, (7, 5))
    matrix = sparse.csr_array((np.arange(len(csr)) + 1, csr.indices, csr.indptr), shape=(7, 5))
    expected = matrix.T.tocsr()
    turned = csr.transposed
    assert turned.indptr.tolist() == expected.indptr.tolist()
    assert turned.indices.tolist() == expected.indices.tolist()
    assert (turned.edge + 1).tolist() == expected.data.tolist()
    assert csr.transposed is turned


@given(edge_lists, st.booleans(), st.integers(1, 7))
def test_edges_larger_than_memory_are_placed_chunk_by_chunk(tmp_path_factory, edges, timed, size):
    rows, columns, times = ends(sorted(edges, key=lambda edge: edge[2]) if timed else edges)
    path = tmp_path_factory.mktemp("csr") / "edges"

    def chunks():
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            yield rows[part], columns[part], times[part] if timed else None

    mapped = CSR.build_file(path, chunks, (7, 5))
    whole = CSR.build(rows, columns, (7, 5), times if timed else np.zeros(len(rows), np.int64))
    for name in ("indptr", "indices", "edge"):
        assert getattr(mapped, name).tolist() == getattr(whole, name).tolist()
    assert mapped.times.tolist() == (whole.times.tolist() if timed else [])
    assert [file.name for file in path.parent.iterdir()] == ["edges"]


def test_the_arrays_are_read_only_and_the_callers_stay_as_they_are():
    rows = np.array([1, 0])
    csr = CSR.build(rows, rows, (2, 2))
    assert not any(a.flags.writeable for a in (csr.indptr, csr.indices, csr.edge, csr.times))
    assert rows.flags.writeable


@pytest.mark.parametrize(
    ("rows", "columns", "times", "words"),
    [
        ([0, 3], [0, 0], None, "edge 1 has row 3, legal are 0 to 2"),
        ([0, -1], [0, 0], None, "edge 1 has row -1"),
        ([0, 0], [0, 2], None, "edge 1 has columns 2, legal are 0 to 1"),
        ([0], [0, 1], None, "equally many"),
        ([0], [0], [1, 2], "equally many"),
        ([0.5], [0], None, "integers"),
    ],
)
def test_what_is_no_edge_is_refused(rows, columns, times, words):
    with pytest.raises(ParameterError, match=words):
        CSR.build(rows, columns, (3, 2), times)


def test_chunks_that_contradict_each_other_are_refused(tmp_path):
    def build(*chunks):
        return CSR.build_file(tmp_path / "x", lambda: iter(chunks), (3, 3))

    one = np.array([1])
    with pytest.raises(ParameterError, match="edge 1 is earlier"):
        build((one, one, one), (one, one, one - 1))
    with pytest.raises(ParameterError, match="all chunks"):
        build((one, one, one), (one, one, None))
    passes = iter([[(one, one, None)], []])
    with pytest.raises(ParameterError, match="second pass"):
        CSR.build_file(tmp_path / "x", lambda: next(passes), (3, 3))


def test_a_file_that_would_lead_a_kernel_astray_is_refused(tmp_path):
    csr = CSR.build([0, 1], [1, 0], (2, 2))
    sound = {"indptr": csr.indptr, "indices": csr.indices, "edge": csr.edge, "times": csr.times}
    for change in (
        {"indices": csr.indices + 1},
        {"indptr": csr.indptr * 2},
        {"indptr": csr.indptr[::-1]},
        {"times": csr.edge[:1]},
        {"edge": csr.edge.astype(float)},
    ):
        snapshots.save(tmp_path / "x", "csr", {"columns": 2}, {**sound, **change})
        with pytest.raises(SnapshotError, match="contradict"):
            CSR.load(tmp_path / "x")
    snapshots.save(tmp_path / "x", "csr", {"columns": 2}, {"indptr": csr.indptr})
    with pytest.raises(SnapshotError, match="other arrays"):
        CSR.load(tmp_path / "x")
