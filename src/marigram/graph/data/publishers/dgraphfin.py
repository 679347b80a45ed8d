"""DGraph-Fin: a loan platform's users and their emergency contacts, ``dgraphfin.npz``.

Huang et al.: DGraph, a large-scale financial dataset for graph anomaly detection, 2022. ``x`` (17 columns, -1 where
missing), ``y`` (0 normal, 1 fraud, 2 and 3 background users without a label), ``edge_index`` as ``(E, 2)``,
``edge_type`` 1 to 11, ``edge_timestamp`` in days, and the published split as lists of nodes.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from marigram.errors import InputError
from marigram.graph.data.graph import Graph
from marigram.graph.data.npz import from_arrays

BACKGROUND = {2: -1, 3: -1}
MASKS = {"train_mask": "train_mask", "valid_mask": "val_mask", "test_mask": "test_mask"}


def dgraphfin(path: Path) -> Graph:
    """Read the file; each edge type becomes one, named by its number.

    Raises
    ------
    InputError
        An array is missing or the file is not of plain arrays.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            theirs = {name: archive[name] for name in archive.files}
        arrays = {name: theirs[name] for name in ("x", "y", "edge_type")}
        arrays["edge_index"], arrays["edge_time"] = theirs["edge_index"].T, theirs["edge_timestamp"]
        count = len(arrays["y"])
        for name, ours in MASKS.items():
            arrays[ours] = np.zeros(count, bool)
            arrays[ours][theirs[name]] = True
    except KeyError as error:
        raise InputError(0, f"{path.name} has no array {error}") from error
    except (ValueError, IndexError, zipfile.BadZipFile, EOFError) as error:
        raise InputError(0, f"{path.name} is not DGraph-Fin's file: {error}") from error
    arrays["x"] = arrays["x"].astype(np.float32)
    return from_arrays(arrays, what=path.name, labels=BACKGROUND)


__all__ = ["dgraphfin"]
