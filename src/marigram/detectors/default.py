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
from marigram.detectors.batch import new_columns, process, process_shard, with_drifts
from marigram.detectors.limits import NO_TIME
from marigram.detectors.parameters import Parameters
from marigram.detectors.single import OneRow
from marigram.detectors.state import StateTable
from marigram.errors import ParameterError, SnapshotError
from marigram.verdicts import Verdict, Verdicts

SNAPSHOT = "detector"


class Detector:
    """Tells, event by event, a true anomaly from drift; no configuration needed.

    Parameters
    ----------
    alpha
        Promised probability, in [1e-8, 0.1], that a normal event is called an anomaly.
    season
        ``"auto"``: events with times get a context of time of day and week; ``"off"``: never.
    pool
        In a fleet, judge young keys by the tail of all; see :class:`~marigram.detectors.parameters.Parameters`.
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
        self._row: OneRow | None = None

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
        moment = None if time is None else _moment(time)
        table = self._begun(row.size)
        if self._row is None:
            self._row = OneRow(table.d)
        self._row.value[0] = row
        return self._row.update(table, moment, key, id)

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
        when = None if times is None else nanoseconds(times)
        n, d = rows.shape
        if when is not None and len(when) != n:
            raise ParameterError(f"{n} values but {len(when)} times")

        columns = process(self._begun(d), np.zeros(n, np.int64), rows, when)
        value = rows[:, 0] if d == 1 else rows
        return Verdicts(value=value.copy(), time=when, **columns)

    @property
    def d(self) -> int:
        """Number of coordinates, 1 before the first event."""
        return 1 if self._table is None else self._table.d

    def _begun(self, d: int) -> StateTable:
        """The state, begun for events of d coordinates."""
        if self._table is None:
            self._table = StateTable(self.parameters, d, 1)
        if d != self._table.d:
            raise ParameterError(f"values have {d} coordinates, the detector was begun with {self._table.d}")
        return self._table

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


def _moment(time: Any) -> int:
    """One time as nanoseconds since 1970 UTC."""
    if type(time) is int and -(2**63) <= time < 2**63:
        return time
    return int(nanoseconds([time])[0])


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
