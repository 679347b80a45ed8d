"""Public files are read in the form in which their publishers ship them; each test writes a small one."""

from __future__ import annotations

import base64
import contextlib
import re
import zipfile
import zlib
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


SAVED_BY_DGL = {
    "coo": (
        "c-pgHxW(;*zusLY1_*%Bj0~e-6pVsVFbYP&C>RB!U=)mkQ7{Td!6+CmKtKSMzu!yAbl?1lyZf_P6#m8A+*SX0pH=8`&Rs^da"
        "RK{<Tc&+*h`Y;xCJv?@7~$gxXvPz*AI9fE(@(BGxP<z`E#E#Q=z%>1!t79b*m)S_k<0%R@3KJoEJPZ}3gv4+X=XHYnaK1Yy1"
        "9&K=A#EV6Ora(0!B0+!}u^4a6##k)Z&u(+{EJSVqA8B+`!1e2seodYhW`naza^Ui8&M+$Ouu%4Rc~qVrCv?MlwQ`!hD~Tn3S"
        "4>&oEG+q8sLbrVdw-GvW}30d^>zmYP^nT9k^<8B7Y8&QL(h8w?B$KzzU+;z9)=b^zi82VBm8nG^4aA>t~4rWRH*!o&dv0DXJ"
    ),
    "csr": (
        "c-pgHxW(;*zusLY1_*%Bj0~e-6pVsVFbYP&C>RB!U=)mkQ7{Td!6+CmKtKSMzu!yAbl?1lyZf_P6#m8A+*SX0pH=8`&Rs^da"
        "RK{<Tc&+*h`Y;xCJv?@7~$gxXvPz*AI9fE(@(BGxP<z`E#E#QKn6TOV(d_Q*m)S{5f&()g-8Qgp?nQA^I#riMl+9<Ommsh)G"
        "=YxM~1nKINZsED@CxN@nHsXLFtmz;*$8>#NzB?TuuR}B@RXmt5D;Fk&zS1Dof0v&_G6rN^Y1FixM;QC^M1~subq?oW!Km9DI"
        "g>!XDi)2Q+oKf}9bDI1I2u>9o|ulG377e9mA}z;uQJS{7npXaM2^_7E2;0I>rQCph482F#pzKMWC90W`I+0u&|=0Fa1$+5"
    ),
    "csc": (
        "c-pgHxW(;*zusLY1_*%Bj0~e-6pVsVFbYP&C>RB!U=)mkQ7{Td!6+CmKtKSMzu!yAbl?1lyZf_P6#m8A+*SX0pH=8`&Rs^da"
        "RK{<Tc&+*h`Y;xCJv?@7~$gxXvPz*AI9fE(@(BGxP<z`E#E#Q=-p+3im^lKVdr6(M_8bI79tH~h4M9Uq!?y2^H|9=7iJC<js"
        "Rnz(7jAJ+{=h=5V{1+KrSd<l3H96pPN{mU5v{qAgdTT7~v){VT}_;MouWJEHQ^d0~sMIxnWK$O3cio%t%J4Qkd^^5|dJM@EH"
        "aQdvwDbaKs_jxWg0Y>`*!_HL;|$C>5VGm=rLbp@5cx7#JFW_<%jcg$h9I0K^FnxSRnqC*BW3#8m)IEvx{Ai30$QJbc&"
    ),
    "het": (
        "c-pgHxW(;*zusLY1_*%Bj0~e-6pVsVFbYP&C>RB!U=)mkQ7{Td!6+CmKtKSMzu!yAbl?1lyZf_P6#m8A+*SX0pH=8`4#xO^{"
        "lYENJ~+hPh3R8NrX3g=n4x?LH2Yxcn8`GU5r=t{x(DVjxI*=XTfTir(7VeHRRp7H9Wcat2*&52P#+wCJaqYg;$4^n*~s(|3y"
        "zo~H>R0LGzSw5>nH<xh}0-!hw?25WCnDanZnG=fMy=KnHT3E<*<)wHWFh1mKhZY#5AQb%0i_WMOQy^i(yh@8s>2UGK)=g{VX"
        "KfKLU$gYG+195(5Z5%9zojj#T}OqZKEa6(=r$t3o9;W*8{cj}f!P7OSMj6fTET8e>#z)iRT5AQO!}K)CoE7Eytm=_oBW83v2"
        "TMq`S^3XXArG9lam^qQLqN0MSDkmS%iBBd}!8G2ouR9aaKQ=L=^W96rzm(Z~B7??N!V`Hok"
    ),
}
"""Files that DGL 2.1.0 wrote, compressed: a graph with its edges in each of three forms, and one of several types."""


def saved_by_dgl(tmp_path: Path, name: str) -> Path:
    path = tmp_path / "tfinance"
    path.write_bytes(zlib.decompress(base64.b85decode(SAVED_BY_DGL[name])))
    return path


@pytest.mark.parametrize("form", ["coo", "csr", "csc"])
def test_files_of_dgl(tmp_path: Path, form: str) -> None:
    graph = mgg.read_published("gadbench", saved_by_dgl(tmp_path, form), split=1)
    nodes, edges = graph.nodes["node"], graph.edges[KIND]
    assert (edges.src.tolist(), edges.dst.tolist()) == ([3, 0, 2, 0, 1], [1, 3, 1, 1, 2])
    assert nodes.attributes.numeric.tolist() == [[0, 0.5], [1, 1.5], [2, 2.5], [3, 3.5]]
    assert nodes.labels.tolist() == [0, 1, 0, 0]
    assert nodes.splits.tolist() == [[1, 2, 0, 3], [2, 1, 0, 3]]
    assert nodes.train_mask.tolist() == [False, True, False, False]


def test_files_of_dgl_with_types(tmp_path: Path) -> None:
    graph = mgg.read_published("tfinance", saved_by_dgl(tmp_path, "het"))
    ends = {kind: (table.src.tolist(), table.dst.tolist()) for kind, table in graph.edges.items()}
    assert ends == {
        ("u", "buys", "v"): ([4, 1, 0], [1, 2, 0]),
        ("v", "by", "u"): ([2, 0], [4, 3]),
        ("v", "of", "v"): ([2], [0]),
    }
    assert {name: table.count for name, table in graph.nodes.items()} == {"u": 6, "v": 3}


def test_damaged_files_of_dgl_are_refused_or_read_but_never_more(tmp_path: Path) -> None:
    path = saved_by_dgl(tmp_path, "het")
    whole = path.read_bytes()
    for end in range(0, len(whole) - 200, 37):  # the last bytes are a list of places that is not read
        path.write_bytes(whole[:end])
        with pytest.raises(InputError):
            mgg.read_published("tfinance", path)
    for at in (*range(32), *range(4096, len(whole), 7)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        with contextlib.suppress(InputError):
            mgg.read_published("tfinance", path)


def test_what_is_not_known_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=re.escape(", ".join(mgg.PUBLISHED))):
        mgg.read_published("cora", tmp_path)
    with pytest.raises(InputError, match="no such file"):
        mgg.read_published("weibo", tmp_path / "weibo.pt")
