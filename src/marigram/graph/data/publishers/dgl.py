"""T-Finance: a file of DGL, which marigram does not read itself.

Tang et al.: Rethinking graph neural networks for anomaly detection, 2022. DGL, whose own format this is, is no
dependency; a few lines, run where DGL is installed, turn the file into one that is read here.
"""

from __future__ import annotations

from pathlib import Path

from marigram.errors import InputError
from marigram.graph.data.graph import Graph
from marigram.graph.data.npz import load_npz

RECIPE = (
    "convert it where DGL is installed: g = dgl.load_graphs(path)[0][0]; "
    "numpy.savez('tfinance.npz', x=g.ndata['feature'], y=g.ndata['label'].argmax(1), "
    "edge_index=numpy.stack([e.numpy() for e in g.edges()]))"
)


def tfinance(path: Path) -> Graph:
    """Read what the recipe makes of the publisher's file.

    Raises
    ------
    InputError
        It is the publisher's file itself; the message tells how to convert it.
    """
    if path.suffix != ".npz":
        raise InputError(0, f"{path.name} is a file of DGL; {RECIPE}")
    return load_npz(path)


__all__ = ["tfinance"]
