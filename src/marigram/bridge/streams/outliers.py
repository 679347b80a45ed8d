"""Numbers against what their entity's numbers usually are, and whole events as vectors, by the detectors of streams."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.bridge.streams.settings import Settings, Stream
from marigram.detectors.default import Detector
from marigram.detectors.joint.detector import JointDetector
from marigram.events.entities import EntitySchema
from marigram.events.names import kind_of_name
from marigram.fleet import Fleet
from marigram.online.hashing import SparseRows, hash_features

__all__ = ["Outliers", "calibrated"]

Array = NDArray[Any]
DIMENSION = 4096
_LEAST = 1e-12


def calibrated(evidence: Array) -> Array:
    """Return max(0, log e) of -log p, e = p^(-1/2) / 2.

    Examples
    --------
    >>> calibrated(np.log([1.0, 4.0, 400.0])).round(3).tolist()
    [0.0, 0.0, 2.303]
    """
    found: Array = np.maximum(0.5 * evidence - np.log(2.0), 0.0)
    return found


class Outliers:
    """A fleet over entities for each column of numbers, and one detector for combinations.

    Numbers are taken as sign(x) log(1 + abs(x)): amounts and bytes span many sizes.
    """

    def __init__(self, schema: EntitySchema, settings: Settings) -> None:
        self._schema = schema
        self._fleets = {name: Fleet(Detector(season="off")) for name in schema.numbers}
        self._joint = JointDetector() if settings.combination else None

    def update(self, plain: pa.Table, design: Sequence[Stream], columns: dict[str, Array]) -> None:
        """Score and learn the rows of a table; fills the columns of these streams."""
        if not plain.num_rows:
            return
        for j, stream in enumerate(design):
            if stream.kind == "number":
                verdicts = self._number(stream.value, plain)
            elif stream.kind == "combination" and self._joint is not None:
                verdicts = self._joint.update_many(self._vectors(plain))
            else:
                continue
            p = np.clip(np.nan_to_num(verdicts["p_value"], nan=1.0), _LEAST, 1.0)
            columns["surprise"][:, j] = calibrated(-np.log(p))
            for name, field in (("observed", "value"), ("expected", "expected")):
                cells = np.nan_to_num(np.asarray(verdicts[field], np.float64).reshape(len(p)))
                columns[name][:, j] = unscaled(cells) if stream.kind == "number" else cells

    def _number(self, name: str, plain: pa.Table) -> Any:
        actors = plain[self._schema.acting].fill_null("").combine_chunks()
        values = plain[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
        with np.errstate(invalid="ignore"):
            scaled = np.sign(values) * np.log1p(np.abs(values))
        return self._fleets[name].update(np.array(actors.to_pylist(), object), scaled)

    def _vectors(self, plain: pa.Table) -> SparseRows:
        """Rows of what is done, its attributes, and the kinds of who and what took part, hashed.

        Each distinct cell is hashed once, as a record of one field; a row adds up those of its cells.
        """
        schema, shape = (
            self._schema,
            (plain.num_rows, len({*self._schema.entities, *self._schema.attributes})),
        )
        places, signs = np.full(shape, DIMENSION), np.zeros(shape)
        for j, name in enumerate(dict.fromkeys((*schema.entities, *schema.attributes))):
            encoded = plain[name].combine_chunks().dictionary_encode()
            texts = encoded.dictionary.to_pylist()
            if name in schema.entities and name != schema.acted:
                hashed = name in schema.hashed
                texts = [t.rpartition("#")[0] if hashed else kind_of_name(t) for t in texts]
            cells = hash_features([{name: text} for text in texts], DIMENSION)
            codes = encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)
            places[:, j] = np.append(cells.indices, DIMENSION)[codes]
            signs[:, j] = np.append(cells.values, 0.0)[codes]
        return summed(places, signs, DIMENSION)

    def arrays(self) -> dict[str, Array]:
        """Return the state, each detector's container as bytes."""
        arrays: dict[str, Array] = {}
        if self._joint is not None:
            arrays["combination"] = np.frombuffer(self._joint.to_bytes(), np.uint8)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "fleet.mg")
            for name, fleet in self._fleets.items():
                fleet.save(path)
                arrays[f"number.{name}"] = np.frombuffer(path.read_bytes(), np.uint8)
        return arrays

    def put(self, arrays: Mapping[str, Array]) -> None:
        """Take up what :meth:`arrays` gave."""
        if self._joint is not None:
            found = Detector.from_bytes(arrays["combination"].tobytes())
            if not isinstance(found, JointDetector):
                raise ValueError("the detector of combinations is of another kind")
            self._joint = found
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "fleet.mg")
            for name in self._fleets:
                path.write_bytes(arrays[f"number.{name}"].tobytes())
                self._fleets[name] = Fleet.load(path)


def summed(places: Array, signs: Array, dimension: int) -> SparseRows:
    """Return n rows of at most C features each: coordinates (n, C), `dimension` for none, and their values.

    Examples
    --------
    >>> summed(np.array([[3, 1, 3], [7, 2, 7]]), np.ones((2, 3)), 7).to_dense().astype(int).tolist()
    [[0, 1, 0, 2, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0]]
    """
    order = np.argsort(places, axis=1, kind="stable")
    places, values = np.take_along_axis(places, order, 1), np.take_along_axis(signs, order, 1)
    for j in range(
        places.shape[1] - 1, 0, -1
    ):  # what falls into one coordinate adds up in the first of its cells
        same = (places[:, j] == places[:, j - 1]) & (places[:, j] < dimension)
        values[same, j - 1] += values[same, j]
        places[same, j] = dimension
    kept = places < dimension
    ends = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
    return SparseRows(ends, places[kept], values[kept], dimension)


def unscaled(scaled: Array) -> Array:
    """Return the numbers that were scaled for a detector."""
    plain: Array = np.sign(scaled) * np.expm1(np.minimum(np.abs(scaled), 700.0))
    return plain
