"""The safetensors files: what goes in comes out, the reference package reads them, and what is damaged is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn

from marigram.errors import SnapshotError
from marigram.graph.detectors.safetensors import pack_tensors, unpack_tensors

KINDS = [np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64]
ARRAYS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.sampled_from(KINDS).flatmap(
        lambda kind: hn.arrays(kind, hn.array_shapes(min_dims=0, min_side=0, max_side=4))
    ),
    max_size=4,
)


def some() -> dict[str, np.ndarray[Any, Any]]:
    return {
        "b": np.arange(6, dtype=np.int32).reshape(2, 3),
        "a": np.array([1.5, np.nan]),
        "c": np.array([True]),
    }


@given(ARRAYS, st.dictionaries(st.text(), st.text(), max_size=2))
def test_what_goes_in_comes_out(arrays: dict[str, Any], about: dict[str, str]) -> None:
    again, told = unpack_tensors(pack_tensors(arrays, about))
    assert told == about
    assert set(again) == set(arrays)
    for name, array in arrays.items():
        assert again[name].dtype == array.dtype
        np.testing.assert_array_equal(again[name], array)


def test_the_reference_package_reads_it() -> None:
    numpy = pytest.importorskip("safetensors.numpy", reason="this machine lacks safetensors")
    for name, array in numpy.load(pack_tensors(some(), {"x": "y"})).items():
        np.testing.assert_array_equal(array, some()[name])
    ours, _ = unpack_tensors(numpy.save(some()))
    for name, array in ours.items():
        np.testing.assert_array_equal(array, some()[name])


@given(st.integers(0, 300), st.integers(1, 255))
def test_damage_is_refused_or_changes_no_shape(place: int, change: int) -> None:
    """Damage to values is for the checksum to see; here none may crash or read beyond the file."""
    content = bytearray(pack_tensors(some(), {}))
    content[place % len(content)] ^= change
    try:
        again, _ = unpack_tensors(bytes(content))
    except SnapshotError:
        return
    assert sum(array.nbytes for array in again.values()) <= len(content)


@pytest.mark.parametrize("cut", [0, 4, 9, 60, -1])
def test_a_file_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(SnapshotError, match="not a file of tensors"):
        unpack_tensors(pack_tensors(some(), {})[:cut])


def test_bytes_left_over_and_unknown_types_are_refused() -> None:
    with pytest.raises(SnapshotError, match="left over"):
        unpack_tensors(pack_tensors(some(), {}) + b"x")
    with pytest.raises(SnapshotError, match="cannot be saved"):
        pack_tensors({"a": np.array(["text"])}, {})
