"""A PyG ``Data`` that was saved with ``torch.save``: Weibo and the others of PyGOD's collection.

Liu et al.: BOND, benchmarking unsupervised outlier node detection on static attributed graphs, 2022. Such a file is a
pickle. It is read by torch's restricted reader, which makes tensors and the few classes of PyG named here, and runs
nothing else.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from marigram.errors import InputError
from marigram.graph.data.graph import Graph


def torch_file(path: Path) -> Graph:
    """Read a ``.pt`` file, or the one in a ``.zip``.

    Raises
    ------
    InputError
        The file holds anything but a ``Data``, or would run code.
    """
    import pickle

    import torch
    from torch_geometric.data import Data
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import EdgeStorage, GlobalStorage, NodeStorage

    from marigram.graph.data.pyg import from_pyg

    safe: list[Any] = [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage, NodeStorage, EdgeStorage]
    try:
        with torch.serialization.safe_globals(safe):
            data = torch.load(_content(path), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            0,
            f"{path.name} is not a PyG Data that can be read without running what is in it; where it is trusted, "
            "save its arrays with numpy.savez(x=…, edge_index=…, y=…) and load that",
        ) from error
    if not isinstance(data, Data):
        raise InputError(0, f"{path.name} holds {type(data).__name__}, not a PyG Data")
    return from_pyg(data)


def _content(path: Path) -> io.BytesIO:
    """The bytes of the file, or of the only file in a ``.zip`` around it."""
    if path.suffix != ".zip":
        return io.BytesIO(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        members = [name for name in archive.namelist() if name.endswith(".pt")]
        if len(members) != 1:
            raise InputError(0, f"{path.name} holds {len(members)} .pt files; one is expected")
        return io.BytesIO(archive.read(members[0]))


__all__ = ["torch_file"]
