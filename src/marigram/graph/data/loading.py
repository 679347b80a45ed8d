"""Read a graph from a path: a folder of ours, an ``.npz`` file, or a mapped file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from marigram.errors import InputError
from marigram.graph.data.folder import load_folder
from marigram.graph.data.graph import Graph
from marigram.graph.data.mapped import open_mapped
from marigram.graph.data.npz import load_npz


def load(path: str | os.PathLike[str], *, split: int | None = None, attributes: Sequence[str] = ()) -> Graph:
    """Read a graph.

    Parameters
    ----------
    path
        A folder that :meth:`Graph.save` wrote, an ``.npz`` file in the common or the published form, or a ``.mg``
        file that :meth:`Graph.save_mapped` wrote.
    split
        Which of several splits the masks show; None is the one that was shown when it was saved, or the first.
    attributes
        Of an ``.npz`` file: further arrays to take as numeric attributes, such as ``edge_count``. Only ``x``,
        ``edge_attr`` and ``edge_weight`` are taken unasked, since other arrays often give the labels away.

    Raises
    ------
    InputError
        There is no graph at this path, or it contradicts itself.
    SnapshotError
        A saved graph is damaged or of a newer version.
    ParameterError
        There is no such split.
    """
    place = Path(path)
    if place.suffix == ".npz":
        graph = load_npz(place, attributes=attributes)
    elif place.suffix == ".mg":
        graph = open_mapped(place)
    elif place.is_dir():
        graph = load_folder(place)
    else:
        raise InputError(0, f"{place} is neither a folder with a graph nor an .npz or .mg file")
    return graph if split is None else graph.with_split(split)


__all__ = ["load"]
