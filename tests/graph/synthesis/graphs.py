"""Small graphs for synthesis: anomalies of a kind of their own, features of every kind, splits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from marigram import graph as mgg
from marigram.graph.data import Columns, Part

KIND = ("user", "knows", "user")


def social(n: int = 200, seed: int = 0, *, split: bool = True) -> mgg.Graph:
    """Users who know each other; a quarter are anomalous, know many, mostly each other, and have larger numbers."""
    rng = np.random.default_rng(seed)
    labels = (np.arange(n) % 4 == 0).astype(np.int8)
    numbers = rng.normal(size=n) + 3 * labels
    colour = rng.integers(0, 3, n)
    numeric = np.stack([numbers, *(colour == k for k in range(3)), np.full(n, 2.0)], axis=1)
    numeric[rng.random(n) < 0.1, 0] = np.nan
    table = Columns(
        numeric=numeric.astype(np.float32), numeric_names=("size", "red", "green", "blue", "one"),
        codes=rng.integers(-1, 2, (n, 1)).astype(np.int32), code_names=("plan",),
        vocabularies=(("free", "paid"),), text=np.empty((n, 0), np.float32),
    )  # fmt: skip
    weight = np.where(labels[:, None] == labels[None, :], 1.0, 0.1)
    weight *= np.where(labels, 10.0, 5.0)[:, None] / n * 4
    src, dst = np.nonzero(np.triu(rng.random((n, n)) < weight, 1))
    parts = np.array([Part.TRAIN, Part.TRAIN, Part.VAL, Part.TEST], np.int8)
    splits = parts[(np.arange(n) // 4) % 4][None]
    nodes = mgg.NodeTable(attributes=table, labels=labels, splits=splits if split else None)
    edges = mgg.EdgeTable(src=src.astype(np.int64), dst=dst.astype(np.int64))
    return mgg.Graph(nodes={"user": nodes}, edges={KIND: edges})


def payments(n: int = 160, seed: int = 0) -> mgg.Graph:
    """Payments from users to shops at a time, edges with times and amounts; some payments are anomalous."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(n) < 0.5, (rng.random(n) < 0.3).astype(np.int8), np.int8(-1)).astype(np.int8)
    times = np.sort(rng.integers(0, 10_000, n))
    parts = np.select([np.arange(n) < 0.6 * n, np.arange(n) < 0.8 * n], [Part.TRAIN, Part.VAL], Part.TEST)
    nodes = {
        "payment": mgg.NodeTable(
            attributes=Columns.of_numbers(rng.normal(size=(n, 2)).astype(np.float32)),
            labels=labels,
            splits=parts.astype(np.int8)[None],
        ),
        "user": mgg.NodeTable.bare(30),
        "shop": mgg.NodeTable(attributes=Columns.of_numbers(rng.normal(size=(8, 1)).astype(np.float32))),
    }

    def edges(count: int) -> mgg.EdgeTable:
        amounts = Columns.of_numbers(rng.exponential(size=(n, 1)).astype(np.float32), ("amount",))
        far = rng.integers(0, count, n)
        return mgg.EdgeTable(src=np.arange(n), dst=far, attributes=amounts, time=times.astype(np.int64))

    return mgg.Graph(
        nodes=nodes,
        edges={("payment", "by", "user"): edges(30), ("payment", "to", "shop"): edges(8)},
        time_unit="step",
    )


def renumbered(graph: mgg.Graph, order: np.ndarray) -> mgg.Graph:
    """The same users in another order: ``order[i]`` is who stands at place i."""
    place = np.argsort(order)
    edges = {kind: replace(t, src=place[t.src], dst=place[t.dst]) for kind, t in graph.edges.items()}
    return mgg.Graph(nodes={"user": graph.nodes["user"].take(order)}, edges=edges)
