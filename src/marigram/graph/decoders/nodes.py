"""What one node type is decoded into: its degrees, its time, its features, each by a decoder of its own.

    p(degrees | z, class) p(time | z, class) p(features | z, class, degrees, time)

Degrees are what the structure decoder starts from. Features are told of them: what the latent leaves open must fit to
how many edges a node has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from marigram.graph.data import Columns, NodeTable
from marigram.graph.decoders.columns import MixedColumns
from marigram.graph.decoders.linear import LinearDecoder
from marigram.graph.decoders.mixed import MixedDecoder

Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]


@final
@dataclass(frozen=True, eq=False)
class NodeColumns:
    """The columns of one node type, told apart.

    Attributes
    ----------
    features, degrees, time
        Of attributes, of the degree in each relation into the type, and of the time (no column without times).
    centre, scale
        Of log(1 + degree) and of the time, for telling them to the next decoder.
    """

    features: MixedColumns
    degrees: MixedColumns
    time: MixedColumns
    centre: Doubles
    scale: Doubles

    @classmethod
    def fit(cls, table: NodeTable, degrees: Ints, moments: Ints, rows: Ints) -> NodeColumns:
        """Look at some rows of a type, whose times are of length 0 where nodes last."""
        matrix, named = stacked(table.attributes)
        times = as_column(moments, table.count)
        told = np.concatenate([np.log1p(degrees[rows]), times[rows]], axis=1)
        spread = told.std(0)
        return cls(
            MixedColumns.fit(matrix[rows], named), MixedColumns.fit(degrees[rows]), MixedColumns.fit(times[rows]),
            told.mean(0), np.where(spread > 0, spread, 1),
        )  # fmt: skip

    def told(self, degrees: NDArray[Any], times: NDArray[Any]) -> Tensor:
        """Return degrees (n, R) and times (n, 0 or 1) as the decoder of features takes them: float32 (n, R + …)."""
        values = np.concatenate([np.log1p(degrees), times], axis=1)
        return torch.from_numpy(((values - self.centre) / self.scale).astype(np.float32))

    def facts(self, table: NodeTable, degrees: Ints, moments: Ints) -> Facts:
        """Return all rows of the type as classes."""
        times = as_column(moments, table.count)
        matrix = stacked(table.attributes)[0]
        codes = [
            torch.from_numpy(columns.encode(values).astype(np.int32))
            for columns, values in ((self.features, matrix), (self.degrees, degrees), (self.time, times))
        ]
        return Facts(codes[0], codes[1], codes[2], self.told(degrees, times), standardised(matrix)[0])


@final
@dataclass(frozen=True, eq=False)
class Facts:
    """All rows of a type, to be decoded: classes int32 (n, parts), what the decoder of features is told, and
    the columns as they are, standardised, float32 (n, d).
    """

    features: Tensor
    degrees: Tensor
    time: Tensor
    told: Tensor
    values: Tensor

    def to(self, device: str) -> Facts:
        """Return the same on a device."""
        return Facts(*(getattr(self, field.name).to(device) for field in fields(self)))


@final
class NodeDecoder(nn.Module):
    """The decoders of one node type.

    Parameters
    ----------
    columns
        What there is to decode.
    latent
        Width of z.
    classes
        How many classes a node may have.
    linear
        The published design: features are a linear map of z.
    """

    marks: Tensor

    def __init__(self, columns: NodeColumns, latent: int, classes: int = 3, *, linear: bool = False) -> None:
        super().__init__()
        context = latent + classes
        self.register_buffer("marks", torch.eye(classes), persistent=False)
        self.degrees = MixedDecoder(columns.degrees.sizes, context)
        self.time = MixedDecoder(columns.time.sizes, context)
        width = columns.features.width
        self.features: MixedDecoder | LinearDecoder = (
            LinearDecoder(width, context)
            if linear
            else MixedDecoder(columns.features.sizes, context + len(columns.centre))
        )

    def context(self, z: Tensor, classes: Tensor) -> Tensor:
        """Put the class beside the latent: (n, latent + classes)."""
        return torch.cat([z, self.marks.index_select(0, classes).to(z.dtype)], dim=1)

    def loss(self, z: Tensor, classes: Tensor, facts: Facts, rows: Tensor) -> Tensor:
        """Return -log p of some rows of a type: (n,)."""
        return self.loss_within(self.context(z, classes), facts, rows)

    def loss_within(self, context: Tensor, facts: Facts, rows: Tensor) -> Tensor:
        """Return the same of contexts that are made already: (n,)."""
        loss = self.degrees.loss(context, facts.degrees.index_select(0, rows).long())
        if self.time.sizes:
            loss = loss + self.time.loss(context, facts.time.index_select(0, rows).long())
        if isinstance(self.features, LinearDecoder):
            return loss + self.features.loss(context, facts.values.index_select(0, rows))
        told = torch.cat([context, facts.told.index_select(0, rows)], dim=1)
        return loss + self.features.loss(told, facts.features.index_select(0, rows).long())


def as_column(times: Ints, count: int) -> Doubles:
    """Return times as a table of one column, or of none: float64 (count, 0 or 1)."""
    return times[:, None].astype(np.float64) if len(times) else np.empty((count, 0))


def stacked(attributes: Columns) -> tuple[Doubles, list[int]]:
    """Return numbers, text and codes side by side, NaN where missing, and which columns are codes."""
    codes = np.where(attributes.codes < 0, np.nan, attributes.codes)
    parts = [attributes.numeric, attributes.text, codes]
    matrix = np.concatenate(parts, axis=1, dtype=np.float64)
    start = matrix.shape[1] - codes.shape[1]
    return matrix, list(range(start, matrix.shape[1]))


def unstacked(matrix: Doubles, like: Columns) -> Columns:
    """Return the attributes that :func:`stacked` came from, with other rows."""
    numbers, text = len(like.numeric_names), len(like.text_names)
    codes = matrix[:, numbers + text :]
    return Columns(
        numeric=matrix[:, :numbers].astype(np.float32),
        numeric_names=like.numeric_names,
        codes=np.where(np.isnan(codes), -1, np.rint(np.nan_to_num(codes))).astype(np.int32),
        code_names=like.code_names,
        vocabularies=like.vocabularies,
        text=np.nan_to_num(matrix[:, numbers : numbers + text]).astype(np.float32),
        text_names=like.text_names,
    )


def standardised(matrix: Doubles) -> tuple[Tensor, Doubles, Doubles]:
    """Return float32 (n, d) of mean 0 and deviation 1 without gaps, the means and the deviations."""
    known = np.maximum((~np.isnan(matrix)).sum(0), 1)
    centre = np.nansum(matrix, axis=0) / known
    spread = np.sqrt(np.nansum((matrix - centre) ** 2, axis=0) / known)
    scale = np.where(spread > 0, spread, 1)
    scaled = np.nan_to_num((matrix - centre) / scale).astype(np.float32)
    return torch.from_numpy(scaled), centre, scale


def packed_columns(columns: NodeColumns) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return a header and arrays, for saving."""
    meta: dict[str, Any] = {}
    arrays = {"centre": columns.centre, "scale": columns.scale}
    for name in ("features", "degrees", "time"):
        meta[name], inner = getattr(columns, name).packed()
        arrays |= {f"{name}.{key}": array for key, array in inner.items()}
    return meta, arrays


def unpacked_columns(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> NodeColumns:
    """Return what :func:`packed_columns` came from."""
    parts = []
    for name in ("features", "degrees", "time"):
        inner = {key.removeprefix(f"{name}."): a for key, a in arrays.items() if key.startswith(f"{name}.")}
        parts.append(MixedColumns.unpacked(meta[name], inner))
    return NodeColumns(parts[0], parts[1], parts[2], arrays["centre"], arrays["scale"])


__all__ = [
    "Facts", "NodeColumns", "NodeDecoder", "packed_columns", "stacked", "standardised", "unpacked_columns",
    "unstacked",
]  # fmt: skip
