"""From columns to what a network takes: finite, of one scale, and saying where something was missing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from marigram.errors import ParameterError
from marigram.graph.csr import CSR
from marigram.graph.data import EdgeType, Graph

Floats = NDArray[np.float32]
Arrays = dict[str, NDArray[Any]]

CLIP = 10.0
"""Standardised values farther out are moved to here: one amount of a million must not drown a neighbourhood."""


@final
class FeatureScaler:
    """Centre and scale of every column of every node type, learned on one graph and used on any.

    The features of a type are its columns less their mean, over their standard deviation, within ±10; 0 where they
    are missing, and 1 in a further column for each that has gaps; then log(1 + degree) for each relation into the type.
    A type without anything else gets a column of ones. A constant column becomes 0.

    Parameters
    ----------
    mean, scale, gaps, names
        Node type -> float32 (D,), float32 (D,), the int64 numbers of the columns with gaps, and what the columns are
        called. Made by :meth:`fit`.
    degrees
        Whether degrees are features. Leave them out where seeds have times: they count edges that come later.
    """

    def __init__(
        self,
        mean: Mapping[str, Floats],
        scale: Mapping[str, Floats],
        gaps: Arrays,
        names: Mapping[str, tuple[str, ...]],
        *,
        degrees: bool = True,
    ) -> None:
        self.mean, self.scale, self.gaps = dict(mean), dict(scale), dict(gaps)
        self.names, self.degrees = dict(names), degrees

    @classmethod
    def fit(cls, graph: Graph, *, degrees: bool = True) -> FeatureScaler:
        """Learn from all nodes of a graph; labels are not looked at."""
        mean, scale, gaps, names = {}, {}, {}, {}
        for name, table in graph.nodes.items():
            matrix, names[name] = table.attributes.matrix()
            missing = np.isnan(matrix)
            known = np.maximum((~missing).sum(0), 1)
            filled = np.where(missing, 0, matrix).astype(np.float64)
            mean[name] = (filled.sum(0) / known).astype(np.float32)
            spread = np.sqrt(
                (np.where(missing, 0, matrix - mean[name]).astype(np.float64) ** 2).sum(0) / known
            )
            scale[name] = np.where(spread > 1e-6 * np.abs(mean[name]), spread, np.inf).astype(np.float32)
            gaps[name] = np.flatnonzero(missing.any(0))
        return cls(mean, scale, gaps, names, degrees=degrees)

    def transform(self, graph: Graph, relations: Mapping[EdgeType, CSR]) -> dict[str, Tensor]:
        """Return node type -> float32 (n, d), for the same types, columns and relations as in :meth:`fit`."""
        features = {}
        for name, table in graph.nodes.items():
            matrix, names = table.attributes.matrix()
            if self.names.get(name) != names:
                raise ParameterError(f"nodes of type {name!r} have other columns than the scaler learned")
            missing = np.isnan(matrix)
            scaled = np.where(missing, 0, (matrix - self.mean[name]) / self.scale[name])
            blocks = [np.clip(scaled, -CLIP, CLIP), missing[:, self.gaps[name]]]
            if self.degrees:
                blocks += [
                    np.log1p(csr.degrees)[:, None] for kind, csr in relations.items() if kind[2] == name
                ]
            if not sum(block.shape[1] for block in blocks):
                blocks = [np.ones((table.count, 1))]
            features[name] = torch.from_numpy(np.concatenate(blocks, axis=1).astype(np.float32))
        return features

    def columns(self, name: str, relations: Iterable[EdgeType]) -> tuple[str, ...]:
        """Return what the features of a node type are called, when degrees of these relations are among them."""
        names = [*self.names[name], *(f"{self.names[name][j]} is missing" for j in self.gaps[name])]
        into = [f"degree by {kind[1]}" for kind in relations if kind[2] == name]
        if not names and not (self.degrees and into):
            names = ["one"]
        return tuple(names + into)

    def to_arrays(self) -> Arrays:
        """Return all that was learned, for saving."""
        names = {name: _text(json.dumps(said)) for name, said in self.names.items()}
        parts = {"mean": self.mean, "scale": self.scale, "gaps": self.gaps, "names": names}
        arrays: Arrays = {f"{part}/{name}": a for part, values in parts.items() for name, a in values.items()}
        return arrays | {"degrees": np.array(self.degrees)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> FeatureScaler:
        """Return the scaler that :meth:`to_arrays` came from."""

        def part(which: str) -> Arrays:
            names = [key for key in arrays if key.startswith(f"{which}/")]
            return {key.partition("/")[2]: arrays[key] for key in names}

        names = {name: tuple(json.loads(array.tobytes())) for name, array in part("names").items()}
        return cls(part("mean"), part("scale"), part("gaps"), names, degrees=bool(arrays["degrees"]))


def _text(value: str) -> NDArray[np.uint8]:
    return np.frombuffer(value.encode(), np.uint8)


__all__ = ["CLIP", "FeatureScaler"]
