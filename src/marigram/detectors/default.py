"""The default detector: :func:`process` for a table of keys, :class:`Detector` for one.

The recipe, in the order of an event (each piece's page has its equations):
:mod:`~marigram.online.context` predicts, :mod:`~marigram.thresholds.tail` gives p, :mod:`~marigram.thresholds.habits`
the severity, :mod:`~marigram.change.level_shift` and :mod:`~marigram.change.scale_shift` test for drift, then
:mod:`~marigram.online.level`, :mod:`~marigram.online.scale` and the rest learn.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from marigram import snapshots
from marigram.detectors.kernel import NO_TIME, SCRATCH, run
from marigram.detectors.parameters import Parameters
from marigram.detectors.state import StateTable
from marigram.errors import ParameterError, SnapshotError
from marigram.online.season import CALENDAR
from marigram.thresholds.tail import WORK_SHAPE
from marigram.verdicts import Verdict, Verdicts

Columns = dict[str, Any]
_NO_TIMES = np.zeros(0, np.int64)
SNAPSHOT = "detector"


def process(
    table: StateTable,
    slots: np.ndarray,
    values: np.ndarray,
    times: np.ndarray | None = None,
) -> Columns:
    """Send n events of many keys through their detectors, in row order, and update ``table`` in place.

    Parameters
    ----------
    table
        States of the keys.
    slots
        (n,) int64, the key of each event as a row of ``table``.
    values
        (n, d) float64, NaN where a value is missing; not mutated.
    times
        (n,) int64 nanoseconds since 1970 UTC, the smallest int64 for none; or None.

    Returns
    -------
    dict
        The columns of :class:`~marigram.verdicts.Verdicts` that a detector decides, the drift columns sparse.
    """
    columns = new_columns(len(slots), table.d)
    drifts = process_shard(table, slots, values, times, columns, 0, 1)
    return with_drifts(columns, [drifts])


def new_columns(n: int, d: int) -> Columns:
    """Empty output columns for n events of d coordinates; shards may fill them together."""
    shape = (n,) if d == 1 else (n, d)
    columns: Columns = {name: np.empty(n, np.int64) for name in ("seq", "n")}
    columns |= {name: np.empty(n) for name in ("p_value", "severity")}
    columns |= {name: np.empty(shape) for name in ("expected", "lower", "upper")}
    columns |= {"kind": np.empty(n, np.uint8), "episode": np.zeros(n, np.int64)}
    columns |= {name: np.zeros(n, np.bool_) for name in ("notice", "late")}
    columns["why"] = np.empty((n, d), np.float32) if d > 1 else None
    return columns


def process_shard(
    table: StateTable,
    slots: np.ndarray,
    values: np.ndarray,
    times: np.ndarray | None,
    columns: Columns,
    shard: int,
    shards: int,
) -> Columns:
    """As :func:`process` for the keys with slot % shards == shard, into the rows of ``columns``; gives the drifts."""
    n, d = values.shape
    if d != table.d:
        raise ParameterError(f"values have {d} coordinates, the detector was begun with {table.d}")
    if times is not None and table.parameters.season == "auto":
        table.make_seasonal()
    drifts: Columns = {name: np.empty(n, np.int64) for name in ("drift_rows", "changed_at", "resolves")}
    drifts |= {name: np.empty((n, d)) for name in ("before", "after")}
    why = columns["why"] if d > 1 else np.empty((0, 1), np.float32)
    expected, lower, upper = (columns[name].reshape(n, d) for name in ("expected", "lower", "upper"))
    count = run(
        table.heads, table.coords, table.seasons, table.largest, table.settings,
        slots, values, _NO_TIMES if times is None else times, shard, shards,
        columns["seq"], columns["n"], columns["p_value"], expected, lower, upper, columns["kind"], columns["severity"],
        columns["episode"], columns["notice"], columns["late"], why,
        drifts["drift_rows"], drifts["changed_at"], drifts["before"], drifts["after"], drifts["resolves"],
        np.zeros(d, SCRATCH), np.zeros(1, CALENDAR), np.empty(WORK_SHAPE),
    )  # fmt: skip
    return {name: column[:count].copy() for name, column in drifts.items()}


def with_drifts(columns: Columns, drifts: list[Columns]) -> Columns:
    """Output columns with the drifts of all shards, in row order."""
    joined = {name: np.concatenate([part[name] for part in drifts]) for name in drifts[0]}
    order = np.argsort(joined["drift_rows"], kind="stable")
    joined = {name: column[order] for name, column in joined.items()}
    if columns["why"] is None:
        joined |= {name: joined[name][:, 0] for name in ("before", "after")}
    return columns | joined


class Detector:
    """Tells, event by event, a true anomaly from drift; no configuration needed.

    Parameters
    ----------
    alpha
        Promised probability, in [1e-8, 0.1], that a normal event is called an anomaly.
    season
        ``"auto"``: events with times get a context of time of day and week; ``"off"``: never.
    pool
        In a fleet, share the shape of the tail with young keys.
    joint
        Judge a vector by one distance instead of coordinate by coordinate: for many coordinates, dense or sparse;
        see :class:`marigram.JointDetector`, which this makes.
    rank, half_life
        Of a joint detector only.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=3000)
    >>> x[2000] += 30
    >>> detector = Detector()
    >>> table = detector.update_many(x)
    >>> table[2000].kind
    <Kind.ANOMALY: 1>
    >>> detector.update(0.3).kind
    <Kind.NORMAL: 0>
    """

    joint: ClassVar[bool] = False

    def __new__(cls, *_: Any, joint: bool = False, **__: Any) -> Detector:
        """A joint detector where one is asked for."""
        if joint:
            from marigram.detectors.joint.detector import JointDetector

            return object.__new__(JointDetector)
        return object.__new__(cls)

    def __init__(
        self,
        alpha: float = 1e-3,
        *,
        season: Literal["auto", "off"] = "auto",
        pool: bool = False,
        joint: bool = False,
        rank: int = 0,
        half_life: float = 140.0,
    ) -> None:
        if joint or rank != 0 or half_life != 140.0:
            raise ParameterError("rank and half_life are for joint=True")
        self.parameters = Parameters(alpha=alpha, season=season, pool=pool)
        self._table: StateTable | None = None

    @classmethod
    def from_parameters(cls, parameters: Parameters) -> Detector:
        """A fresh detector with these parameters."""
        return cls(parameters.alpha, season=parameters.season, pool=parameters.pool)

    def update(
        self,
        value: float | ArrayLike | None,
        time: Any = None,
        *,
        id: Any = None,  # noqa: A002
        key: Any = None,
    ) -> Verdict:
        """Score one event, then learn it.

        Parameters
        ----------
        value
            A number, or d numbers; NaN or None for a missing one.
        time
            Nanoseconds since 1970 UTC, or anything NumPy reads as a datetime64; None for no time.
        id, key
            Carried into the verdict.
        """
        row = numbers(np.nan if value is None else value)
        if row.ndim > 1:
            raise ParameterError(f"one event is a number or a vector, got an array of {row.ndim} dimensions")
        table = self._update(row.reshape(1, -1), None if time is None else nanoseconds([time]), id, key)
        return table[0]

    def update_many(self, values: ArrayLike, times: ArrayLike | None = None) -> Verdicts:
        """Score and learn n events in their order: the same verdicts as one by one.

        Parameters
        ----------
        values
            (n,) numbers, or (n, d); not mutated.
        times
            (n,) nanoseconds since 1970 UTC or datetime64, NaT for none; or None.
        """
        array = numbers(values)
        if array.ndim not in (1, 2):
            raise ParameterError(f"values must be (n,) or (n, d), got {array.ndim} dimensions")
        rows = np.ascontiguousarray(
            array.reshape(len(array), -1) if array.size else array.reshape(len(array), self.d)
        )
        return self._update(rows, None if times is None else nanoseconds(times), None, None)

    @property
    def d(self) -> int:
        """Number of coordinates, 1 before the first event."""
        return 1 if self._table is None else self._table.d

    def _update(self, rows: np.ndarray, times: np.ndarray | None, id: Any, key: Any) -> Verdicts:  # noqa: A002
        n, d = rows.shape
        if times is not None and len(times) != n:
            raise ParameterError(f"{n} values but {len(times)} times")
        if self._table is None:
            self._table = StateTable(self.parameters, d, 1)
        columns = process(self._table, np.zeros(n, np.int64), rows, times)
        value = rows[:, 0] if d == 1 else rows
        given = {} if key is None else {"key": np.full(n, key, object)}
        if id is not None:
            given["id"] = np.full(n, id, object)
        return Verdicts(value=value.copy(), time=times, **given, **columns)

    def to_bytes(self) -> bytes:
        """The detector's parameters and state, checksummed; never pickle."""
        meta = {
            "parameters": msgspec.to_builtins(self.parameters),
            "d": 0 if self._table is None else self._table.d,
        }
        arrays = {} if self._table is None else self._table.arrays()
        return snapshots.pack(SNAPSHOT, meta, arrays)

    @classmethod
    def from_bytes(cls, data: bytes) -> Detector:
        """A detector as :meth:`to_bytes` left it; its next verdicts are those it would have given.

        Raises
        ------
        SnapshotError
            Damaged bytes, or those of another version.
        """
        meta, arrays = snapshots.unpack(data, SNAPSHOT)
        try:
            if meta.get("joint"):
                from marigram.detectors.joint.detector import JointDetector

                return JointDetector.of_snapshot(meta, arrays)
            detector = cls.from_parameters(msgspec.convert(meta["parameters"], Parameters))
            if meta["d"]:
                detector._table = StateTable(detector.parameters, meta["d"], 1)
                detector._table.put_arrays(arrays)
        except (KeyError, msgspec.ValidationError, ParameterError) as error:
            raise SnapshotError(f"not a detector of this version: {error}") from error
        return detector


def numbers(values: ArrayLike) -> np.ndarray:
    """Values as float64; None is NaN, an integer too large for a double is infinite (and so will be rejected).

    Raises
    ------
    ParameterError
        Not numbers.
    """
    array = np.asarray(values)
    if array.dtype.kind in "fiub":
        return array.astype(np.float64, copy=False)
    if array.dtype != object:
        raise ParameterError(f"values must be numbers, got dtype {array.dtype}")
    return np.array([_number(x) for x in array.ravel().tolist()], np.float64).reshape(array.shape)


def _number(x: Any) -> float:
    if x is None:
        return math.nan
    if isinstance(x, (str, bytes)):
        raise ParameterError(f"values must be numbers, got {x!r}")
    try:
        return float(x)
    except OverflowError:
        return math.inf if x > 0 else -math.inf
    except (TypeError, ValueError) as error:
        raise ParameterError(f"values must be numbers, got {x!r}") from error


def nanoseconds(times: ArrayLike) -> np.ndarray:
    """Times as int64 nanoseconds since 1970 UTC; integers are taken as such, anything else as datetime64.

    Raises
    ------
    ParameterError
        Not times.
    """
    array = np.asarray(times)
    if array.dtype.kind in "iu":
        return array.astype(np.int64, copy=False)
    if array.size and array.dtype.kind not in "MOSU":  # NumPy would read 1.7e9 as nanoseconds
        raise ParameterError(f"times must be int64 nanoseconds or datetime64, got {array.dtype}")
    try:
        return array.astype("datetime64[ns]").astype(np.int64)
    except (TypeError, ValueError) as error:
        raise ParameterError(
            f"times must be int64 nanoseconds or datetime64, got {array.dtype}: {error}"
        ) from error


__all__ = [
    "NO_TIME",
    "SNAPSHOT",
    "Detector",
    "Parameters",
    "nanoseconds",
    "new_columns",
    "process",
    "process_shard",
    "with_drifts",
]
