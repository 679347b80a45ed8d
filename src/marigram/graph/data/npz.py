"""Graphs in one ``.npz`` file of arrays: ours, and those of the heterophilous benchmarks (Tolokers, Questions, …).

============== ============================ ==================================================================
common form    published form               holds
============== ============================ ==================================================================
``x``          ``node_features``            float ``(N, F)``
``edge_index`` ``edges``, ``(E, 2)``        whole numbers ``(2, E)``
``y``          ``node_labels``              1 anomalous, 0 normal, -1 unknown
``*_mask``     ``train_masks`` and the like bool ``(S, N)`` or ``(N,)``
``node_type``, ``edge_type``, ``*_type_names``, ``edge_time``, ``edge_weight`` where present
============== ============================ ==================================================================

Other arrays are not read unless asked for: among them are often facts from which the labels were made.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.graph.data.cells import one_unit, read_labels, read_times
from marigram.graph.data.columns import Columns, Floats, as_matrix
from marigram.graph.data.graph import Graph, TimeUnit
from marigram.graph.data.stacked import Stacked, parts_of, unstack
from marigram.graph.data.tables import Part, Times

Arrays = Mapping[str, NDArray[Any]]


def load_npz(path: str | os.PathLike[str], *, split: int = 0, attributes: Sequence[str] = ()) -> Graph:
    """Read a graph from an ``.npz`` file; nothing in it is unpickled.

    Parameters
    ----------
    path
        The file.
    split
        Which split the masks show.
    attributes
        Further arrays to take as numeric attributes, by their length those of nodes or of edges.

    Raises
    ------
    InputError
        The file is damaged or pickled, an array is missing or contradicts another.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (ValueError, zipfile.BadZipFile, EOFError, AttributeError) as error:
        raise InputError(0, f"{os.fspath(path)} is not an .npz file of plain arrays: {error}") from error
    return from_arrays(_common(arrays), what=os.path.basename(path), split=split, attributes=attributes)


def _common(arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The published names turned into ours."""
    if "node_features" not in arrays:
        return arrays
    renamed = {"node_features": "x", "node_labels": "y"}
    renamed |= {f"{part}_masks": f"{part}_mask" for part in ("train", "val", "test")}
    common = {renamed.get(name, name): values for name, values in arrays.items()}
    if "edges" in common:
        common["edge_index"] = common.pop("edges").T
    return common


def from_arrays(
    arrays: Arrays,
    *,
    what: str = "the graph",
    split: int = 0,
    labels: Mapping[Any, int] | None = None,
    attributes: Sequence[str] = (),
) -> Graph:
    """Make a graph from arrays in the common form; see the module.

    Raises
    ------
    InputError
        An array is missing or contradicts another.
    """
    if "edge_index" not in arrays:
        raise InputError(0, f"{what} has no edge_index")
    src, dst = _ends(arrays["edge_index"], what)
    count = _node_count(arrays, src, dst)
    time, unit = _times(arrays.get("time"), f"{what}, node times")
    edge_time, edge_unit = _times(arrays.get("edge_time"), f"{what}, edge times")
    known = {part: f"{part.name.lower()}_mask" for part in (Part.TRAIN, Part.VAL, Part.TEST)}
    masks = {part: arrays[name] for part, name in known.items() if name in arrays}
    return unstack(
        Stacked(
            count=count, src=src, dst=dst,
            attributes=_numbers(arrays, count, ("x", *attributes), what, others=len(src)),
            edge_attributes=_numbers(arrays, len(src), ("edge_attr", "edge_weight", *attributes), what, others=count),
            labels=read_labels(arrays["y"], f"{what}, labels", labels) if "y" in arrays else None,
            splits=parts_of(masks, count, what), split=split,
            time=time, edge_time=edge_time, time_unit=one_unit({"nodes": unit, "edges": edge_unit}),
            node_type=arrays.get("node_type"), edge_type=arrays.get("edge_type"),
            node_names=_names(arrays, "node_type_names"), edge_names=_names(arrays, "edge_type_names"),
        )
    )  # fmt: skip


def _ends(edge_index: NDArray[Any], what: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if edge_index.ndim != 2 or edge_index.shape[0] != 2 or edge_index.dtype.kind not in "iu":
        raise InputError(
            0,
            f"{what}: edge_index must be whole numbers of shape (2, E), not {edge_index.dtype} "
            f"of shape {edge_index.shape}",
        )
    return np.ascontiguousarray(edge_index[0], np.int64), np.ascontiguousarray(edge_index[1], np.int64)


def _node_count(arrays: Arrays, src: NDArray[np.int64], dst: NDArray[np.int64]) -> int:
    for name in ("x", "y", "node_type"):
        if name in arrays:
            return len(arrays[name])
    return int(max(src.max(initial=-1), dst.max(initial=-1))) + 1


def _numbers(arrays: Arrays, count: int, names: Sequence[str], what: str, *, others: int) -> Columns:
    """Numeric attributes of nodes or of edges; an array of the other length is left to the others."""
    blocks: list[Floats] = []
    titles: list[str] = []
    for name in names:
        if name not in arrays:
            if name in ("x", "edge_attr", "edge_weight"):
                continue
            raise InputError(0, f"{what} has no array {name!r}")
        values = np.asarray(arrays[name])
        if len(values) != count:
            if len(values) == others and name not in ("x", "edge_attr", "edge_weight"):
                continue
            raise InputError(0, f"{what}: {name} has {len(values):,} rows, {count:,} are expected")
        block = as_matrix(values)
        blocks.append(block)
        single = values.ndim == 1
        titles += (
            [name]
            if single
            else [f"{name if name != 'edge_attr' else 'e'}{j}" for j in range(block.shape[1])]
        )
    if not blocks:
        return Columns.empty(count)
    matrix = blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)
    return Columns.of_numbers(matrix, tuple(titles))


def _times(values: NDArray[Any] | None, what: str) -> tuple[Times | None, TimeUnit]:
    return (None, "") if values is None else read_times(values, what)


def _names(arrays: Arrays, name: str) -> tuple[str, ...]:
    return tuple(str(value) for value in arrays[name]) if name in arrays else ()


__all__ = ["from_arrays", "load_npz"]
