"""Predict an event, standardise it, and say how surprising it is and between which limits it was expected."""

from __future__ import annotations

import math

import numpy as np

from marigram.detectors.limits import LARGEST_VALUE, LEARNING
from marigram.detectors.state import RING
from marigram.numerics.elementary import clip, larger
from marigram.numerics.jit import once, part
from marigram.online.context import EXPERTS, predict
from marigram.online.level import LARGEST, level_inflation, level_value
from marigram.thresholds.tail import SMALLEST, plain_probability, probability

CANDIDATE_EVIDENCE = 2.5
"""Level evidence from which the band also covers the candidate level."""
CANDIDATE_WIDTH = 1.5
"""Width of the candidate level's band over the ordinary one."""
STRETCH_MARGIN = 1.75
"""Doublings of a coordinate's stretch that may be chance."""
TIES = 0.2
"""Share of values equal to one of the last eight from which a stream is discrete."""
SCRATCH = np.dtype(
    [
        ("x", "f8"), ("e", "f8"), ("z", "f8"), ("width", "f8"), ("jump", "f8"), ("p", "f8"),
        ("nearest", "f8"), ("level", "f8"), ("band_centre", "f8"), ("band_width", "f8"),
        ("curves", "f8", (2,)), ("experts", "f8", (EXPERTS,)),
        ("innovation", "u1"),
    ]
)  # fmt: skip
"""What is known of one coordinate of the event at hand; z and nearest are -1 where there is no value."""


@part
def second_reading(c, g, w, x, centre, q):
    """The last anomaly may have been an innovation: take that reading if it explains x better."""
    other = predict(c, g, w, 1, q.level, q.curves, q.experts)
    if abs(x - other) < abs(x - centre):
        q.innovation = 1
        return other
    return predict(c, g, w, 0, q.level, q.curves, q.experts)


@once
def score_coordinate(c, g, w, x, q):
    """Predict and standardise one value; fills the scratch row q.

    After an anomaly there are two readings of the past; the one that explains x better holds from here on.
    """
    scale = c.scale
    q.innovation = 0
    q.level = level_value(c)
    centre = predict(c, g, w, 0, q.level, q.curves, q.experts)
    if c.readings == 2:
        centre = second_reading(c, g, w, x, centre, q)
    far = LARGEST * scale
    e = clip(x - centre, far)
    jump = c.step if c.ties > TIES else 0.0
    width = scale * level_inflation(c)
    z = larger(abs(e) - 0.5 * jump, 0.0) / width
    q.x = x
    q.e = e
    q.z = z
    q.width = width
    q.jump = jump
    q.nearest = z
    q.band_centre = centre
    q.band_width = width


@part
def stretch_width(c, q):
    """A coordinate of a vector that often lies far out by its own scale has a wider one in the tail all share."""
    if c.stretch > STRETCH_MARGIN and q.width < np.inf:
        q.width *= 2.0**c.stretch
        q.z = q.nearest = larger(abs(q.e) - 0.5 * q.jump, 0.0) / q.width
        q.band_width = q.width


@part
def candidate(c, n, q):
    """While a shift is suspected, the last outlying values are candidate levels; the nearest explanation holds."""
    if max(c.up, c.down) < CANDIDATE_EVIDENCE:
        return
    up = c.up >= c.down
    if (q.e > 0.0) != up:
        return
    level = q.level
    width = CANDIDATE_WIDTH * q.width
    for k in range(1, 3):
        v = c.ring[(n - k) & (RING - 1)]
        if abs(v - level) <= 2.0 * c.scale or (v > level) != up:
            continue
        z = max(abs(q.x - v) - 0.5 * q.jump, 0.0) / width
        if z < q.nearest:
            q.nearest = z
            q.band_centre = v
            q.band_width = width


@once
def score_event(coords, seasons, k, w, values, row, n, d, scratch):
    """Fill the scratch row of every coordinate; a coordinate without a value gets z = -1."""
    for j in range(d):
        c = coords[k, j]
        g = seasons[k if w.slot >= 0 else 0, j] if seasons.shape[0] > 0 else seasons[k, j]
        x = values[row, j]
        given = x == x and abs(x) <= LARGEST_VALUE
        q = scratch[j]
        if c.scale == 0.0:
            # never had a value: this one, if it is one, begins it
            q.x, q.e, q.jump = x, 0.0, 0.0
            q.z = q.nearest = 0.0 if given else -1.0
            q.width = q.band_width = np.inf
            q.band_centre = np.nan
            continue
        score_coordinate(c, g, w, x if given else level_value(c), q)
        if d > 1:
            stretch_width(c, q)
        if n >= LEARNING:
            candidate(c, n, q)
        if not given:
            q.z = -1.0
            q.nearest = -1.0


@once
def largest_z(coords, k, d, scratch, usable):
    """Largest effective z, its coordinate, and whether a so far constant coordinate moved for the first time."""
    best = 0.0
    which = 0
    first_other = False
    if usable:
        for j in range(d):
            if coords[k, j].step == 0.0 and scratch[j].z > 0.0:
                first_other = True
                continue
            if scratch[j].nearest > best:
                best = scratch[j].nearest
                which = j
    return best, which, first_other


@once
def write_band(coords, k, d, scratch, z_alpha, unbounded, values, row, expected, lower, upper):
    """The band before the event; returns whether a value lies outside it."""
    outside = False
    for j in range(d):
        q = scratch[j]
        reach = z_alpha * q.band_width + 0.5 * q.jump
        if coords[k, j].step == 0.0 and coords[k, j].scale > 0.0:
            reach = 0.0
        if unbounded:
            reach = np.inf
        low, high = q.band_centre - reach, q.band_centre + reach
        if coords[k, j].scale == 0.0:
            low, high = -np.inf, np.inf
        expected[row, j] = q.band_centre
        lower[row, j] = low
        upper[row, j] = high
        if scratch[j].z >= 0.0 and (values[row, j] < low or values[row, j] > high):
            outside = True
    return outside


@part
def write_why(d, scratch, why, row):
    """Shares of the squared standardised residuals."""
    total = 0.0
    for j in range(d):
        z = min(max(scratch[j].nearest, 0.0), 1e6)
        why[row, j] = z * z
        total += z * z
    for j in range(d):
        why[row, j] = why[row, j] / total if total > 0.0 else 1.0 / d


@part
def any_of(p, d):
    """P(at least one of d coordinates) with probability p each."""
    return -math.expm1(d * math.log1p(-min(p, 1.0 - 1e-12)))


@part
def joint_probability(tail, top, z, log_alpha, d):
    """Tail of the largest of d coordinates: the geometric mean of two estimates that err to opposite sides.

    One raises the pooled tail of all coordinates to the d-th power, which asks it for alpha/d; the other is a tail
    fitted to the largest z itself.
    """
    p = any_of(probability(tail, z, log_alpha), d)
    if top.first == 0:
        return max(p, SMALLEST)
    return max(math.sqrt(p) * math.sqrt(probability(top, z, log_alpha)), SMALLEST)


@part
def joint_plain(tail, top, z, d):
    """As :func:`joint_probability`, of the fits that believe every event."""
    p = any_of(plain_probability(tail, z), d)
    if top.first > 0:
        p = math.sqrt(p) * math.sqrt(plain_probability(top, z))
    return max(p, SMALLEST)


@part
def joint_quantile(tail, top, alpha, log_alpha, d):
    """z at which the combined tail of d coordinates equals alpha (bisection in log z)."""
    low, high = -2.0, 9.0
    for _ in range(40):
        mid = 0.5 * (low + high)
        if joint_probability(tail, top, 2.0**mid, log_alpha, d) > alpha:
            low = mid
        else:
            high = mid
    return 2.0**high
