"""A change of mean when only the variance is bounded: test supermartingales of Catoni's influence function.

Let E[X_t | past] = mu and Var[X_t | past] <= sigma^2.  With Catoni's psi(y) = sign(y) ln(1 + |y| + y^2/2), for every
real l and every m with |mu - m| <= h sigma / 2, z_m = (x - m) / sigma,

    e(x; m, l) = exp psi(l z_m) / (1 + |l| h/2 + l^2 (1 + h^2/4)/2)

has conditional mean at most 1 (exp psi(y) <= 1 + y + y^2/2; Catoni 2012).  So, for each m of a grid of width h sigma,

    F_t(m)    = 1/2 + 1/2 mean_l prod_{i<=t} e(x_i; m, l)                          one level all along
    M_t(m, l) = (M_{t-1}(m, l) + w_t F_{t-1}(m) / #l) e(x_t; m, l)                 another level from some start on
    E_t(m)    = sum_l M_t(m, l) + (1 - sum_{s<=t} w_s) F_t(m),     sum_s w_s <= 1

is a nonnegative supermartingale from 1 at the m nearest to mu, and by Ville's inequality exceeds 1/delta at any time
with probability at most delta.  A level m is refused once E_t(m) has; there is a change when none is left.  Starts
cost ln(1/w_s) = ln s + 2 ln ln s and no union over time is taken; the two sides of a split are weighed together,
s n/(s+n) D^2/(2 sigma^2), where comparing two confidence intervals (the same influence function, methods of the
backward confidence sequence) pays each radius on its own.

The grid lies about the median of the first nine events, within c sigma of mu by Cantelli's inequality but for
delta/50, which E_t pays for.  An event counts for at most ln 50 = 3.9 nats: a smaller e is still one.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal, final

import msgspec
import numpy as np

from marigram.change.base import RECENT, ChangePointTest, Location, State
from marigram.change.ledger import ledger, locate, make_room
from marigram.change.ranks import unit_of
from marigram.numerics.elementary import clip, larger, median, smaller
from marigram.numerics.jit import kernel, part, piece
from marigram.online._ranges import one_of, settle
from marigram.online.records import Array, Floats

WIDTH = 0.04
"""h: a finer grid costs time, a coarser one power."""
ON_CENTRE = 50.0
"""The centre may fail with probability delta / ON_CENTRE."""
MOST = 50.0
"""Largest e of one event."""
BETS = 0.125 * np.sqrt(2.0) ** np.arange(9)
"""|l| after a change, for changes of sigma/8 and more."""
CALM = 0.0125 * 2.0 ** np.arange(7)
"""|l| before it: levels that differ from the true one by sigma/80 and more are refused in time."""
SPREAD = 16.0
"""w_s = ln(SPREAD) / ((s + SPREAD) ln^2(s + SPREAD)), whose sum is below 1 (compare the integral)."""
PROVED_START, AUTO_START = 9, 32
AUTO_RANGE = 8.0
"""Half width of the grid where sigma is estimated, in units of what the first events spread over."""
WILD = 8.0
"""Values count as this many standard deviations from the mean so far at most, where sigma is estimated."""
LIMIT = 16.0
"""Values count as this many units from the centre at most where changes are located and levels told."""
FARTHEST = 1e6
"""A value counts as this many units from the centre at most."""

SETTINGS = np.dtype([("sigma", "f8"), ("threshold", "f8"), ("range", "f8"), ("start", "i8")])
HEAD = np.dtype(
    [
        ("t", "i8"), ("used", "i8"), ("left", "f8"), ("centre", "f8"), ("unit", "f8"), ("mean", "f8"), ("square", "f8"),
        ("low", "i8"), ("high", "i8"),
    ]
)  # fmt: skip
"""``t``: events since the restart; ``left``: 1 - sum of w; ``mean``, ``square``: of the values in units and of their
deviations; ``low``, ``high``: the cells of the grid outside which no level is left."""


class CatoniParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a user may choose about :class:`marigram.CatoniChangePoint`, checked and frozen."""

    delta: float = 0.05
    sigma: float | str = 1.0
    starts: Literal["all", "dyadic"] = "all"

    def __post_init__(self) -> None:
        settle(self, "delta", 1e-12, 0.5)
        one_of("starts", self.starts, ("all", "dyadic"))
        if isinstance(self.sigma, str):
            one_of("sigma", self.sigma, ("auto", "a number in [1e-100, 1e+100]"))
        else:
            settle(self, "sigma", 1e-100, 1e100)

    def settings(self, d: int) -> Array:
        """The compiled form, for d coordinates, each of which gets delta / d."""
        delta = self.delta / d
        row = np.zeros(1, SETTINGS)
        row["sigma"] = 0.0 if self.sigma == "auto" else self.sigma
        row["threshold"] = 1.0 / (delta * (1.0 - 1.0 / ON_CENTRE))
        row["range"] = AUTO_RANGE if self.sigma == "auto" else centre_range(delta / ON_CENTRE)
        row["start"] = AUTO_START if self.sigma == "auto" else PROVED_START
        return row


def centre_range(delta: float) -> float:
    """Half width c: the median of nine values lies within c sigma of the mean but with probability ``delta``.

    Five of them on one side beyond c sigma: 2 C(9, 5) p^5 with p = 1/(1 + c^2) (Cantelli).
    """
    p = (delta / (2.0 * math.comb(PROVED_START, PROVED_START // 2 + 1))) ** (1.0 / (PROVED_START // 2 + 1))
    return math.sqrt(1.0 / p - 1.0)


@part
def begin(p, h, warm, scratch):
    """Set centre, unit and, where sigma is estimated, the variance so far by the first values of a coordinate."""
    n = warm.shape[0]
    for i in range(n):
        scratch[i] = warm[i]
    h.centre = median(scratch, n)  # sorts
    h.unit = p.sigma
    if p.sigma == 0.0:
        h.unit = unit_of(scratch, h.centre)
        h.t = 0
        for i in range(n):
            learn_variance(h, clip((warm[i] - h.centre) / h.unit, WILD))
            h.t += 1


@piece
def variance(p, h):
    """Bound on the variance in units: 1, or the sample's, raised by how uncertain it is, and no finer than the grid."""
    if p.sigma > 0.0:
        return 1.0
    n = h.t * 1.0
    return larger(h.square / (n - 1.0), WIDTH * WIDTH) * (1.0 + 1.0 / math.sqrt(n)) ** 2


@part
def learn_variance(h, z):
    """Welford's recursion."""
    gap = z - h.mean
    h.mean += gap / (h.t + 1.0)
    h.square += gap * (z - h.mean)


@part
def norms(bets, bound, out):
    """1 + |l| h/2 + l^2 (variance + h^2/4)/2 for each bet."""
    for i in range(bets.shape[0]):
        out[i] = 1.0 + bets[i] * WIDTH / 2.0 + bets[i] ** 2 * (bound + WIDTH**2 / 4.0) / 2.0


@piece
def bet(row, z, bets, norm, add):
    """(row + add) e for the bets +l and -l in turn; returns the new sum."""
    total = 0.0
    for i in range(bets.shape[0]):
        y = bets[i] * z
        q = 1.0 + abs(y) + 0.5 * y * y
        towards = smaller(q / norm[i], MOST)
        away = 1.0 / (q * norm[i])
        if y < 0.0:
            towards, away = away, towards
        row[2 * i] = (row[2 * i] + add) * towards
        row[2 * i + 1] = (row[2 * i + 1] + add) * away
        total += row[2 * i] + row[2 * i + 1]
    return total


@part
def refuse(p, h, z, start_weight, alive, calm, moved, calm_norm, moved_norm):
    """Bet at every level that is left; drop those whose evidence reaches the threshold."""
    cells = alive.shape[0]
    low, high = cells, -1
    for k in range(h.low, h.high + 1):
        if not alive[k]:
            continue
        gap = z - (k - (cells >> 1)) * WIDTH
        before = 0.0
        for i in range(calm.shape[1]):
            before += calm[k, i]
        before = 0.5 + 0.5 * before / calm.shape[1]
        evidence = bet(moved[k], gap, BETS, moved_norm, start_weight * before / moved.shape[1])
        after = 0.5 + 0.5 * bet(calm[k], gap, CALM, calm_norm, 0.0) / calm.shape[1]
        if evidence + h.left * after >= p.threshold:
            alive[k] = False
        else:
            low, high = min(low, k), max(high, k)
    h.low, h.high = low, high


@kernel
def run(settings, heads, warm, alive, calm, moved, marks, sums, total, X, seqs, start):
    """Learn rows of X from ``start`` on.

    Returns the row that proves a change, n if none does, or -1 - i when the ledger is full before row i.
    """
    p = settings[0]
    n, d = X.shape
    scratch = np.empty(warm.shape[0])
    calm_norm, moved_norm = np.empty(CALM.shape[0]), np.empty(BETS.shape[0])
    norms(CALM, 1.0, calm_norm)
    norms(BETS, 1.0, moved_norm)
    for i in range(start, n):
        t = heads[0].t
        if t < p.start:
            for j in range(d):
                warm[t, j] = X[i, j]
                heads[j].t += 1
                if t + 1 == p.start:
                    begin(p, heads[j], warm[:, j], scratch)
            continue
        used = heads[0].used
        if used == marks.shape[0]:
            return -1 - i
        s = t - p.start + 1.0
        marks[used, 0] = t - p.start
        marks[used, 1] = seqs[i]
        heads[0].used += 1
        weight = math.log(SPREAD) / ((s + SPREAD) * math.log(s + SPREAD) ** 2)
        proved = False
        for j in range(d):
            h = heads[j]
            sums[used, j] = total[j]
            z = clip((X[i, j] - h.centre) / h.unit, FARTHEST)
            if p.sigma == 0.0:
                bound = variance(p, h)
                norms(CALM, bound, calm_norm)
                norms(BETS, bound, moved_norm)
                z = h.mean + clip(z - h.mean, WILD * math.sqrt(bound))
                learn_variance(h, z)
            h.left -= weight
            refuse(p, h, z, weight, alive[j], calm[j], moved[j], calm_norm, moved_norm)
            proved |= h.high < 0
            total[j] += clip(z, LIMIT)
            h.t += 1
        if proved:
            return i
    return n


@final
class CatoniChangePoint(ChangePointTest):
    """A change of mean under heavy tails, with a proved bound on false alarms (one coordinate, or each of d).

    If, since the last restart, every event has the same mean given the past, and a variance of at most ``sigma``²,
    a change is told with probability at most ``delta``, ever: for every law, without knowledge of the mean, of its
    range or of the length of the stream.  So among the first k changes told at most k * delta are false on average.
    The price of the proof is small: the evidence grows as fast as a Gaussian likelihood ratio for changes up to sigma.

    With ``sigma="auto"`` values are clipped at 8 of their running standard deviations, which, raised by 1/sqrt(n) of
    itself, takes the place of sigma: wild events are harmless, and the mean is that of clipped values.  This form is
    calibrated, not proved: no test of means can be proved when nothing is known of the tail.

    Memory grows by 8 (d + 2) bytes an event until the next change, for the estimate of where it was;
    ``starts="dyadic"`` bounds it, and knows a start to an eighth of its age.  The test itself is the same.

    Parameters
    ----------
    delta
        Probability of a false alarm, in [1e-12, 0.5].  With d coordinates each gets delta / d.
    sigma
        Bound on the standard deviation of each coordinate, in [1e-100, 1e100], or ``"auto"``.
    starts
        ``"all"``, or ``"dyadic"`` for bounded memory.

    Raises
    ------
    ParameterError
        A parameter outside its range.

    Notes
    -----
    Influence function: O. Catoni, *Challenging the empirical mean and empirical variance*, 2012.  Supermartingales
    of it: H. Wang and A. Ramdas, *Catoni-style confidence sequences for heavy-tailed mean estimation*, 2023.  Mixtures
    over starts: J. Shin, A. Ramdas and A. Rinaldo, *E-detectors*, 2023.  Equations: :mod:`marigram.change.catoni`.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(0).standard_t(3, 600) / 3**0.5
    >>> x[400:] += 1.0
    >>> [(c.changed_at, c.seq, round(c.before, 1), round(c.after, 1)) for c in CatoniChangePoint().update_many(x)]
    [(401, 432, 0.0, 1.0)]
    """

    PARAMETERS: ClassVar[type[msgspec.Struct]] = CatoniParameters

    def __init__(
        self,
        delta: float = 0.05,
        sigma: float | Literal["auto"] = 1.0,
        *,
        starts: Literal["all", "dyadic"] = "all",
    ) -> None:
        super().__init__(CatoniParameters(delta, sigma, starts))

    def _fresh(self, d: int) -> State:
        p = self.parameters.settings(d)
        reach = math.ceil(p["range"][0] / WIDTH)
        cells = 2 * reach + 1
        heads = np.zeros(d, HEAD)
        heads["left"], heads["high"] = 1.0, cells - 1
        return {
            "heads": heads,
            "warm": np.zeros((int(p["start"][0]), d)),
            "alive": np.ones((d, cells), np.bool_),
            "calm": np.ones((d, cells, 2 * len(CALM))),
            "moved": np.zeros((d, cells, 2 * len(BETS))),
            **ledger(d),
            "total": np.zeros(d),
        }

    def _run(self, rows: Floats, seqs: Array, start: int) -> int:
        loop: Any = run
        settings = self.parameters.settings(self._d)
        while (at := int(loop(settings, *self._state.values(), rows, seqs, start))) < 0:
            start = -1 - at
            used = int(self._state["heads"]["used"][0])
            self._state["heads"]["used"] = make_room(self._state, used, self.parameters.starts == "dyadic")
        return at

    def _location(self) -> Location:
        state = self._state
        heads, marks, sums = state["heads"], state["marks"], state["sums"]
        n = int(heads["t"][0]) - len(state["warm"])
        found = np.zeros(3, np.int64)
        locate(marks, sums, int(heads["used"][0]), n, state["total"], found)
        best = int(found[0])
        begun = int(marks[best, 0])
        centre, unit = heads["centre"], heads["unit"]
        before = centre + unit * sums[best] / max(begun, 1)
        shift = (state["total"] - sums[best]) / (n - begun)
        after = centre + unit * shift
        if n - begun <= RECENT or np.any(np.abs(shift) > LIMIT / 2):
            after = self._latest(n - begun, unit)
        seqs = marks[found, 1]
        return Location(int(seqs[0]), int(seqs[1]), int(seqs[2]), before, after)


__all__ = ["CatoniChangePoint", "CatoniParameters", "centre_range"]
