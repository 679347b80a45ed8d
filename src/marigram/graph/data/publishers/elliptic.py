"""Elliptic: Bitcoin transactions of 49 time steps, from the three CSV files that Elliptic published.

Weber et al.: Anti-money laundering in Bitcoin, 2019. ``elliptic_txs_features.csv`` has no header: transaction, time
step, 165 features. ``elliptic_txs_classes.csv``: ``1`` illicit, ``2`` licit, ``unknown``.
``elliptic_txs_edgelist.csv``: a payment from the first transaction to the second, both of one time step.

The split is the usual one by time (GADBench): steps to 25 train, 26 to 34 val, from 35 test.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv

from marigram.errors import InputError
from marigram.graph.data.columns import Columns
from marigram.graph.data.encode import column, encode_columns
from marigram.graph.data.frames import read_table
from marigram.graph.data.graph import Graph
from marigram.graph.data.roles import encode_labels, encode_times, places_of, unique_ids
from marigram.graph.data.stacked import EDGE, NODE
from marigram.graph.data.tables import EdgeTable, NodeTable, Part

LAST_TRAIN, LAST_VAL = 25, 34
CLASSES = {"1": 1, "2": 0, "unknown": -1}


def elliptic(folder: Path) -> Graph:
    """Read the folder of the three files.

    Raises
    ------
    InputError
        A file is missing, a transaction has no class, an edge no transaction.
    """
    features = _headless(folder / "elliptic_txs_features.csv")
    classes = read_table(folder / "elliptic_txs_classes.csv")
    edges = read_table(folder / "elliptic_txs_edgelist.csv")
    ids = unique_ids(column(features, "f0", "features"), "features")
    time, unit = encode_times(column(features, "f1", "features"), "features", "step")
    names = [name for name in features.column_names if name not in ("f0", "f1")]
    of = places_of(column(classes, "txId", "classes"), ids, len(ids), "classes: the transaction", NODE)
    labels = np.full(len(ids), 2, np.int8)
    labels[of] = encode_labels(column(classes, "class", "classes"), "classes", CLASSES)
    if (labels == 2).any():
        raise InputError(0, f"classes: transaction {ids[int(np.argmax(labels == 2))].as_py()} has none")
    parts = np.where(time <= LAST_TRAIN, Part.TRAIN, np.where(time <= LAST_VAL, Part.VAL, Part.TEST))
    src, dst = (
        places_of(column(edges, name, "edges"), ids, len(ids), f"edges: {name}", NODE)
        for name in ("txId1", "txId2")
    )
    numbers = encode_columns(features, "features", numeric=names)
    nodes = NodeTable(
        attributes=Columns.of_numbers(numbers.numeric), ids=ids, time=time, labels=labels,
        splits=np.where(labels >= 0, parts, 0).astype(np.int8)[None, :],
    )  # fmt: skip
    table = EdgeTable(src=src, dst=dst, time=np.maximum(time[src], time[dst]))
    return Graph(nodes={NODE: nodes}, edges={(NODE, EDGE, NODE): table}, time_unit=unit)


def _headless(path: Path) -> pa.Table:
    if not path.is_file():
        raise InputError(0, f"no such file: {path}")
    try:
        return arrow_csv.read_csv(path, read_options=arrow_csv.ReadOptions(autogenerate_column_names=True))
    except pa.ArrowException as error:
        raise InputError(0, f"{path.name}: {error}") from error


__all__ = ["elliptic"]
