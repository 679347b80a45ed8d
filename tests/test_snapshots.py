"""The container: what goes in comes out, and nothing damaged, cut, foreign or newer is ever believed."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram import snapshots
from marigram.errors import SnapshotError

RECORD = np.dtype(
    {
        "names": ["flag", "level", "tail"],
        "formats": ["u1", "<f8", ("<f4", (3, 2))],
        "offsets": [0, 8, 16],
        "itemsize": 64,
    },
    align=True,
)


def example() -> dict[str, np.ndarray[Any, Any]]:
    rng = np.random.default_rng(5)
    records = np.zeros(7, RECORD)
    records["level"] = rng.normal(size=7)
    records["tail"] = rng.normal(size=(7, 3, 2))
    return {
        "records": records,
        "names": np.array(["a", "grün", ""]),
        "when": np.array(["2024-01-01", "NaT"], "M8[ns]"),
        "grid": rng.normal(size=(3, 4)).astype(np.float32),
        "none": np.zeros((0, 2)),
    }


def same(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def test_round_trip() -> None:
    meta = {"rows": 7, "alpha": 1e-3, "names": ["x", "ü"], "none": None}
    back, arrays = snapshots.unpack(snapshots.pack("test", meta, example()), "test")
    assert back == meta
    assert list(arrays) == list(example())
    assert all(same(arrays[name], array) for name, array in example().items())
    arrays["grid"][0, 0] = 1.0


def test_bytes_are_deterministic_and_hold_no_padding_garbage() -> None:
    clean, dirty = example(), example()
    dirty["records"].view(np.uint8).reshape(7, 64)[:, 45:] = 255
    assert snapshots.pack("test", {"b": 1, "a": 2}, clean) == snapshots.pack("test", {"a": 2, "b": 1}, dirty)


def test_file_equals_bytes(tmp_path: Path) -> None:
    path = tmp_path / "state.mg"
    path.write_bytes(b"old")
    snapshots.save(path, "test", {"x": 1}, example())
    assert path.read_bytes() == snapshots.pack("test", {"x": 1}, example())
    assert [p.name for p in tmp_path.iterdir()] == ["state.mg"]
    assert snapshots.load(path, "test")[0] == {"x": 1}


def test_pieces_and_mapped_arrays(tmp_path: Path) -> None:
    whole = example()["records"]
    pieces = snapshots.Pieces(whole.dtype, whole.shape, iter([whole[:2], whole[2:2], whole[2:]]))
    assert snapshots.pack("test", {}, {"a": pieces}) == snapshots.pack("test", {}, {"a": whole})
    with pytest.raises(ValueError, match="do not make it up"):
        snapshots.pack("test", {}, {"a": snapshots.Pieces(whole.dtype, whole.shape, [whole[2:]])})
    snapshots.save(tmp_path / "a", "test", {}, {"a": whole})
    _, arrays, let_go = snapshots.load_mapped(tmp_path / "a", "test")
    mapped = arrays["a"]
    assert same(mapped, whole)
    let_go()
    assert same(mapped, whole)
    assert not mapped.flags.writeable


def test_strided_arrays_are_saved_by_content() -> None:
    array = np.arange(20.0).reshape(4, 5)[::2, ::-1]
    _, arrays = snapshots.unpack(snapshots.pack("test", {}, {"a": array}), "test")
    assert np.array_equal(arrays["a"], array)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_every_flipped_bit_is_found(data: st.DataObject) -> None:
    packed = bytearray(snapshots.pack("test", {"x": 1}, example()))
    place = data.draw(st.integers(0, len(packed) * 8 - 1))
    packed[place // 8] ^= 1 << (place % 8)
    with pytest.raises(SnapshotError):
        snapshots.unpack(packed, "test")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_every_cut_and_every_tail_is_found(data: st.DataObject) -> None:
    packed = snapshots.pack("test", {"x": 1}, example())
    with pytest.raises(SnapshotError):
        snapshots.unpack(packed[: data.draw(st.integers(0, len(packed) - 1))], "test")
    with pytest.raises(SnapshotError):
        snapshots.unpack(packed + data.draw(st.binary(min_size=1, max_size=50)), "test")


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(SnapshotError):
        snapshots.unpack(data, "test")


def test_other_kind_and_newer_version_are_named() -> None:
    packed = snapshots.pack("detector", {}, {})
    with pytest.raises(SnapshotError, match="holds a detector, not a fleet"):
        snapshots.unpack(packed, "fleet")
    newer = packed[:8] + struct.pack("<I", 99) + packed[12:]
    with pytest.raises(SnapshotError, match="newer marigram"):
        snapshots.unpack(newer, "detector")


def test_objects_are_refused() -> None:
    with pytest.raises(SnapshotError, match="cannot be saved"):
        snapshots.pack("test", {}, {"a": np.array([object()])})


def test_missing_file_and_unwritable_folder_are_plain(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="No such file"):
        snapshots.load(tmp_path / "none", "test")
    with pytest.raises(SnapshotError, match="cannot write"):
        snapshots.save(tmp_path / "no" / "where", "test", {}, {})


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "state.mg"
    snapshots.save(path, "test", {"x": 1}, {})
    with pytest.raises(SnapshotError):
        snapshots.save(path, "test", {"x": 2}, {"ok": np.zeros(3), "bad": np.array([None])})
    assert snapshots.load(path, "test")[0] == {"x": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["state.mg"]


@pytest.mark.parametrize(
    "form", ["O", "|V8", "<f3", 3, [1], {"fields": []}, {"fields": [["a", "O", 0]]}, ["<f8", ["x"]]]
)
def test_unknown_dtypes_are_refused(form: Any) -> None:
    with pytest.raises(SnapshotError):
        snapshots.decode_dtype(form)


def test_dtypes_round_trip() -> None:
    for dtype in (RECORD, np.dtype("<f8"), np.dtype([("a", RECORD, (2,)), ("b", "S3")])):
        assert snapshots.decode_dtype(snapshots.encode_dtype(dtype)) == dtype
