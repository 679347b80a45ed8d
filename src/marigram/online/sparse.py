"""Learning from sparse rows in time proportional to what is not zero, whatever the dimension.

Shrinking touches every coordinate, so it is done to a common factor: theta = a v.  With the features x, z = <x, theta>
and q = |theta|^2, one step of SGD is

    theta <- b theta + c x :      a <- b a,   v_j <- v_j + c x_j/a where x_j != 0,   q <- b^2 q + 2 b c z + c^2 |x|^2.

For the mean b = 1 - f, c = f; for a regression b = 1 - f mu, c = -f r, f being the step after clip and smoothness.
Norms of gradients follow from z, q and |x|^2.  Every d events, and when a leaves the range of numbers, theta is written
out, a = 1, and q is summed anew: so rounding errors do not add up, and the cost an event stays what it is.

A level learned from sparse rows begins at 0, not at a median, which would be 0 nearly everywhere; the first five norms
are measured and not followed, as by a regression.  There is no box.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from marigram.errors import ParameterError
from marigram.numerics.elementary import clip, larger, median
from marigram.numerics.jit import kernel, part, piece
from marigram.online.beginning import FIRST
from marigram.online.clips import clip_factor, clip_learn, clip_level
from marigram.online.hashing import SparseRows
from marigram.online.logistic import probability, share
from marigram.online.records import (
    CLIP,
    REJECTED,
    VALUE,
    Array,
    Design,
    Field,
    Floats,
    Method,
    N,
    Records,
    T,
    read_only,
)
from marigram.online.regression import LARGEST, follow, measure, smoothness
from marigram.online.steps import step_size

SMALL = 1e-100
"""Below this the factor is multiplied out."""


class SparseRecords(Records):
    """One record that learns sparse rows; a and q are its last two words.

    Raises
    ------
    ParameterError
        A method or a region that has no sparse form.
    """

    def __init__(self, method: Method, design: Design, d: int) -> None:
        if method.name not in LOOPS:
            raise ParameterError(f"a {method.name} does not learn from sparse rows: {', '.join(LOOPS)} do")
        region = getattr(design, "region", None)
        if region is not None and region.box is not None:
            raise ParameterError("a box has no sparse form: give a ball")
        super().__init__(method, design, d, 1)
        self._fresh["value"] = np.nan_to_num(self._fresh["value"])
        self._begin_at(self._fresh)
        self.array = self._fresh.copy()

    def fields(self) -> list[Field]:
        """Those of dense rows, the first norms instead of the first values, and a and q."""
        early = [("early", (FIRST,)) if name == "held" else (name, shape) for name, shape in super().fields()]
        return [*early, ("factor", ()), ("theta_square", ())]

    def restart(self, slots: Array, value: Floats | None, n: int) -> None:
        """Restart the record, as for dense rows."""
        super().restart(slots, value, n)
        if value is None:
            self.array["value"] = self._fresh["value"]
        self._begin_at(self.array)

    def learn_rows(self, rows: SparseRows, y: Floats, out: Floats) -> None:
        """Learn rows in their order; predictions before each into ``out`` if it has rows."""
        words = self.array.view(np.float64)
        pointers, places, values = map(read_only, (rows.indptr, rows.indices, rows.values))
        loop: Callable[..., None] = LOOPS[self.method.name]
        loop(self._settings, words, pointers, places, values, read_only(y), out)

    @property
    def value(self) -> Floats:
        """The estimate, (d,)."""
        found: Floats = self.array["value"][0] * self.array["factor"][0]
        return found

    @staticmethod
    def _begin_at(array: Array) -> None:
        array["factor"] = 1.0
        array["theta_square"] = (array["value"] ** 2).sum(axis=1)


@part
def write_out(s, d):
    """Make the factor 1, and sum the squares anew."""
    a, q = s[-2], 0.0
    for j in range(VALUE, VALUE + d):
        s[j] *= a
        q += s[j] * s[j]
    s[-2], s[-1] = 1.0, q


@piece
def product(s, places, x):
    """(<x, theta>, |x|^2, whether all of x can be learned)."""
    z = xx = 0.0
    good = True
    for i in range(places.shape[0]):
        z += s[VALUE + places[i]] * x[i]
        xx += x[i] * x[i]
        good &= abs(x[i]) <= LARGEST
    return z * s[-2], xx, good


@piece
def move(p, s, d, places, x, z, xx, b, c):
    """theta <- Proj(b theta + c x)."""
    if int(s[N]) % d == 0 or abs(b * s[-2]) < SMALL:
        s[-2] *= b
        write_out(s, d)
        s[-1] += 2.0 * b * c * z + c * c * xx
    else:
        s[-2] *= b
        s[-1] = b * b * s[-1] + 2.0 * b * c * z + c * c * xx
    for i in range(places.shape[0]):
        j = VALUE + places[i]
        s[j] = clip(s[j] + c * x[i] / s[-2], LARGEST / s[-2])
    if p.bounded > 0.0 and s[-1] > p.ball * p.ball:
        s[-2] *= p.ball / math.sqrt(s[-1])
        s[-1] = p.ball * p.ball


@part
def begin(s, d, norm, scratch):
    """One of the first events of a level: the clip level is the median of their norms, and nothing is followed."""
    n = int(s[N])
    s[VALUE + d + n] = norm
    for i in range(n + 1):
        scratch[i] = s[VALUE + d + i]
    s[CLIP] = median(scratch, n + 1)
    s[N] += 1.0


@kernel
def run_mean(settings, s, indptr, indices, values, y, out):  # noqa: ARG001  (all loops are called alike)
    """Learn rows into the record s."""
    p = settings[0]
    d = s.shape[0] - VALUE - 2 - (FIRST if p.first == FIRST else 0)
    scratch = np.empty(FIRST)
    for i in range(indptr.shape[0] - 1):
        places, x = indices[indptr[i] : indptr[i + 1]], values[indptr[i] : indptr[i + 1]]
        z, xx, good = product(s, places, x)
        if not good:
            s[REJECTED] += 1.0
            continue
        norm = math.sqrt(larger(xx - 2.0 * z + s[-1], 0.0))
        if s[N] < p.first and p.clip == 0.0:
            begin(s, d, norm, scratch)
            continue
        f = step_size(p, s[T]) * clip_factor(clip_level(p, s), norm)
        move(p, s, d, places, x, z, xx, 1.0 - f, f)
        clip_learn(p, s, norm)
        s[N] += 1.0
        s[T] += 1.0


@kernel
def run_regression(settings, s, indptr, indices, values, y, out):
    """Learn rows and y into the record s; predictions before each into ``out`` if it has rows."""
    p = settings[0]
    d = s.shape[0] - VALUE - 3 - 2 * FIRST
    scratch = np.empty(FIRST)
    for i in range(indptr.shape[0] - 1):
        places, x = indices[indptr[i] : indptr[i + 1]], values[indptr[i] : indptr[i + 1]]
        z, xx, good = product(s, places, x)
        wanted = y[i]
        if p.curvature < 1.0:
            z_said, wanted = probability(z), share(wanted)
        else:
            z_said = z
        if out.shape[0] > 0:
            out[i, 0] = z_said
        if not (good and abs(wanted) <= LARGEST):
            s[REJECTED] += 1.0
            continue
        r = z_said - wanted
        norm = math.sqrt(larger(r * r * xx + p.mu * (2.0 * r * z + p.mu * s[-1]), 0.0))
        young = s[N] < FIRST
        if young:
            measure(p, s, d, xx, norm, scratch)
        if not young or p.clip > 0.0:
            f = step_size(p, s[T]) * clip_factor(clip_level(p, s), norm) / smoothness(p, s[VALUE + d], xx)
            move(p, s, d, places, x, z, xx, 1.0 - f * p.mu, -f * r)
            s[T] += 1.0
        if not young:
            follow(p, s, d, xx, norm)
        s[N] += 1.0


LOOPS = {"ClippedMean": run_mean, "ClippedLinear": run_regression, "ClippedLogistic": run_regression}
"""The loop of each method that learns from sparse rows."""

__all__ = ["LOOPS", "SparseRecords", "run_mean", "run_regression"]
