"""A threshold that says when it does not know: Sun, Sankararaman and Narayanaswamy, ICML 2024.

    "Online Adaptive Anomaly Thresholding with Confidence Sequences"

A score is an anomaly when it lies beyond the p-quantile q of its law, 1 - p being the rate of alerts that was asked
for.  q is not known, but a confidence sequence C_n encloses it at every n with one probability:

    Algorithm 1   S > max C: anomaly;  S < min C: normal;  else abstain.
    Algorithm 2   the intersection of all C(S_1..S_m) misses that of all C(S_m..S_n): a change.
    Algorithm 3   Algorithm 1 on the scores since the last change.
    Algorithm 4   sets of earlier scores: when exactly one agrees with the present, it is joined to it.
    Algorithm 5   3 and 4 together.

The sequences are in :mod:`marigram.thresholds.sequences`, the loop in :mod:`marigram.thresholds.segment`.  Beyond the
paper, the interval is intersected over time, which costs nothing in probability, and :meth:`ConfidenceThreshold.settle`
decides later on what was abstained from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import ParameterError
from marigram.online._ranges import one_of, settle
from marigram.thresholds.base import ANOMALY, NORMAL, Array, Floats, ScoreReader, as_scores, read_only, taken
from marigram.thresholds.segment import HEAD, run
from marigram.thresholds.sequences import Bounds, Looks, Sequence, bounds

FIRST_ROOM = 1024
NO_LENGTHS: Looks = np.zeros(0, np.int64)


class ConfidenceParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.ConfidenceThreshold`, checked and frozen."""

    p: float = 0.99
    alpha: float = 0.01
    sequence: Sequence = "passage"
    change: float | None = 1e-4

    def __post_init__(self) -> None:
        settle(self, "p", 0.5, 0.999999)
        settle(self, "alpha", 1e-9, 0.5)
        one_of("sequence", self.sequence, ("passage", "beta-binomial", "printed"))
        if self.change is not None:
            settle(self, "change", 1e-9, 0.5)


class ConfidenceThreshold(ScoreReader[ConfidenceParameters]):
    """Anomaly, normal, or not yet known: a threshold at the p-quantile that is never guessed.

    Parameters
    ----------
    p
        The quantile, 1 - p being the rate of alerts wanted, in [0.5, 0.999999].
    alpha
        Error of each end of the interval, in [1e-9, 0.5]: while the law of the scores does not change, and they are
        independent, *all* decisions on a stream of any length are right with probability 1 - 2 alpha.
    sequence
        ``"passage"``: bounds whose probability of ever being wrong is alpha exactly; ``"beta-binomial"``: those of a
        mixture; ``"printed"``: those of the paper, much wider.
    change
        Error of the test for a change at each event, in [1e-9, 0.5]; None: the law never changes (Algorithm 1).
        A false change costs abstentions, not decisions.
    offline
        Sets of scores from before, each of one law, (m,) each: the one that alone fits the present is used.

    Raises
    ------
    ParameterError
        A parameter outside its range, or a set with scores that are not finite.

    Notes
    -----
    Answers are kinds: ``anomaly``, ``normal``, ``undecided`` (abstained), ``drift`` for the event at which a change was
    found, after which the threshold begins anew.  Nothing is decided before about ln(1/alpha)/(1 - p) scores.

    It keeps every score since the last change, 40 bytes each; an event costs the move of half of those that are sorted:
    4 µs at 20,000, 50 µs at 200,000.

    Examples
    --------
    >>> import numpy as np
    >>> threshold = ConfidenceThreshold(p=0.99)
    >>> kinds = threshold.update_many(np.random.default_rng(0).exponential(size=20_000))
    >>> [kind.label for kind in (threshold.update(30.0), threshold.update(4.6), threshold.update(1.0))]
    ['anomaly', 'undecided', 'normal']
    >>> bool(threshold.lower < np.log(100) < threshold.upper)
    True
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = ConfidenceParameters

    def __init__(
        self,
        p: float = 0.99,
        alpha: float = 0.01,
        *,
        sequence: Sequence = "passage",
        change: float | None = 1e-4,
        offline: Iterable[ArrayLike] = (),
    ) -> None:
        self._begin(ConfidenceParameters(p, alpha, sequence, change))
        sets = [np.sort(as_scores(scores)) for scores in offline]
        if any(not len(s) or not np.all(np.isfinite(s)) for s in sets):
            raise ParameterError("offline sets must hold finite scores, at least one each")
        self._use_offline(sets)

    def __repr__(self) -> str:
        return f"<ConfidenceThreshold: n={self.n}, interval=[{self.lower:g}, {self.upper:g}]>"

    @property
    def n(self) -> int:
        """Scores since the last change."""
        return int(self._heads["n"][0])

    @property
    def lower(self) -> float:
        """Scores below are normal; -inf as long as nothing is known."""
        return float(max(self._heads["lower"][0], self._heads["joint_lower"][0]))

    @property
    def upper(self) -> float:
        """Scores beyond are anomalies; inf as long as nothing is known."""
        return float(min(self._heads["upper"][0], self._heads["joint_upper"][0]))

    @property
    def changes(self) -> int:
        """Changes found."""
        return int(self._heads["changes"][0])

    @property
    def changed_at(self) -> int | None:
        """Number of the event, from 0, since which the scores looked different at the last change; None before it."""
        return int(self._heads["changed_at"][0]) if self.changes else None

    @property
    def rejected(self) -> int:
        """Scores that were missing or not usable."""
        return int(self._heads["rejected"][0])

    @property
    def offline_set(self) -> int | None:
        """Number of the offline set that is joined to the present; None while none or several fit."""
        joined = int(self._heads["joined"][0])
        return joined if joined >= 0 else None

    def settle(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Decide on what was abstained from since the last change and lies outside the interval by now.

        Returns
        -------
        events, kinds
            (k,) numbers of the events, from 0, and (k,) answers, each given once.  What a change leaves undecided
            stays so.
        """
        m = int(self._heads["waiting"][0])
        events, scores = self._waiting_at[:m], self._waiting[:m]
        above, below = scores > self.upper, scores < self.lower
        if self.lower > self.upper:
            above = below = np.zeros(m, np.bool_)
        decided = above | below
        answers = np.where(above, ANOMALY, NORMAL)[decided], events[decided]
        left = int(np.count_nonzero(~decided))
        self._waiting_at[:left], self._waiting[:left] = events[~decided], scores[~decided]
        self._heads["waiting"] = left
        return answers[1], answers[0]

    def _begin(self, parameters: ConfidenceParameters) -> None:
        super().__init__(parameters)
        self._heads = np.zeros(1, HEAD)
        self._heads["joined"] = -1
        for end, value in (("lower", -np.inf), ("upper", np.inf)):
            self._heads[end] = self._heads[f"joint_{end}"] = value
        self._ordered: Floats = np.zeros(FIRST_ROOM)
        self._recent: Floats = np.zeros(FIRST_ROOM)
        self._waiting: Floats = np.zeros(FIRST_ROOM)
        self._waiting_at = np.zeros(FIRST_ROOM, np.int64)
        self._up_to = np.zeros(FIRST_ROOM, np.int64)
        self._from_on = np.zeros(FIRST_ROOM, np.int64)
        self._use_offline([])

    def _use_offline(self, sets: list[Floats]) -> None:
        self._starts = np.cumsum([0, *(len(s) for s in sets)]).astype(np.int64)
        self._offline: Floats = np.concatenate([np.zeros(0), *sets])
        ends = np.array([self._ends(s) for s in sets]).reshape(-1, 2)
        self._ends_low, self._ends_high = np.ascontiguousarray(ends.T)

    def _ends(self, ascending: Floats) -> tuple[float, float]:
        """The interval that one sample gives."""
        table = self._bounds(len(ascending))
        look = int(np.searchsorted(table.looks, len(ascending), side="right")) - 1
        low, high = int(table.low[look]), int(table.high[look])
        return (
            float(ascending[low]) if low >= 0 else -np.inf,
            float(ascending[len(ascending) - 1 - high]) if high >= 0 else np.inf,
        )

    def _bounds(self, size: int) -> Bounds:
        chosen: ConfidenceParameters = self.parameters
        return bounds(chosen.sequence, chosen.p, chosen.alpha, size)

    def _checks(self, size: int) -> tuple[Looks, Looks, Looks]:
        """Suffix lengths that can decide, and both bounds at them."""
        chosen: ConfidenceParameters = self.parameters
        if chosen.change is None:
            return NO_LENGTHS, NO_LENGTHS, NO_LENGTHS
        table = bounds(chosen.sequence, chosen.p, chosen.change, size)
        first_of_level = np.diff(table.high, prepend=-1) > 0
        missing = np.where(table.low >= 0, table.looks - table.low, np.iinfo(np.int64).max)
        later = np.minimum.accumulate(missing[::-1])[::-1]
        last_of_level = missing < np.append(later[1:], np.iinfo(np.int64).max)
        kept = first_of_level | last_of_level
        return table.looks[kept], table.low[kept], table.high[kept]

    def _decide(self, scores: Floats) -> NDArray[np.uint8]:
        out = np.empty(len(scores), np.uint8)
        size = self.n + len(scores) + 1
        self._make_room(size)
        largest_set = int(np.diff(self._starts).max(initial=0))
        table = self._bounds(size + largest_set)
        lengths, bounds_low, bounds_high = self._checks(size)
        run(
            self._heads, scores, self._ordered, self._recent, self._up_to, self._from_on,
            self._waiting_at, self._waiting, table.looks, table.low, table.high,
            read_only(lengths), read_only(bounds_low), read_only(bounds_high), read_only(self._offline),
            read_only(self._starts), read_only(self._ends_low), read_only(self._ends_high), out,
        )  # fmt: skip
        return out

    def _make_room(self, size: int) -> None:
        if size > len(self._ordered):
            room = max(size, 2 * len(self._ordered))
            for name in _GROWING:
                old: Array = getattr(self, name)
                new = np.zeros(room, old.dtype)
                new[: len(old)] = old
                setattr(self, name, new)

    def _arrays(self) -> dict[str, Array]:
        n, m = self.n, int(self._heads["waiting"][0])
        lengths = {"_waiting": m, "_waiting_at": m, "_up_to": n + 1, "_from_on": n + 1}
        arrays: dict[str, Array] = {
            name[1:]: getattr(self, name)[: lengths.get(name, n)] for name in _GROWING
        }
        return arrays | {"heads": self._heads, "offline": self._offline, "starts": self._starts}

    def _restore(self, arrays: Mapping[str, Array]) -> None:
        starts = taken(arrays, "starts", self._starts, any_length=True)
        offline = taken(arrays, "offline", self._offline, any_length=True)
        self._use_offline([offline[a:b] for a, b in pairwise(starts)])
        self._heads = taken(arrays, "heads", self._heads)
        self._make_room(self.n + 1)
        for name in _GROWING:
            saved: Any = taken(arrays, name[1:], getattr(self, name), any_length=True)
            getattr(self, name)[: len(saved)] = saved


_GROWING = ("_ordered", "_recent", "_up_to", "_from_on", "_waiting", "_waiting_at")
"""The arrays that grow with a segment."""

__all__ = ["ConfidenceParameters", "ConfidenceThreshold"]
