"""Graphs with planted anomalies, and settings under which a detector learns in a moment."""

from __future__ import annotations

import numpy as np

from marigram import graph as mgg

QUICK = mgg.TreeSettings(rounds=40, patience=10, boosters=1, forest=15)


def planted(seed: int, *, by: str, n: int = 600, split: bool = True) -> mgg.Graph:
    """An eighth of the users are anomalous, to be seen by their ``"attributes"``, their ``"neighbours"`` or not at all.

    By neighbours: they deal with one another and have more partners. An extra type has no labels.
    """
    rng = np.random.default_rng(seed)
    guilty = rng.random(n) < 1 / 8
    x = rng.normal(size=(n, 3)) + (1.5 * guilty[:, None] if by == "attributes" else 0)
    src, dst = rng.integers(0, n, 4 * n), rng.integers(0, n, 4 * n)
    if by == "neighbours":
        bad = np.flatnonzero(guilty)
        src = np.concatenate([src, rng.choice(bad, 6 * len(bad))])
        dst = np.concatenate([dst, rng.choice(bad, 6 * len(bad))])
    users = mgg.NodeTable.bare(n).with_attributes(mgg.Columns.of_numbers(x.astype(np.float32)))
    users = users.with_labels(guilty.astype(np.int8))
    graph = mgg.Graph(
        nodes={"user": users, "shop": mgg.NodeTable.bare(20)},
        edges={
            ("user", "pays", "user"): mgg.EdgeTable(src=src, dst=dst),
            ("user", "visits", "shop"): mgg.EdgeTable(src=np.arange(n), dst=rng.integers(0, 20, n)),
        },
    )
    return mgg.stratified(graph, seeds=[seed], fractions=(0.4, 0.3, 0.3)) if split else graph


def relabelled(graph: mgg.Graph, labels: np.ndarray) -> mgg.Graph:
    """The graph with other labels of its users."""
    return graph.with_nodes(user=graph.nodes["user"].with_labels(labels.astype(np.int8)))


def payments(seed: int, *, n: int = 600, split: bool = True) -> mgg.Graph:
    """Payments of a fifth of the cards are anomalous: their amounts are higher, and those of one card tell together.

    Payments have times, cards and shops have none; shops have no attributes.
    """
    rng = np.random.default_rng(seed)
    cards = n // 8
    stolen = rng.random(cards) < 1 / 5
    card = rng.integers(0, cards, n)
    guilty = stolen[card]
    amount = rng.normal(size=n) + 2 * guilty
    amount[rng.random(n) < 0.05] = np.nan
    time = np.sort(rng.integers(0, 10**6, n))
    pays = mgg.NodeTable(
        attributes=mgg.Columns.of_numbers(amount.astype(np.float32)[:, None], ("amount",)),
        labels=guilty.astype(np.int8),
        time=time,
    )
    kinds = mgg.Columns.of_numbers(rng.normal(size=(cards, 1)).astype(np.float32), ("limit",))
    graph = mgg.Graph(
        nodes={
            "card": mgg.NodeTable(attributes=kinds),
            "payment": pays,
            "shop": mgg.NodeTable.bare(30),
        },
        edges={
            ("payment", "of", "card"): mgg.EdgeTable(src=np.arange(n), dst=card, time=time),
            ("payment", "at", "shop"): mgg.EdgeTable(src=np.arange(n), dst=rng.integers(0, 30, n), time=time),
        },
        time_unit="s",
    )
    return mgg.stratified(graph, seeds=[seed], fractions=(0.4, 0.3, 0.3)) if split else graph
