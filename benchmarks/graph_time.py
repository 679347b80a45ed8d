"""What looking ahead is worth on S-FFSD: ``python -m benchmarks.graph_time``.

Transactions of S-FFSD, found through MARIGRAM_DATA, are scored by the default's trees on three sets of columns: their
own attributes; all columns as of the transaction's time (the default); and all columns over all edges, later ones too,
which nobody has when a transaction is judged.

Two splits. ``time``: the labelled transactions in the order of time, 60/20/20, as the data come. ``published``: the one
in which GTAN and RGTAN were published (average precision .659 and .694, AUC .829 and .846): all transactions, those
without a label as a class of their own, at random into 40 % and 60 %, scikit-learn's ``train_test_split`` with
``stratify`` and ``random_state=2``; measured on the labelled ones of the 60 %. A quarter of the labelled ones of the
40 % is held out to choose by. Their columns count frauds among neighbours of every part, the test part's too; ours look
at no label. Being at random, this split learns from the future of what it is tested on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram import graph as mgg
from marigram.evaluate.metrics import average_precision, roc_auc
from marigram.graph.detectors.trees import TreeModel, TreeSettings
from marigram.graph.hops import HopFeatures

Ints = NDArray[np.int64]
NAME = "transaction"


def columns(data: mgg.Graph) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """The three sets of columns of every transaction."""
    everyone = np.arange(data.nodes[NAME].count)
    yield "own attributes", HopFeatures.fit(data, NAME, hops=0).view(data).rows(everyone)
    features = HopFeatures.fit(data, NAME, hops=4)
    yield "as of its time", features.view(data).rows(everyone)
    yield "all edges", replace(features, dated=()).view(data).rows(everyone)


def by_time(data: mgg.Graph) -> tuple[Ints, Ints, Ints]:
    """Train, validation, test as the data come."""
    table = data.nodes[NAME]
    return np.flatnonzero(table.train_mask), np.flatnonzero(table.val_mask), np.flatnonzero(table.test_mask)


def published(data: mgg.Graph) -> tuple[Ints, Ints, Ints]:
    """Train, validation, test as GTAN and RGTAN have them."""
    from sklearn.model_selection import train_test_split

    labels = np.asarray(data.nodes[NAME].labels)
    everyone = np.arange(len(labels))
    first, test = train_test_split(
        everyone, stratify=np.where(labels < 0, 2, labels), test_size=0.6, random_state=2, shuffle=True
    )
    first, test = first[labels[first] >= 0], test[labels[test] >= 0]
    train, valid = train_test_split(first, stratify=labels[first], test_size=0.25, random_state=0)
    return train, valid, test


def figures(
    x: NDArray[np.float32], y: NDArray[Any], parts: tuple[Ints, Ints, Ints], seed: int
) -> tuple[float, float]:
    """Average precision and AUC on test: stopped on validation, then learned from both."""
    train, valid, test = parts
    settings = TreeSettings(seed=seed).for_rows(len(train))
    one = np.ones(len(y))
    first = TreeModel.fit(x[train], y[train], one[train], (x[valid], y[valid]), settings)
    both = np.concatenate([train, valid])
    model = TreeModel.fit(x[both], y[both], one[both], None, settings, rounds=first.rounds)
    score = model.logits(x[test])
    return average_precision(y[test] == 1, score), roc_auc(y[test] == 1, score)


def main(arguments: list[str]) -> None:
    """Print one line of JSON for each split and set of columns."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=10)
    chosen = parser.parse_args(arguments)
    folder = os.environ.get("MARIGRAM_DATA")
    if not folder:
        sys.exit("set MARIGRAM_DATA to the folder of the data sets")
    data = mgg.load(Path(folder, "sffsd", "sffsd_hetero.npz"))
    y = np.asarray(data.nodes[NAME].labels, np.float32)
    for said, x in columns(data):
        for split in (by_time, published):
            found = [figures(x, y, split(data), seed) for seed in range(chosen.seeds)]
            mean, spread = np.mean(found, axis=0).round(3), np.std(found, axis=0).round(3)
            told = {"split": split.__name__, "columns": said, "count": x.shape[1], "seeds": chosen.seeds}
            told |= {"ap": mean[0], "ap_std": spread[0], "auc": mean[1], "auc_std": spread[1]}
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
