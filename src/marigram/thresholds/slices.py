"""Thresholds for many slices of traffic under one budget of false positives, and guardrails for changing them.

SLIDR (IAAI 2023) chooses per-slice thresholds by a convex programme; its network and labels are its own domain's.
Here is that programme alone.  With FP_s(tau) the benign events of slice s at or above tau, and G_s(tau) the others,

    maximise  sum_s G_s(tau_s)    subject to    sum_s FP_s(tau_s) <= budget * benign events,   FP_s <= cap_s * benign_s.

Each slice's curve (FP, G) is replaced by its concave hull; a multiplier nu then decides every slice by itself, as the
hull's point that maximises G_s - nu FP_s, and bisection finds the smallest nu that keeps the budget.  What remains of
the budget, less than one edge of a hull, goes to the slices in the order of their gain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from marigram import snapshots
from marigram.errors import ParameterError, SnapshotError
from marigram.online._ranges import number_in

Array = np.ndarray[Any, Any]
_SNAPSHOT = "slices"
_BISECTIONS = 200


class SliceThresholds(NamedTuple):
    """What a calibration proposes, and what it found on the events it was made from."""

    thresholds: dict[str, float]
    """Slice -> score from which an event is flagged; infinite where nothing is worth a false positive."""
    multiplier: float
    """nu: others flagged per benign event flagged, from which on a slice's threshold is lowered."""
    gained: int
    """Events flagged that are not benign."""
    false: int
    """Benign events flagged."""
    allowed: float
    """Benign events that may be flagged."""


class Decision(NamedTuple):
    """Whether a change was accepted, the share of the replayed events it flags, and why it was refused."""

    accepted: bool
    rate: float
    reason: str


class _Curve(NamedTuple):
    """One slice: benign and other events flagged at each distinct threshold, from the highest; first none."""

    thresholds: Array
    false: Array
    gain: Array
    hull: Array
    """Rows of the concave hull, in rising order."""


class SliceCalibrator:
    """Chooses a threshold for each slice under one false-positive budget, and refuses reckless changes.

    Parameters
    ----------
    budget
        Share of all benign events that may be flagged, in [0, 1].
    caps
        Share of a slice's benign events that may be flagged, in [0, 1]: one for all slices, or by slice.
    rate
        (lo, hi), 0 <= lo <= hi <= 1: a change is refused if the share of a replay window that it flags leaves it.

    Examples
    --------
    >>> import marigram as mg
    >>> calibrator = mg.SliceCalibrator(budget=0.25, rate=(0.1, 0.9))
    >>> slices, scores = ["app", "app", "web", "web", "web", "web"], [9.0, 1.0, 5.0, 4.0, 3.0, 2.0]
    >>> benign = [False, True, False, True, True, True]
    >>> proposal = calibrator.propose(slices, scores, benign)
    >>> proposal.gained, proposal.false, proposal.thresholds["app"]
    (2, 0, 9.0)
    >>> calibrator.accept(proposal, slices, scores).accepted
    True
    >>> calibrator.flags(["web", "app", "new"], [5.5, 8.0, 99.0]).tolist()
    [True, False, False]
    """

    def __init__(
        self,
        budget: float,
        *,
        caps: float | Mapping[str, float] | None = None,
        rate: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.budget = number_in("budget", budget, 0.0, 1.0)
        if isinstance(caps, Mapping):
            self._caps: dict[str, float] | float = {
                str(name): number_in(f"the cap of {name}", cap, 0.0, 1.0) for name, cap in caps.items()
            }
        else:
            self._caps = 1.0 if caps is None else number_in("caps", caps, 0.0, 1.0)
        low, high = (number_in("rate", bound, 0.0, 1.0) for bound in rate)
        if low > high:
            raise ParameterError(f"rate must be (lo, hi) with lo <= hi, got {rate!r}")
        self.rate = (low, high)
        self._thresholds: dict[str, float] = {}

    @property
    def thresholds(self) -> dict[str, float]:
        """Slice -> threshold, as last accepted; empty before."""
        return dict(self._thresholds)

    def propose(self, slices: ArrayLike, scores: ArrayLike, benign: ArrayLike) -> SliceThresholds:
        """Thresholds that flag as many other events as the budget of benign ones allows; nothing is changed.

        Parameters
        ----------
        slices
            (n,) names.
        scores
            (n,), higher is more abnormal; not NaN.
        benign
            (n,) bool: events known, or taken, to be benign. The budget holds on these events; new ones of the same
            law exceed it by what the sample's size allows.
        """
        names, score = _columns(slices, scores)
        labels = np.asarray(benign).astype(bool)
        if labels.shape != score.shape:
            raise ParameterError(f"{len(score)} scores but labels of shape {labels.shape}")
        curves = {
            str(name): _curve(score[names == name], labels[names == name], self._cap(str(name)))
            for name in np.unique(names)
        }
        allowed = self.budget * float(labels.sum())
        nu, chosen = _multiplier(curves, allowed)
        _spend(curves, chosen, allowed)
        return SliceThresholds(
            thresholds={name: float(curve.thresholds[chosen[name]]) for name, curve in curves.items()},
            multiplier=nu,
            gained=sum(int(curve.gain[chosen[name]]) for name, curve in curves.items()),
            false=sum(int(curve.false[chosen[name]]) for name, curve in curves.items()),
            allowed=allowed,
        )

    def accept(self, proposal: SliceThresholds, slices: ArrayLike, scores: ArrayLike) -> Decision:
        """Replay recent events, labels or none, against the proposal; take it over unless it flags too few or many.

        When it is refused the thresholds that were accepted last stay.
        """
        names, score = _columns(slices, scores)
        if not len(score):
            return Decision(False, math.nan, "there is nothing to replay")
        rate = float(_flags(proposal.thresholds, names, score).mean())
        low, high = self.rate
        if not low <= rate <= high:
            return Decision(
                False, rate, f"it flags {rate:.3g} of the replayed events, outside [{low:g}, {high:g}]"
            )
        self._thresholds = dict(proposal.thresholds)
        return Decision(True, rate, "")

    def flags(self, slices: ArrayLike, scores: ArrayLike) -> Array:
        """Which events reach the accepted threshold of their slice, (n,) bool; a slice without one flags nothing."""
        return _flags(self._thresholds, *_columns(slices, scores))

    def to_bytes(self) -> bytes:
        """Settings and accepted thresholds, checksummed."""
        known = {name: value for name, value in self._thresholds.items() if value < math.inf}
        never = sorted(name for name, value in self._thresholds.items() if value == math.inf)
        meta = {
            "budget": self.budget,
            "caps": self._caps,
            "rate": list(self.rate),
            "known": known,
            "never": never,
        }
        return snapshots.pack(_SNAPSHOT, meta, {})

    @classmethod
    def from_bytes(cls, data: bytes) -> SliceCalibrator:
        """As :meth:`to_bytes` left it; ``SnapshotError`` if the bytes are damaged or something else."""
        meta, _ = snapshots.unpack(data, _SNAPSHOT)
        try:
            saved = msgspec.convert(meta, _Saved)
            calibrator = cls(saved.budget, caps=saved.caps, rate=saved.rate)
        except (msgspec.ValidationError, ParameterError) as error:
            raise SnapshotError(f"not slice thresholds of this version: {error}") from error
        calibrator._thresholds = saved.known | dict.fromkeys(saved.never, math.inf)
        return calibrator

    def _cap(self, name: str) -> float:
        return self._caps.get(name, 1.0) if isinstance(self._caps, dict) else self._caps


class _Saved(msgspec.Struct, frozen=True):
    budget: float
    caps: dict[str, float] | float
    rate: tuple[float, float]
    known: dict[str, float]
    never: list[str]


def _columns(slices: ArrayLike, scores: ArrayLike) -> tuple[Array, Array]:
    names, score = np.asarray(slices).astype(str), np.asarray(scores, np.float64)
    if score.ndim != 1 or names.shape != score.shape:
        raise ParameterError(f"slices {names.shape} and scores {score.shape} must be of one length")
    if np.isnan(score).any():
        raise ParameterError(
            f"{int(np.isnan(score).sum())} scores are NaN: leave out events without an answer"
        )
    return names, score


def _flags(thresholds: Mapping[str, float], names: Array, score: Array) -> Array:
    bars = np.full(len(score), np.inf)
    for name in np.unique(names):
        bars[names == name] = thresholds.get(str(name), np.inf)
    return (score >= bars) & (bars < np.inf)


def _curve(score: Array, benign: Array, cap: float) -> _Curve:
    """The thresholds of one slice that keep its cap."""
    order = np.argsort(-score, kind="stable")
    score, benign = score[order], benign[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True))
    false = np.concatenate(([0], np.cumsum(benign)[last]))
    gain = np.concatenate(([0], np.cumsum(~benign)[last]))
    thresholds = np.concatenate(([np.inf], score[last]))
    kept = false <= cap * int(benign.sum())
    return _Curve(thresholds[kept], false[kept], gain[kept], _hull(false[kept], gain[kept]))


def _hull(x: Array, y: Array) -> Array:
    """Rows of the least concave majorant of points with rising x and y, of rows with equal x the last."""
    rows: list[int] = []
    for i in range(len(x)):
        while rows and (
            x[rows[-1]] == x[i]
            or (
                len(rows) > 1
                and (y[i] - y[rows[-1]]) * (x[rows[-1]] - x[rows[-2]])
                >= (y[rows[-1]] - y[rows[-2]]) * (x[i] - x[rows[-1]])
            )
        ):
            rows.pop()
        if not rows or y[i] > y[rows[-1]]:
            rows.append(i)
    return np.array(rows)


def _best(curve: _Curve, nu: float) -> int:
    """The row of the hull that maximises gain - nu false."""
    worth = curve.gain[curve.hull] - nu * curve.false[curve.hull]
    return int(curve.hull[int(np.argmax(worth))])


def _multiplier(curves: Mapping[str, _Curve], allowed: float) -> tuple[float, dict[str, int]]:
    """The smallest nu whose choice keeps the budget, by bisection of its logarithm; and the choice."""
    slopes = [
        float(slope)
        for curve in curves.values()
        for slope in np.diff(curve.gain[curve.hull]) / np.diff(curve.false[curve.hull])
    ]
    low, high = min(slopes, default=1.0) / 2.0, max(slopes, default=1.0) * 2.0

    def choose(nu: float) -> tuple[dict[str, int], float]:
        rows = {name: _best(curve, nu) for name, curve in curves.items()}
        return rows, float(sum(curves[name].false[row] for name, row in rows.items()))

    rows, spent = choose(low)
    if spent <= allowed:
        return low, rows
    for _ in range(_BISECTIONS):
        middle = math.sqrt(low * high)
        if not low < middle < high:
            break
        low, high = (low, middle) if choose(middle)[1] <= allowed else (middle, high)
    return high, choose(high)[0]


def _spend(curves: Mapping[str, _Curve], chosen: dict[str, int], allowed: float) -> None:
    """Lower single thresholds further while what remains of the budget pays for it, the greatest gain first."""
    remaining = allowed - sum(float(curve.false[chosen[name]]) for name, curve in curves.items())
    while True:
        options: list[tuple[int, str, int]] = []
        for name, curve in curves.items():
            row = chosen[name]
            affordable = int(np.searchsorted(curve.false, curve.false[row] + remaining, side="right")) - 1
            if affordable > row and curve.gain[affordable] > curve.gain[row]:
                options.append((int(curve.gain[affordable] - curve.gain[row]), name, affordable))
        if not options:
            return
        _, name, row = max(options)
        first = int(np.searchsorted(curves[name].gain, curves[name].gain[row], side="left"))
        remaining -= float(curves[name].false[first] - curves[name].false[chosen[name]])
        chosen[name] = first


__all__ = ["Decision", "SliceCalibrator", "SliceThresholds"]
