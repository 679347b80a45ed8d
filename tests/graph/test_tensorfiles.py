"""Files of tensors: what was saved comes back, anything else is refused in words, and a kill leaves the former file."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.errors import SnapshotError
from marigram.graph.tensorfiles import load_tensors, save_tensors

META = {"names": ["a", "é"], "number": 0.1, "nothing": None}
ARRAYS = {
    "weights/0": np.arange(6, dtype=np.float32).reshape(2, 3), "flags": np.array([True, False]),
    "empty": np.empty((0, 4)), "single": np.array(7), "turned": np.arange(6).reshape(2, 3).T,
}  # fmt: skip


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tensors") / "some.safetensors"
    save_tensors(path, "thing", 3, META, ARRAYS)
    return path


def test_what_was_saved_comes_back(saved: Path) -> None:
    meta, arrays = load_tensors(saved, "thing", 3)
    assert meta == META
    assert arrays.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert arrays[name].dtype == array.dtype
        np.testing.assert_array_equal(arrays[name], array)


def test_the_same_content_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    turned = dict(reversed(ARRAYS.items()))
    save_tensors(tmp_path / "other", "thing", 3, dict(reversed(META.items())), turned)
    assert (tmp_path / "other").read_bytes() == saved.read_bytes()


def test_the_reference_package_reads_it(saved: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy", reason="this machine lacks safetensors")
    for name, array in numpy.load_file(saved).items():
        np.testing.assert_array_equal(array, ARRAYS[name])


@given(place=st.integers(0), bit=st.integers(0, 7))
def test_no_bit_may_be_flipped(
    saved: Path, tmp_path_factory: pytest.TempPathFactory, place: int, bit: int
) -> None:
    content = bytearray(saved.read_bytes())
    content[place % len(content)] ^= 1 << bit
    other = tmp_path_factory.getbasetemp() / "flipped"
    other.write_bytes(content)
    with pytest.raises(SnapshotError):
        load_tensors(other, "thing", 3)


@given(share=st.floats(0, 1, exclude_max=True))
def test_none_may_be_missing(saved: Path, tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    content = saved.read_bytes()
    other = tmp_path_factory.getbasetemp() / "cut"
    other.write_bytes(content[: int(share * len(content))])
    with pytest.raises(SnapshotError, match="damaged or cut short"):
        load_tensors(other, "thing", 3)


def test_other_kinds_versions_and_pickles_are_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="holds no person but marigram thing"):
        load_tensors(saved, "person", 3)
    with pytest.raises(SnapshotError, match="is of version 3; this marigram reads 4"):
        load_tensors(saved, "thing", 4)
    for number in range(2, pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "pickled").write_bytes(pickle.dumps(ARRAYS, number))
        with pytest.raises(SnapshotError, match="holds no thing"):
            load_tensors(tmp_path / "pickled", "thing", 3)
    with pytest.raises(SnapshotError, match="cannot read"):
        load_tensors(tmp_path / "none", "thing", 3)
    with pytest.raises(SnapshotError, match="cannot be saved"):
        save_tensors(tmp_path / "text", "thing", 3, {}, {"name": np.array(["a"])})
    assert not (tmp_path / "text").exists()


SLOW = """
import os, sys, time
import numpy as np
from marigram.graph.tensorfiles import save_tensors
place, moment = sys.argv[1:]
def wait(*_):
    print("there", flush=True)
    time.sleep(60)
setattr(os, moment, wait)
save_tensors(place, "thing", 3, {"number": 2}, {"many": np.zeros(1 << 20)})
"""


@pytest.mark.parametrize("moment", ["fsync", "replace"])
def test_a_kill_while_saving_leaves_the_former_file(moment: str, tmp_path: Path) -> None:
    """Stopped when all is written and nothing durable, and when all is durable and not yet in place."""
    path = tmp_path / "kept.safetensors"
    save_tensors(path, "thing", 3, {"number": 1}, ARRAYS)
    source = Path(__file__).parents[2] / "src"
    saving = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(path), moment], stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip
    assert saving.stdout is not None
    assert saving.stdout.readline() == b"there\n"
    assert any(other.stat().st_size > 1 << 20 for other in tmp_path.iterdir() if other != path)
    saving.send_signal(signal.SIGKILL)
    saving.wait()
    saving.stdout.close()
    assert load_tensors(path, "thing", 3)[0] == {"number": 1}
    save_tensors(path, "thing", 3, {"number": 3}, ARRAYS)
    assert load_tensors(path, "thing", 3)[0] == {"number": 3}
