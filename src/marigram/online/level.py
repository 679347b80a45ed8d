"""The level of a stream: clipped SGD at three steps, mixed by fixed-share Hedge.

Clipped SGD (Sankararaman and Narayanaswamy, NeurIPS 2023) on the mean's loss 1/2 (x - m)^2 is

    m <- m + eta clip(x - m, c),        c = 3.4 scales,   eta = max(1/n, eta_k),

n counting the events since the last restart, so that a fresh level averages and an old one forgets.  No fixed step
suits both a still level and a drifting one: three run side by side (half-lives of about 140, 23 and 4 events) and
fixed-share Hedge (Herbster and Warmuth, 1998) weighs them by their clipped squared errors.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.elementary import clip, decay, larger, smaller
from marigram.numerics.jit import part, piece

STEPS = np.array([0.005, 0.03, 0.15])
"""Smallest step of each level; larger ones follow faster drift and carry more noise."""
START = np.array([0.90, 0.08, 0.02])
"""Weights after a restart: a level is presumed still until its errors say otherwise."""
CLIP = 3.4
"""Influence cap in scales: one event moves a level by at most eta * CLIP * scale."""
INVERSE_CLIP = 1.0 / CLIP
AVERAGED = 1.0 / STEPS[0]
"""Events after a restart during which the average's step is the larger one."""
SHARE = 0.001
"""Share of weight returned to START at each event, which keeps every step recoverable."""
RATE = 0.85
"""Hedge's learning rate: an error at the cap costs a weight the factor exp(-RATE)."""
LARGEST = 1e15
"""Residuals are cut at this many scales before any arithmetic, so that no overflow can follow."""

FIELDS = [("level", "f8", (3,)), ("level_weight", "f8", (3,)), ("level_n", "f4")]


@part
def level_restart(c, value, n):
    """Set every step's level to ``value``, known as well as the mean of ``n`` events would be."""
    for k in range(3):
        c.level[k] = value
        c.level_weight[k] = START[k]
    c.level_n = n


@piece
def level_value(c):
    """The mixed level, formed by differences so that a large offset costs no precision; the weights sum to 1."""
    m = c.level[0]
    return m + c.level_weight[1] * (c.level[1] - m) + c.level_weight[2] * (c.level[2] - m)


@piece
def hedge_factor(error, inverse_cap):
    """Hedge's factor exp(-RATE min(|error|/cap, 1)^2)."""
    a = smaller(abs(error) * inverse_cap, 1.0)
    return decay(RATE * a * a)


@piece
def level_step(c, x, carried, scale, inverse):
    """Learn ``x``; ``carried`` is the AR(1) part of the prediction, ``inverse`` is 1/scale."""
    cap = CLIP * scale
    far = LARGEST * scale
    inverse_cap = INVERSE_CLIP * inverse
    c.level_n += 1.0
    average = 1.0 / c.level_n if c.level_n < AVERAGED else 0.0
    total = 0.0
    for k in range(3):
        error = clip(x - c.level[k], far) - carried
        w = c.level_weight[k] * hedge_factor(error, inverse_cap)
        c.level_weight[k] = w
        total += w
        c.level[k] += larger(average, STEPS[k]) * clip(error, cap)
    keep = (1.0 - SHARE) / total
    for k in range(3):
        c.level_weight[k] = keep * c.level_weight[k] + SHARE * START[k]


@piece
def level_inflation(c):
    """Factor by which the level's own uncertainty widens the residual: sqrt(1 + 1.3/(n+1))."""
    return math.sqrt(1.0 + 1.3 / (c.level_n + 1.0))
