"""What drawing keeps of real nodes, and new nodes in the making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.data import Columns, NodeTable
from marigram.graph.synthetic import stacked_columns

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@final
@dataclass(frozen=True, eq=False)
class Known:
    """What is kept of the real nodes of a type, n of all its ``size``.

    Attributes
    ----------
    size, rows
        How many there are in the graph, and which are kept: int64 (n,).
    mean, spread
        Of their latents: float32 (n, latent).
    classes
        int64 (n,): 0, 1, 2.
    joinable
        bool (n,): whether a synthetic node may be connected to it.
    degrees
        int64 (n, relations into the type).
    sent
        int64 (n, relations out of the type): in how many edges it is the partner.
    time
        int64 (n,): when they came into being, or of length 0 where they last.
    dated
        Whether their table says so, or only their edges do.
    like
        Attributes of no row.
    values
        float64 (n', D): columns of some of them, for drawing without a decoder.
    centre, scale
        Of the columns, float64 (D,).
    labelled
        Whether the type has labels.
    """

    size: int
    rows: Ints
    mean: Floats
    spread: Floats
    classes: Ints
    joinable: NDArray[np.bool_]
    degrees: Ints
    sent: Ints
    time: Ints
    dated: bool
    like: Columns
    values: NDArray[np.float64]
    centre: NDArray[np.float64]
    scale: NDArray[np.float64]
    labelled: bool

    def latents(self, rows: NDArray[np.bool_] | Ints, rng: np.random.Generator) -> Floats:
        """Draw z of some of them."""
        mean, spread = self.mean[rows], self.spread[rows]
        return np.asarray(mean + spread * rng.standard_normal(mean.shape), np.float32)


@final
@dataclass(frozen=True, eq=False)
class Draft:
    """New nodes of a type: latents, classes as decoders know them, degrees, the table, times and labels.

    Times are of length 0 where nodes last.
    """

    z: Floats
    classes: Ints
    degrees: Ints
    table: NodeTable
    times: Ints
    labels: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))

    @classmethod
    def joined(cls, parts: Sequence[Draft]) -> Draft:
        """Return several, one after another."""
        columns = [
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("z", "classes", "degrees", "times", "labels")
        ]
        attributes = reduce(stacked_columns, (part.table.attributes for part in parts))
        z, classes, degrees, times, labels = columns
        table = NodeTable(attributes=attributes, time=None if parts[0].table.time is None else times)
        return cls(z, classes, degrees, table, times, labels)


__all__ = ["Draft", "Known"]
