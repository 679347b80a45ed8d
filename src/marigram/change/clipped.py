"""`ClippedChangePoint`: changes of a mean in any dimension, by clipping alone."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, final

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from marigram.change import segments, uai
from marigram.change.base import RECENT, ChangePointTest, Location, State
from marigram.change.ledger import ledger, locate, make_room
from marigram.errors import ParameterError
from marigram.online._ranges import number_in, one_of, settle
from marigram.online.records import MAGNITUDE, Array, Floats, as_values


class ClippedParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ClippedChangePoint`, checked and frozen."""

    delta: float = 0.05
    sigma: float = 1.0
    variant: Literal["segments", "uai"] = "segments"
    constants: Literal["printed", "theorem"] | None = None
    center: list[float] | None = None
    diameter: float | None = None
    starts: Literal["all", "dyadic"] = "all"

    def __post_init__(self) -> None:
        settle(self, "delta", 1e-12, 0.5)
        settle(self, "sigma", 1e-100, 1e100)
        one_of("variant", self.variant, ("segments", "uai"))
        one_of("starts", self.starts, ("all", "dyadic"))
        if self.diameter is not None:
            settle(self, "diameter", 1e-100, MAGNITUDE)
        if self.variant == "uai":
            one_of("constants", self.constants, ("printed", "theorem"))
            if self.diameter is None:
                raise ParameterError(
                    "diameter must be given with variant='uai': a number in [1e-100, 1e+300]"
                )
        elif self.constants is not None:
            raise ParameterError("constants belong to variant='uai'; give None, not " + repr(self.constants))
        elif (self.center is None) != (self.diameter is None):
            raise ParameterError("center and diameter are given together, or neither")

    def origin(self, d: int) -> Floats:
        """The centre that was given in units of sigma; zeros without one."""
        if self.center is None:
            return np.zeros(d)
        if len(self.center) not in (1, d):
            raise ParameterError(f"center has {len(self.center)} coordinates, values have {d}")
        place: Floats = np.full(d, 1.0 / self.sigma) * np.array(self.center)
        return place


@final
class ClippedChangePoint(ChangePointTest):
    """A change of mean under heavy tails in any dimension d, with a proved bound on false alarms.

    If, since the last restart, every event has the same mean given the past, and a total variance E|x - mean|² of at
    most ``sigma``², a change is told with probability at most ``delta``, ever.  The dimension does not enter, and
    nothing of the mean need be known.  For one coordinate :class:`marigram.CatoniChangePoint` is several times faster.

    ``variant="uai"`` is Algorithm 1 of the paper with its test corrected.  ``constants="theorem"`` has the paper's
    proof, and next to no power; ``"printed"`` are those of its experiments, without proof.

    Parameters
    ----------
    delta
        Probability of a false alarm, in [1e-12, 0.5].
    sigma
        Bound on the root of the total variance, in [1e-100, 1e100]: for d coordinates of variance v, sqrt(d v).
    variant
        ``"segments"``: means of clipped values of two segments; ``"uai"``: chains of clipped SGD.
    constants
        ``"printed"`` or ``"theorem"``, which ``variant="uai"`` asks for.
    center
        A number or (d,), no farther than ``diameter`` from the mean before any change; th_0 of ``"uai"``, 0 if not
        given.  Without it ``"segments"`` finds a centre of its own in the first sixteen events.
    diameter
        Of the set where means may lie, in the unit of the values; G of the paper.
    starts
        ``"all"``, or ``"dyadic"`` for bounded memory.  ``"segments"`` makes the same tests either way, but knows a
        start only to an eighth of its age; ``"uai"`` makes fewer.

    Raises
    ------
    ParameterError
        A parameter outside its range, or one that does not belong to the variant.

    Notes
    -----
    Equations and proofs: :mod:`marigram.change.segments`, :mod:`marigram.change.uai`.  With all starts ``"uai"`` takes
    time and memory proportional to the events since the restart, as the paper says; ``"segments"`` takes constant time.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_t(3, (1000, 5)) / 15**0.5
    >>> x[500:, 0] += 1.0
    >>> (change,) = ClippedChangePoint().update_many(x)
    >>> change.changed_at, change.seq, round(change.before[0], 1), round(change.after[0], 1)
    (501, 607, 0.0, 1.0)
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = ClippedParameters

    def __init__(
        self,
        delta: float = 0.05,
        sigma: float = 1.0,
        *,
        variant: Literal["segments", "uai"] = "segments",
        constants: Literal["printed", "theorem"] | None = None,
        center: ArrayLike | None = None,
        diameter: float | None = None,
        starts: Literal["all", "dyadic"] = "all",
    ) -> None:
        place = None if center is None else _center(center)
        super().__init__(ClippedParameters(delta, sigma, variant, constants, place, diameter, starts))

    @property
    def _uai(self) -> bool:
        return bool(self.parameters.variant == "uai")

    def _fresh(self, d: int) -> State:
        origin = self.parameters.origin(d)
        if self._uai:
            state = {"heads": np.zeros(1, uai.HEAD), "origin": origin, **ledger(d)}
            return state | {"chains": np.zeros_like(state["sums"])}
        columns = len(segments.LEVELS) * (d + 1)
        state = {
            "heads": np.zeros(1, segments.HEAD),
            "warm": np.zeros((segments.START, d)),
            "origin": origin,
            "centre": np.zeros(d),
            "anchors": np.zeros((segments.ANCHORS, columns)),
            "counts": np.zeros(segments.ANCHORS, np.int64),
            **ledger(columns),
            "total": np.zeros(columns),
        }
        state["heads"]["radius"] = self._radius()
        return state

    def _radius(self) -> float:
        p = self.parameters
        if p.diameter is not None:
            return float(p.diameter / p.sigma)
        return segments.first_radius(p.delta / segments.ON_CENTRE)

    def _settings(self) -> Array:
        p = self.parameters
        row = np.zeros(1, uai.SETTINGS if self._uai else segments.SETTINGS)
        row["sigma"], row["delta"] = p.sigma, p.delta
        if self._uai:
            row["diameter"], row["theorem"] = p.diameter / p.sigma, p.constants == "theorem"
        else:
            row["start"] = 0 if p.diameter is not None else segments.START
        return row

    def _run(self, rows: Floats, seqs: Array, start: int) -> int:
        loop: Any = uai.run if self._uai else segments.run
        settings, dyadic = self._settings(), self.parameters.starts == "dyadic"
        heads = self._state["heads"]
        while (at := int(loop(settings, *self._state.values(), rows, seqs, start))) < 0:
            start = -1 - at
            heads["used"] = make_room(self._state, int(heads["used"][0]), dyadic)
        return at

    def _location(self) -> Location:
        return self._uai_location() if self._uai else self._segments_location()

    def _uai_location(self) -> Location:
        head, state, sigma = self._state["heads"][0], self._state, self.parameters.sigma
        seqs = [int(state["marks"][head[name], 1]) for name in ("best", "first", "last")]
        best = head["best"]
        n2 = int(head["t"] - state["marks"][best, 0])
        after = self._latest(n2, sigma) if n2 <= RECENT else state["chains"][best] * sigma
        return Location(seqs[0], seqs[1], seqs[2], state["sums"][best] * sigma, after)

    def _segments_location(self) -> Location:
        state, sigma = self._state, self.parameters.sigma
        head, d = state["heads"][0], self._d
        sums, total = self._level_sums(segments.PLACE)
        n = int(head["t"] - self._settings()["start"][0])
        found = np.zeros(3, np.int64)
        locate(state["marks"], sums, int(head["used"]), n, total, found)
        best = int(found[0])
        begun = int(state["marks"][best, 0])
        before = sums[best] / max(begun, 1)
        after = np.full(d, np.inf)
        for k, level in enumerate(segments.LEVELS):
            if not np.linalg.norm(after - before) < level / 4:
                sums, total = self._level_sums(k)
                after = (total - sums[best]) / (n - begun)
        after = (state["origin"] + after) * sigma
        if n - begun <= RECENT:
            after = self._latest(n - begun, sigma)
        seqs = state["marks"][found, 1]
        return Location(int(seqs[0]), int(seqs[1]), int(seqs[2]), (state["origin"] + before) * sigma, after)

    def _level_sums(self, k: int) -> tuple[Floats, Floats]:
        """Sums at the marks and now of the values clipped at level k."""
        at = slice(k * (self._d + 1), k * (self._d + 1) + self._d)
        return np.ascontiguousarray(self._state["sums"][:, at]), self._state["total"][at]


def _center(center: ArrayLike) -> list[float]:
    array = as_values(center)
    if array.ndim > 1 or not array.size or not np.all(np.abs(array) <= MAGNITUDE):
        raise ParameterError(f"center must be a number or (d,) numbers in [-1e+300, 1e+300], got {center!r}")
    return [number_in("center", float(x), -MAGNITUDE, MAGNITUDE) for x in array.ravel()]


__all__ = ["ClippedChangePoint", "ClippedParameters"]
