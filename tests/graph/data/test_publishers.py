"""Public files are read in the form in which their publishers ship them; each test writes a small one."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError

KIND = ("node", "edge", "node")


def heterophilous(path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, 3, (10, 6))
    np.savez(
        path,
        node_features=rng.random((6, 3)).astype(np.float32),
        node_labels=np.array([0, 1, 0, 0, 1, 0]),
        edges=np.array([[0, 1], [2, 5]]),
        **{f"{part}_masks": masks == number for number, part in enumerate(("train", "val", "test"))},
    )


@pytest.mark.parametrize("name", ["tolokers", "questions"])
def test_heterophilous_files(tmp_path: Path, name: str) -> None:
    heterophilous(tmp_path / f"{name}.npz")
    graph = mgg.read_published(name, tmp_path / f"{name}.npz", split=9)
    nodes = graph.nodes["node"]
    assert (graph.split_count, nodes.split) == (10, 9)
    assert graph.edges[KIND].dst.tolist() == [1, 5]
    assert (nodes.train_mask | nodes.val_mask | nodes.test_mask).all()


def elliptic(folder: Path, **changes: str) -> Path:
    files = {
        "elliptic_txs_features.csv": "".join(
            f"{100 + i},{step},0.5,-{i}.25\n" for i, step in enumerate((1, 25, 26, 35))
        ),
        "elliptic_txs_classes.csv": "txId,class\n101,1\n100,2\n103,unknown\n102,2\n",
        "elliptic_txs_edgelist.csv": "txId1,txId2\n100,101\n103,102\n",
    }
    for name, text in (files | {f"elliptic_txs_{key}.csv": text for key, text in changes.items()}).items():
        (folder / name).write_text(text)
    return folder


def test_elliptic(tmp_path: Path) -> None:
    graph = mgg.read_published("elliptic", elliptic(tmp_path))
    nodes = graph.nodes["node"]
    assert nodes.ids.to_pylist() == [100, 101, 102, 103]
    assert nodes.labels.tolist() == [0, 1, 0, -1]
    assert nodes.splits.tolist() == [[1, 1, 2, 0]]
    assert nodes.time.tolist() == [1, 25, 26, 35]
    assert nodes.attributes.numeric.tolist() == [[0.5, -0.25], [0.5, -1.25], [0.5, -2.25], [0.5, -3.25]]
    assert graph.edges[KIND].src.tolist() == [0, 3]
    assert graph.edges[KIND].time.tolist() == [25, 35]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"classes": "txId,class\n100,2\n"}, "transaction 101 has none"),
        ({"classes": "txId,class\n101,1\n100,2\n103,3\n102,2\n"}, "row 2: label 3 is none"),
        ({"edgelist": "txId1,txId2\n100,7\n"}, "edges: txId2 of row 0: there is no node 7"),
    ],
)
def test_damaged_elliptic_is_refused(tmp_path: Path, changes: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        mgg.read_published("elliptic", elliptic(tmp_path, **changes))


def test_dgraphfin(tmp_path: Path) -> None:
    path = tmp_path / "dgraphfin.npz"
    theirs: dict[str, Any] = {
        "x": np.array([[-1.0] * 17] * 5),
        "y": np.array([0, 1, 2, 3, 0]),
        "edge_index": np.array([[0, 1], [3, 2], [4, 4]]),
        "edge_type": np.array([11, 1, 11]),
        "edge_timestamp": np.array([5, 821, 1]),
        "train_mask": np.array([0]),
        "valid_mask": np.array([4]),
        "test_mask": np.array([1]),
    }
    np.savez(path, **theirs)
    graph = mgg.read_published("dgraphfin", path)
    assert graph.nodes["node"].labels.tolist() == [0, 1, -1, -1, 0]
    assert graph.nodes["node"].splits.tolist() == [[1, 3, 0, 0, 2]]
    assert graph.edges["node", "11", "node"].time.tolist() == [5, 1]
    assert graph.edges["node", "1", "node"].src.tolist() == [3]
    np.savez(path, **{name: values for name, values in theirs.items() if name != "edge_timestamp"})
    with pytest.raises(InputError, match="no array 'edge_timestamp'"):
        mgg.read_published("dgraphfin", path)


@pytest.mark.parametrize(
    ("name", "relations", "count"),
    [("yelpchi", ("net_rur", "net_rtr", "net_rsr"), 4), ("amazon", ("net_upu", "net_usu", "net_uvu"), 3307)],
)
def test_matlab_files(tmp_path: Path, name: str, relations: tuple[str, ...], count: int) -> None:
    sparse = pytest.importorskip("scipy.sparse")
    io = pytest.importorskip("scipy.io")
    half = sparse.coo_matrix((np.ones(2), ([0, 2], [count - 1, 2])), (count, count))
    nets = {relation: (half + half.T).tocsc() for relation in relations}
    label = np.zeros((1, count))
    label[0, -1] = 1
    features = sparse.csc_matrix(np.arange(count * 2.0).reshape(count, 2))
    io.savemat(
        tmp_path / "file.mat", {"features": features, "label": label, "homo": nets[relations[0]], **nets}
    )
    graph = mgg.read_published(name, tmp_path / "file.mat")
    (node,) = graph.nodes
    assert list(graph.edges) == [(node, relation, node) for relation in relations]
    for table in graph.edges.values():
        assert sorted(zip(table.src.tolist(), table.dst.tolist(), strict=True)) == [(0, count - 1), (2, 2)]
    unknown = 3305 if name == "amazon" else 0
    assert graph.nodes[node].labels.tolist() == [-1] * unknown + [0] * (count - unknown - 1) + [1]
    assert graph.nodes[node].attributes.numeric[-1].tolist() == [2 * count - 2, 2 * count - 1]

    io.savemat(
        tmp_path / "file.mat", {"features": features, "label": label, **nets, relations[0]: half.tocsc()}
    )
    with pytest.raises(InputError, match="is not a symmetric matrix"):
        mgg.read_published(name, tmp_path / "file.mat")


class Harmful:
    """What a hostile pickle holds: a call that leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.trace,)


def test_weibo(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from torch_geometric.data import Data

    data = Data(
        x=torch.rand(3, 2), edge_index=torch.tensor([[0, 1], [2, 2]]), y=torch.tensor([True, False, False])
    )
    torch.save(data, tmp_path / "weibo.pt")
    with zipfile.ZipFile(tmp_path / "weibo.pt.zip", "w") as archive:
        archive.write(tmp_path / "weibo.pt", "weibo.pt")
    for name in ("weibo.pt", "weibo.pt.zip"):
        graph = mgg.read_published("weibo", tmp_path / name)
        assert graph.nodes["node"].labels.tolist() == [1, 0, 0]
        np.testing.assert_array_equal(graph.nodes["node"].attributes.numeric, data.x.numpy())


def test_a_torch_file_that_would_run_something_is_refused(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save(Harmful(tmp_path / "trace"), tmp_path / "weibo.pt")
    with pytest.raises(InputError, match="without running what is in it"):
        mgg.read_published("weibo", tmp_path / "weibo.pt")
    assert not (tmp_path / "trace").exists()
    torch.save(torch.ones(2), tmp_path / "weibo.pt")
    with pytest.raises(InputError, match="holds Tensor, not a PyG Data"):
        mgg.read_published("weibo", tmp_path / "weibo.pt")


def test_what_is_not_known_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=re.escape(", ".join(mgg.PUBLISHED))):
        mgg.read_published("cora", tmp_path)
    with pytest.raises(InputError, match="no such file"):
        mgg.read_published("weibo", tmp_path / "weibo.pt")
