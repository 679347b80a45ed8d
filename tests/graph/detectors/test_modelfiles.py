"""A saved model is the same model; what is damaged, foreign or able to run is refused."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.graph.detectors.graphs import QUICK, planted

from marigram import graph as mgg
from marigram import snapshots
from marigram.errors import InputError, SnapshotError
from marigram.graph.detectors.modelfiles import _refuse_pickle
from marigram.graph.detectors.safetensors import pack_tensors


@pytest.fixture(scope="module")
def graph() -> mgg.Graph:
    return planted(0, by="neighbours", n=300)


@pytest.fixture(scope="module")
def model(graph: mgg.Graph) -> mgg.NodeDetector:
    return mgg.NodeDetector(hops=2, trees=QUICK, self_train=mgg.SelfTraining(ratio=2)).fit(graph)


def test_a_loaded_model_is_the_same(graph: mgg.Graph, model: mgg.NodeDetector, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    again = mgg.NodeDetector.load(tmp_path / "model")
    for which in ("best", "graph", "control"):
        np.testing.assert_array_equal(again.score(graph, which), model.score(graph, which))
    assert again.report == model.report
    assert again.explain(3, graph) == model.explain(3)
    again.save(tmp_path / "again")
    for file in (tmp_path / "model").iterdir():
        if file.name != "model.json":
            assert (tmp_path / "again" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("kind", ["unsupervised", "sage"])
def test_other_kinds_are_saved_too(kind: str, graph: mgg.Graph, tmp_path: Path) -> None:
    if kind == "sage":
        pytest.importorskip("torch")
    first = mgg.NodeDetector(kind, hops=1, trees=QUICK).fit(graph)
    first.save(tmp_path)
    again = mgg.NodeDetector.load(tmp_path)
    np.testing.assert_array_equal(again.score(graph), first.score(graph))
    assert again.verdict == first.verdict


def test_no_file_holds_a_pickle(model: mgg.NodeDetector, tmp_path: Path) -> None:
    model.save(tmp_path)
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors", ".txt"}
    for file in tmp_path.iterdir():
        with pytest.raises(Exception):  # noqa: B017, PT011 - whatever pickle makes of it
            pickle.loads(file.read_bytes())  # noqa: S301 - our own file


def test_any_changed_byte_is_refused(model: mgg.NodeDetector, tmp_path: Path) -> None:
    model.save(tmp_path)
    files = [file for file in sorted(tmp_path.iterdir()) if file.name != "model.json"]
    for file in files:
        content = file.read_bytes()
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        with pytest.raises(SnapshotError):
            mgg.NodeDetector.load(tmp_path)
        file.write_bytes(content)
    mgg.NodeDetector.load(tmp_path)


def test_a_missing_file_a_foreign_head_and_a_newer_version_are_refused(
    model: mgg.NodeDetector, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no such folder"):
        mgg.NodeDetector.load(tmp_path / "nowhere")
    with pytest.raises(SnapshotError, match=r"no model\.json"):
        mgg.NodeDetector.load(tmp_path)
    model.save(tmp_path)
    head = json.loads((tmp_path / "model.json").read_text())
    for change in ({"version": 99}, {"format": "other"}, {"files": {}}, {"about": {}}):
        (tmp_path / "model.json").write_text(json.dumps(head | change))
        with pytest.raises(SnapshotError):
            mgg.NodeDetector.load(tmp_path)
    outside = {"../best.safetensors": head["files"]["best.safetensors"]}
    (tmp_path / "model.json").write_text(json.dumps(head | {"files": outside}))
    with pytest.raises(SnapshotError, match="outside"):
        mgg.NodeDetector.load(tmp_path)


def test_a_pickle_is_refused_before_it_is_opened(model: mgg.NodeDetector, tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(SnapshotError, match="pickle"):
        mgg.NodeDetector.load(file)
    model.save(tmp_path / "model")
    (file,) = (tmp_path / "model").glob("*.best.safetensors")
    file.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(SnapshotError, match="pickle"):
        mgg.NodeDetector.load(tmp_path / "model")


def test_a_save_that_is_cut_off_leaves_the_former_model_and_one_that_is_not_leaves_nothing_of_it(
    graph: mgg.Graph, model: mgg.NodeDetector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class CutError(Exception):
        pass

    other = mgg.NodeDetector("unsupervised", hops=1).fit(graph)
    replace_file, left = snapshots.replace_file, 0

    def cut(path: Path, write: Callable[[Any], object]) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise CutError
        replace_file(path, write)

    other.save(tmp_path)
    monkeypatch.setattr(snapshots, "replace_file", cut)
    for calls in range(99):
        left = calls
        try:
            model.save(tmp_path)
        except CutError:
            np.testing.assert_array_equal(mgg.NodeDetector.load(tmp_path).score(graph), other.score(graph))
        else:
            break
    assert calls > 3
    assert mgg.NodeDetector.load(tmp_path).fingerprint() == model.fingerprint()
    assert len(list(tmp_path.iterdir())) == calls


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_tensors_whose_header_is_as_long_as_a_pickle_begins_are_no_pickle(length: int) -> None:
    content = next(
        found
        for more in range(length)
        if int.from_bytes((found := pack_tensors({"a": np.zeros(3)}, {"meta": " " * more}))[:8], "little")
        == length
    )
    assert content.startswith(b"\x80")
    _refuse_pickle(Path("a.safetensors"), content)
    with pytest.raises(SnapshotError, match="is a pickle"):
        _refuse_pickle(Path("a.safetensors"), pickle.dumps([1], length >> 8))
