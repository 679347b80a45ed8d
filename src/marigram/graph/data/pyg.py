"""To and from PyG's ``Data`` and ``HeteroData``, without loss.

What PyG users expect stands under the usual names: ``x`` (numbers, then hashed text), ``edge_index``, ``y`` with -1
for unknown, masks, ``time``, ``edge_attr``. What PyG has no name for goes beside them: ``codes`` (categories),
``columns`` (the names), ``ids``, ``time_unit``, ``order``. Anything else on a PyG object is kept as it is in
:attr:`Graph.extra` and handed back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.cells import one_unit, read_labels, read_times
from marigram.graph.data.columns import Columns, as_matrix, default_names
from marigram.graph.data.graph import EdgeType, Graph, TimeUnit
from marigram.graph.data.npz import from_arrays
from marigram.graph.data.stacked import EDGE, NODE, parts_of
from marigram.graph.data.tables import EdgeTable, NodeTable, Part

_MASKS = {Part.TRAIN: "train_mask", Part.VAL: "val_mask", Part.TEST: "test_mask"}
_OF_ROWS = ("y", "time", "ids", "codes", "columns", "split", *_MASKS.values())
_OF_NODES = ("x", "num_nodes", *_OF_ROWS)
_OF_EDGES = ("edge_index", "edge_attr", "edge_weight", "edge_time", *_OF_ROWS)
_OF_GRAPHS = ("time_unit", "order")
_STACKED = ("node_type", "edge_type", "node_type_names", "edge_type_names")
_EDGES_OWN = "edge_"
"""In a ``Data`` the columns of edges that share a name with those of nodes carry this before it."""


def to_pyg(graph: Graph, *, hetero: bool = False) -> Any:
    """Return ``Data`` for one node type and one edge type, else (or if asked) ``HeteroData``."""
    from torch_geometric.data import Data, HeteroData

    if not hetero and list(graph.nodes) == [NODE] and list(graph.edges) == [(NODE, EDGE, NODE)]:
        data = Data()
        _put_rows(data, graph.nodes[NODE], "x", "")
        _put_edges(data, graph.edges[NODE, EDGE, NODE], _EDGES_OWN)
        data.num_nodes = graph.count
    else:
        data = HeteroData()
        for name, nodes in graph.nodes.items():
            _put_rows(data[name], nodes, "x", "")
            data[name].num_nodes = nodes.count
        for kind, edges in graph.edges.items():
            _put_edges(data[kind], edges, "")
    if graph.time_unit:
        data.time_unit = graph.time_unit
    if graph.order is not None:
        data.order = _tensor(graph.order)
    for place, value in graph.extra.items():
        _put_extra(data, place, value)
    return data


def _put_edges(store: Any, table: EdgeTable, prefix: str) -> None:
    store["edge_index"] = _tensor(np.stack([table.src, table.dst]))
    _put_rows(store, table, "edge_attr", prefix)


def _put_rows(store: Any, table: NodeTable | EdgeTable, matrix: str, prefix: str) -> None:
    """Write the columns that nodes and edges share."""
    a = table.attributes
    if a.width:
        numbers = a.numeric if not a.text.shape[1] else np.concatenate([a.numeric, a.text], axis=1)
        store[matrix] = _tensor(numbers)
        about = {"numeric": a.numeric_names, "codes": a.code_names, "text": a.text_names}
        if about != {"numeric": default_names(a.width), "codes": (), "text": ()}:
            store[f"{prefix}columns"] = about | {"vocabularies": a.vocabularies}
    if a.code_names:
        store[f"{prefix}codes"] = _tensor(a.codes)
    if table.time is not None:
        store[f"{prefix}time"] = _tensor(table.time)
    if table.labels is not None:
        store[f"{prefix}y"] = _tensor(table.labels.astype(np.int64))
    if table.ids is not None:
        store[f"{prefix}ids"] = table.ids
    if table.splits is not None:
        for part, name in _MASKS.items():
            rows = (table.splits == part).T
            store[f"{prefix}{name}"] = _tensor(rows[:, 0] if rows.shape[1] == 1 else rows)
        if table.split:
            store[f"{prefix}split"] = table.split


def _put_extra(data: Any, place: str | tuple[Any, str], value: Any) -> None:
    """Hand one attribute back to the store it came from."""
    if isinstance(place, str):
        setattr(data, place, value)
    else:
        data[place[0]][place[1]] = value


def from_pyg(data: Any, *, split: int | None = None, labels: Mapping[Any, int] | None = None) -> Graph:
    """Return a ``Data`` or ``HeteroData`` as a graph; neither is changed.

    Parameters
    ----------
    data
        With ``x, edge_index, y`` and whatever else of the names above is there. Labels: -1 is unknown.
    split
        Which column of two-dimensional masks is shown; None is the one that was shown before, or the first.
    labels
        The source's labels -> ours, such as ``{2: -1}``.

    Raises
    ------
    InputError
        Attributes contradict each other, or there are no edges in a form that is read.
    """
    from torch_geometric.data import Data, HeteroData

    if isinstance(data, HeteroData):
        return _from_hetero(data, split, labels)
    if not isinstance(data, Data):
        raise InputError(0, f"{type(data).__name__} is neither a Graph nor a PyG Data or HeteroData")
    store = dict(data.items())
    if store.get("edge_index") is None:
        raise InputError(0, "the Data has no edge_index (a sparse adj_t alone is not read)")
    if any(store.get(name) is not None for name in _STACKED):
        return _from_stacked(store, split, labels)
    edges = {
        name: store[name] for name in ("edge_index", "edge_attr", "edge_weight", "edge_time") if name in store
    }
    edges |= {
        name: store[_EDGES_OWN + name] for name in _OF_ROWS if _EDGES_OWN + name in store and name != "time"
    }
    count = int(data.num_nodes)
    if "time" in store and len(store["time"]) != count and len(store["time"]) == data.num_edges:
        edges["time"] = store.pop("time")  # one time for each edge, as temporal data have them
    nodes, unit = _nodes(store, NODE, count, split, labels)
    table, edge_unit = _edges(edges, "the edges", split)
    known = {*_OF_NODES, *_OF_GRAPHS, "edge_index", "edge_attr", "edge_weight", "edge_time"}
    known |= {_EDGES_OWN + name for name in _OF_ROWS}
    return Graph(
        nodes={NODE: nodes},
        edges={(NODE, EDGE, NODE): table},
        time_unit=_unit(store, {"nodes": unit, "edges": edge_unit}),
        order=_order(store),
        extra={name: value for name, value in store.items() if name not in known},
    )


def _from_stacked(store: dict[str, Any], split: int | None, labels: Mapping[Any, int] | None) -> Graph:
    """A ``Data`` with the types as columns, as ``HeteroData.to_homogeneous`` gives it."""
    masks = _MASKS.values()
    arrays = {name: _array(store[name]) for name in ("x", "edge_index", "y", "edge_attr", "edge_weight", "time",
              "edge_time", *_STACKED) if store.get(name) is not None}  # fmt: skip
    arrays |= {name: _array(store[name]).T for name in masks if store.get(name) is not None}
    return from_arrays(arrays, what="the Data", split=split or 0, labels=labels)


def _from_hetero(data: Any, split: int | None, labels: Mapping[Any, int] | None) -> Graph:
    nodes: dict[str, NodeTable] = {}
    edges: dict[EdgeType, EdgeTable] = {}
    units: dict[str, TimeUnit] = {}
    extra: dict[Any, Any] = {}
    for name in data.node_types:
        store = dict(data[name].items())
        nodes[name], units[f"nodes {name!r}"] = _nodes(store, name, int(data[name].num_nodes), split, labels)
        extra |= {(name, key): value for key, value in store.items() if key not in _OF_NODES}
    for kind in data.edge_types:
        store, what = dict(data[kind].items()), f"edges {'-'.join(kind)}"
        if store.get("edge_index") is None:
            raise InputError(0, f"{what} have no edge_index (a sparse adj_t alone is not read)")
        edges[kind], units[what] = _edges(store, what, split)
        extra |= {(kind, key): value for key, value in store.items() if key not in _OF_EDGES}
    whole = dict(data._global_store.items())
    extra |= {key: value for key, value in whole.items() if key not in _OF_GRAPHS}
    return Graph(nodes=nodes, edges=edges, time_unit=_unit(whole, units), order=_order(whole), extra=extra)


def _nodes(
    store: Mapping[str, Any], name: str, count: int, split: int | None, labels: Mapping[Any, int] | None
) -> tuple[NodeTable, TimeUnit]:
    rows, unit = _rows(store, store.get("x"), count, f"nodes {name!r}", split, labels)
    return NodeTable(**rows), unit


def _edges(store: Mapping[str, Any], what: str, split: int | None) -> tuple[EdgeTable, TimeUnit]:
    ends = _array(store["edge_index"])
    if ends.ndim != 2 or ends.shape[0] != 2 or ends.dtype.kind not in "iu":
        raise InputError(0, f"{what}: edge_index must be whole numbers of shape (2, E)")
    matrix = store.get("edge_attr") if store.get("edge_attr") is not None else store.get("edge_weight")
    times = store if store.get("time") is not None else {**store, "time": store.get("edge_time")}
    rows, unit = _rows(times, matrix, ends.shape[1], what, split, None)
    src, dst = (np.ascontiguousarray(end, np.int64) for end in ends)
    return EdgeTable(src=src, dst=dst, **rows), unit


def _rows(
    store: Mapping[str, Any],
    matrix: Any,
    count: int,
    what: str,
    split: int | None,
    labels: Mapping[Any, int] | None,
) -> tuple[dict[str, Any], TimeUnit]:
    """Read the columns that nodes and edges share."""
    given = store.get("time")
    time, unit = (None, "") if given is None else read_times(_array(given), f"{what}, times")
    masks = {part: _array(store[name]).T for part, name in _MASKS.items() if store.get(name) is not None}
    splits = parts_of(masks, count, what)
    shown = (int(store.get("split") or 0) if split is None else split) if splits is not None else 0
    y = store.get("y")
    return {
        "attributes": _attributes(store, matrix, count, what),
        "time": time,
        "ids": store.get("ids"),
        "labels": None if y is None else read_labels(_array(y), f"{what}, labels", labels),
        "splits": splits,
        "split": shown,
    }, unit  # type: ignore[return-value]


def _attributes(store: Mapping[str, Any], matrix: Any, count: int, what: str) -> Columns:
    if matrix is None and store.get("codes") is None:
        return Columns.empty(count)
    numbers = np.empty((count, 0), np.float32) if matrix is None else _array(matrix)
    if len(numbers) != count:
        raise InputError(0, f"{what}: {len(numbers):,} rows of attributes, {count:,} are expected")
    block = as_matrix(numbers)
    names = store.get("columns")
    if names is None:
        return Columns.of_numbers(block)
    d = len(names["numeric"])
    codes = store.get("codes")
    return Columns(
        numeric=block[:, :d], numeric_names=names["numeric"], text=block[:, d:], text_names=names["text"],
        codes=np.empty((count, 0), np.int32) if codes is None else _array(codes), code_names=names["codes"],
        vocabularies=names["vocabularies"],
    )  # fmt: skip


def _unit(store: Mapping[str, Any], units: Mapping[str, TimeUnit]) -> TimeUnit:
    told: TimeUnit | None = store.get("time_unit")
    return told if told is not None else one_unit(units)


def _order(store: Mapping[str, Any]) -> NDArray[np.int64] | None:
    return None if store.get("order") is None else _array(store["order"])


def _tensor(values: NDArray[Any]) -> Any:
    """A tensor over a copy: tensors can be written to, and a graph does not change."""
    import torch

    return torch.from_numpy(np.array(values, order="C"))


def _array(values: Any) -> NDArray[Any]:
    """A tensor (or anything like an array) as an array."""
    return np.asarray(values.detach().cpu()) if hasattr(values, "detach") else np.asarray(values)


__all__ = ["from_pyg", "to_pyg"]
