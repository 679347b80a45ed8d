"""The state of joint detectors: one record a key for the distance, and arrays over its coordinates.

A row of zeros is a key never seen.  All numbers are doubles.  Dense keys have for each coordinate its mean, the
inverse of its unit (a power of two), its variance in that unit and the sum of its residuals since a change is
suspected: 32 bytes; a low-rank covariance adds ``rank`` directions.  Sparse keys have first and second moments up to a
common factor, and their sums since a change is suspected, with a stamp that tells which of these are of the present
suspicion: 40 bytes.
"""

from __future__ import annotations

import numpy as np

from marigram.change import level_shift, scale_shift
from marigram.detectors.joint.parameters import JointParameters
from marigram.detectors.state import KEPT, RING, record
from marigram.errors import ParameterError
from marigram.online import level, scale
from marigram.thresholds import habits
from marigram.thresholds.tail import TAIL

DISTANCE = record(
    [
        ("seq", "i8"), ("n", "i8"), ("time", "i8"),
        ("tail", TAIL), ("habit", TAIL), ("habit_ring", "u1", (8,)), ("ring", "f8", (RING,)), ("bins", "u1", (KEPT,)),
        *level.FIELDS, *scale.FIELDS, *level_shift.FIELDS, *scale_shift.FIELDS, *habits.RECORD_FIELDS,
        ("clip", "f8"), ("clip_n", "f8"), ("mean_error", "f8"), ("spread_error", "f8"), ("usual", "f8"),
        ("typical", "f8"), ("factor", "f8"), ("silence", "f8"), ("energy", "f8"), ("gathered", "i8"),
        ("suspicions", "i8"), ("known", "i8"), ("flags", "u1"),
        ("gap", "f4"), ("silent", "u1"), ("timed", "u1"),
        ("episode", "i4"), ("quiet", "i4"), ("peak", "f4"),
        ("anomaly_rate", "f4"), ("recent_rate", "f4"), ("since_drift", "i4"), ("z_alpha", "f4"),
    ]
)  # fmt: skip
"""``clip``: the running quantile of the distances; ``mean_error``, ``spread_error``: variances of the estimated mean
and variances, relative to what they estimate; ``usual``: mean squared residual; ``typical``: slow mean of the distance;
``factor`` and ``silence``: of a sparse key the common factor of its moments, and the squared length of a row of nothing
but zeros; ``gathered``, ``energy``: events, and their mean squared residuals, since change number ``suspicions`` is
suspected; ``known``: coordinates that have moved; ``flags``: see :mod:`marigram.detectors.joint.dense`."""
_DENSE = {"mean": "f8", "inverse_unit": "f8", "variance": "f8", "gathered": "f8"}
_SPARSE = {"first": "f8", "second": "f8", "gathered_first": "f8", "gathered_second": "f8", "stamp": "i8"}


class JointTable:
    """The states of ``capacity`` keys of dimension d.

    Parameters
    ----------
    parameters
        The detector's parameters, kept with the state.
    d
        Number of coordinates of a value, at least 1.
    capacity
        Number of keys there is room for.
    sparse
        Whether values come as sparse rows.
    """

    def __init__(
        self, parameters: JointParameters, d: int, capacity: int = 1, *, sparse: bool = False
    ) -> None:
        if d < 1:
            raise ParameterError(f"d must be at least 1, got {d}")
        if sparse and parameters.rank:
            raise ParameterError("rank must be 0 for sparse values: a low-rank covariance is of dense ones")
        if parameters.rank >= max(d, 2):
            raise ParameterError(
                f"rank must be less than the {d} coordinates of a value, got {parameters.rank}"
            )
        self.parameters = parameters
        self.d = d
        self.sparse = sparse
        self.settings = parameters.settings()
        self.heads = np.zeros(capacity, DISTANCE)
        fields = _SPARSE if sparse else _DENSE
        self.fields = {name: np.zeros((capacity, d), dtype) for name, dtype in fields.items()}
        self.directions = np.zeros((capacity, parameters.rank, d))
        self.powers = np.zeros((capacity, parameters.rank + 1))

    @property
    def bytes_per_key(self) -> int:
        """Bytes of state of one key."""
        return sum(array.nbytes // max(len(array), 1) for array in self.arrays().values())

    def arrays(self) -> dict[str, np.ndarray]:
        """All state by name: what a snapshot holds."""
        return {"heads": self.heads, **self.fields, "directions": self.directions, "powers": self.powers}

    def put_arrays(self, arrays: dict[str, np.ndarray]) -> None:
        """Replace all state by arrays of the same layout, as :meth:`arrays` gave them."""
        for name, own in self.arrays().items():
            given = arrays[name]
            if given.dtype != own.dtype or given.shape[1:] != own.shape[1:]:
                raise ParameterError(f"state array {name!r} has another layout than this version's")
            if name in self.fields:
                self.fields[name] = np.ascontiguousarray(given)
            else:
                setattr(self, name, np.ascontiguousarray(given))


__all__ = ["DISTANCE", "JointTable"]
