"""One detector for vectors of any width: the distance from a learned norm, judged as a number is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram import snapshots
from marigram.detectors.default import SNAPSHOT, Detector, nanoseconds, numbers
from marigram.detectors.joint.covariance import scratch
from marigram.detectors.joint.kernel import run_dense
from marigram.detectors.joint.parameters import JointParameters
from marigram.detectors.joint.rows import CHANGE, NAMED, OUT
from marigram.detectors.joint.sparse_kernel import run_sparse
from marigram.detectors.joint.state import JointTable
from marigram.detectors.joint.verdicts import JointVerdict, JointVerdicts, Names
from marigram.detectors.scoring import SCRATCH
from marigram.errors import ParameterError
from marigram.online.hashing import SparseRows
from marigram.thresholds.tail import WORK_SHAPE

Array: TypeAlias = NDArray[Any]
STRETCH = 4096
"""Rows whose drifts there is room for at a time."""
_NO_TIMES = np.zeros(0, np.int64)


class JointDetector(Detector):
    """Tells a true anomaly from drift in vectors of up to some hundred thousand coordinates, dense or sparse.

    This is what ``Detector(joint=True)`` makes.  Its verdicts are those of one number, the distance of
    an event from the norm: the root mean square of the residuals in standard deviations.  A state takes 32 bytes a
    coordinate, and as many doubles for each direction of ``rank``.

    Parameters
    ----------
    alpha
        Promised probability, in [1e-8, 0.1], that a normal event is called an anomaly.
    rank
        Directions of common variation that are learned, in [0, 64] and less than d; 0: coordinates count as
        uncorrelated.  Dense values only.
    half_life
        Events, in [10, 1e6], in which the mean forgets half; the scales take ten times as many.

    season, pool
        As they are by default: a joint detector has no seasons, and is not for fleets.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(3000, 50))
    >>> x[2000, 7] += 30
    >>> verdict = Detector(joint=True).update_many(x)[2000]
    >>> verdict.kind, verdict.coordinates[0], verdict.why[0] > 0.8
    (<Kind.ANOMALY: 1>, 7, True)
    """

    joint: ClassVar[bool] = True

    def __init__(
        self,
        alpha: float = 1e-3,
        *,
        season: Literal["auto", "off"] = "auto",
        pool: bool = False,
        joint: bool = True,
        rank: int = 0,
        half_life: float = 140.0,
    ) -> None:
        if not joint or season != "auto" or pool:
            raise ParameterError("a joint detector has no season and no pool: leave these out")
        super().__init__(alpha)
        self.choice = JointParameters(alpha=alpha, rank=rank, half_life=half_life)
        self._states: JointTable | None = None

    @property
    def d(self) -> int:
        """Number of coordinates, 1 before the first event."""
        return 1 if self._states is None else self._states.d

    def update(
        self,
        value: Any,
        time: Any = None,
        *,
        id: Any = None,  # noqa: A002
        key: Any = None,
    ) -> JointVerdict:
        """Score one event, then learn it.

        Parameters
        ----------
        value
            d numbers, NaN for a missing one, or one sparse row.
        time
            Nanoseconds since 1970 UTC, or anything NumPy reads as a datetime64; None for no time.
        id, key
            Carried into the verdict.
        """
        times = None if time is None else nanoseconds([time])
        if is_sparse(value):
            rows = SparseRows.of(value)
            if len(rows) != 1:
                raise ParameterError(f"one event is one sparse row, got {len(rows)}")
            return self._update(rows, times, id, key).row(0)
        row = numbers(value)
        if row.ndim > 1:
            raise ParameterError(f"one event is a number or a vector, got an array of {row.ndim} dimensions")
        return self._update(np.ascontiguousarray(row.reshape(1, -1)), times, id, key).row(0)

    def update_many(self, values: Any, times: ArrayLike | None = None) -> JointVerdicts:
        """Score and learn n events in their order: the same verdicts as one by one.

        Parameters
        ----------
        values
            (n, d) numbers, a SciPy sparse matrix, or what :func:`marigram.hash_features` makes; not mutated.
        times
            (n,) nanoseconds since 1970 UTC or datetime64, NaT for none; or None.
        """
        known = None if times is None else nanoseconds(times)
        if is_sparse(values):
            return self._update(SparseRows.of(values), known, None, None)
        array = numbers(values)
        if array.ndim not in (1, 2):
            raise ParameterError(f"values must be (n,) or (n, d), got {array.ndim} dimensions")
        rows = array.reshape(len(array), -1) if array.size else array.reshape(len(array), self.d)
        return self._update(np.ascontiguousarray(rows), known, None, None)

    def _update(self, rows: Array | SparseRows, times: Array | None, id: Any, key: Any) -> JointVerdicts:  # noqa: A002
        n, d = rows.shape
        if times is not None and len(times) != n:
            raise ParameterError(f"{n} values but {len(times)} times")
        sparse = isinstance(rows, SparseRows)
        if self._states is None:
            self._states = JointTable(self.choice, d, 1, sparse=sparse)
        columns, drift = process(self._states, np.zeros(n, np.int64), rows, times)
        if times is not None:
            columns["time"] = times.copy()
        for name, given in (("key", key), ("id", id)):
            if given is not None:
                columns[name] = np.full(n, given, object)
        names: Names = rows.names if isinstance(rows, SparseRows) else _no_names
        return JointVerdicts.made(columns, drift.pop("row"), drift, names)

    def to_bytes(self) -> bytes:
        """The detector's parameters and state, checksummed; never pickle."""
        table = self._states
        meta = {
            "joint": True,
            "parameters": msgspec.to_builtins(self.choice),
            "d": 0 if table is None else table.d,
            "sparse": table is not None and table.sparse,
        }
        return snapshots.pack(SNAPSHOT, meta, {} if table is None else table.arrays())

    @classmethod
    def of_snapshot(cls, meta: Mapping[str, Any], arrays: dict[str, Array]) -> JointDetector:
        """A detector as :meth:`to_bytes` left it, from a verified snapshot's content."""
        choice = msgspec.convert(meta["parameters"], JointParameters)
        detector = cls(choice.alpha, rank=choice.rank, half_life=choice.half_life)
        if meta["d"]:
            detector._states = JointTable(choice, meta["d"], 1, sparse=meta["sparse"])
            detector._states.put_arrays(arrays)
        return detector


def is_sparse(values: Any) -> bool:
    """Whether values are sparse rows of some form."""
    return isinstance(values, SparseRows) or hasattr(values, "tocsr")


def process(
    table: JointTable, slots: Array, rows: Array | SparseRows, times: Array | None
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Send n events of many keys through their detectors, in row order, and update ``table`` in place.

    Returns the columns that a detector decides, and those of the m drifts.
    """
    n, d = rows.shape
    if isinstance(rows, SparseRows) != table.sparse:
        raise ParameterError(f"the detector was begun with {'sparse' if table.sparse else 'dense'} values")
    if d != table.d:
        raise ParameterError(f"values have {d} coordinates, the detector was begun with {table.d}")
    out = np.zeros(n, OUT)
    coordinates, shares = np.full((n, NAMED), -1, np.int64), np.zeros((n, NAMED), np.float32)
    scratches = np.zeros(1, SCRATCH), np.empty(WORK_SHAPE)
    changes = []
    for begin in range(0, n, STRETCH):
        part = slice(begin, min(begin + STRETCH, n))
        found = np.empty(part.stop - begin, CHANGE)
        given = fixed(_NO_TIMES if times is None else times[part])
        said = (out[part], coordinates[part], shares[part], found, *scratches)
        f = table.fields
        if isinstance(rows, SparseRows):
            ends = fixed(rows.indptr[begin : part.stop + 1])
            count = run_sparse(
                table.heads, f["first"], f["second"], f["gathered_first"], f["gathered_second"], f["stamp"],
                table.settings, slots[part], ends, fixed(rows.indices), fixed(rows.values), given, *said,
            )  # fmt: skip
        else:
            count = run_dense(
                table.heads, f["mean"], f["inverse_unit"], f["variance"], f["gathered"], table.directions,
                table.powers, table.settings, slots[part], fixed(rows[part]), given, *said,
                *scratch(d, table.parameters.rank),
            )  # fmt: skip
        found = found[:count].copy()
        found["row"] += begin
        changes.append(found)
    drifts = np.concatenate(changes) if changes else np.empty(0, CHANGE)
    columns = {name: np.ascontiguousarray(out[name]) for name in OUT.names or ()}
    renamed = {"coordinates": "moved", "levels_before": "moved_before", "levels_after": "moved_after"}
    drift = {renamed.get(name, name): np.ascontiguousarray(drifts[name]) for name in CHANGE.names or ()}
    return columns | {"coordinates": coordinates, "why": shares}, drift


def fixed(array: Array) -> Array:
    """A view that cannot be written to: given arrays that can, and arrays that cannot, share one compiled kernel."""
    view = array.view()
    view.flags.writeable = False
    return view


def _no_names(coordinate: int) -> tuple[str, ...]:  # noqa: ARG001  (called like SparseRows.names)
    return ()


__all__ = ["JointDetector", "is_sparse", "process"]
