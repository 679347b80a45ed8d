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
from marigram.online.hashing import hash_features

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
                verdicts = self._joint.update_many(hash_features(self._records(plain), DIMENSION))
            else:
                continue
            p = np.clip(np.nan_to_num(verdicts["p_value"], nan=1.0), _LEAST, 1.0)
            columns["surprise"][:, j] = calibrated(-np.log(p))
            for name, field in (("observed", "value"), ("expected", "expected")):
                cells = np.nan_to_num(np.asarray(verdicts[field], np.float64).reshape(len(p)))
                columns[name][:, j] = unscaled(cells) if stream.kind == "number" else cells

    def _number(self, name: str, plain: pa.Table) -> Any:
        actors = plain[self._schema.acting].fill_null("")
        values = plain[name].cast(pa.float64()).fill_null(np.nan).to_numpy()
        with np.errstate(invalid="ignore"):
            scaled = np.sign(values) * np.log1p(np.abs(values))
        return self._fleets[name].update(np.array(actors.to_pylist(), object), scaled)

    def _records(self, plain: pa.Table) -> list[dict[str, str | None]]:
        """Rows of what is done, its attributes, and the kinds of who and what took part."""
        schema = self._schema
        cells: dict[str, list[str | None]] = {}
        for name in (*schema.entities, *schema.attributes):
            texts = plain[name].to_pylist()
            if name in schema.entities and name != schema.acted:
                hashed = name in schema.hashed
                texts = [t and (t.rpartition("#")[0] if hashed else kind_of_name(t)) for t in texts]
            cells[name] = texts
        return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]

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


def unscaled(scaled: Array) -> Array:
    """Return the numbers that were scaled for a detector."""
    plain: Array = np.sign(scaled) * np.expm1(np.minimum(np.abs(scaled), 700.0))
    return plain
