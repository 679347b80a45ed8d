"""Public graphs, read from the files that their publishers ship; nothing is downloaded, nothing is unpickled.

========== ==================================================================== =====================================
name       the publisher's file                                                 labels known, splits
========== ==================================================================== =====================================
tolokers   ``tolokers.npz`` (Platonov et al., 2023)                             all, ten published splits
questions  ``questions.npz`` (the same)                                         all, ten published splits
weibo      ``weibo.pt``, or in a ``.zip`` (PyGOD's collection)                  all, none
elliptic   the folder of ``elliptic_txs_*.csv`` (Weber et al., 2019)            illicit, licit; by time step
dgraphfin  ``dgraphfin.npz`` (Huang et al., 2022)                               normal, fraud; published
yelpchi    ``YelpChi.mat`` (Dou et al., 2020)                                   all, none
amazon     ``Amazon.mat`` (the same)                                            all but the first 3,305, none
tfinance   ``tfinance`` (Tang et al., 2022), saved by DGL                       all, none
gadbench   any file of GADBench (Tang et al., 2023), saved by DGL               all, ten full and ten of 100 labels
========== ==================================================================== =====================================
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from marigram.errors import InputError, ParameterError
from marigram.graph.data.graph import Graph

_READERS = {
    "amazon": "matlab:amazon",
    "dgraphfin": "dgraphfin:dgraphfin",
    "elliptic": "elliptic:elliptic",
    "gadbench": "dgl:dgl_file",
    "questions": "heterophilous:heterophilous",
    "tfinance": "dgl:dgl_file",
    "tolokers": "heterophilous:heterophilous",
    "weibo": "torch_file:torch_file",
    "yelpchi": "matlab:yelpchi",
}

PUBLISHED = tuple(_READERS)
"""The names that :func:`read_published` knows."""


def read_published(name: str, path: str | os.PathLike[str], *, split: int = 0) -> Graph:
    """Read a public graph from its publisher's file.

    Parameters
    ----------
    name
        One of :data:`PUBLISHED`.
    path
        Where the file (of elliptic: the folder) lies.
    split
        Which of several published splits the masks show.

    Raises
    ------
    ParameterError
        The name is not known, or there is no such split.
    InputError
        The file is missing, or not of the publisher's form.
    """
    if name not in _READERS:
        raise ParameterError(f"{name!r} is none of {', '.join(PUBLISHED)}")
    if not Path(path).exists():
        raise InputError(0, f"no such file: {os.fspath(path)}")
    module, function = _READERS[name].split(":")
    read: Callable[[Path], Graph] = getattr(import_module(f"{__name__}.{module}"), function)
    graph = read(Path(path))
    return graph.with_split(split) if graph.split_count else graph


__all__ = ["PUBLISHED", "read_published"]
