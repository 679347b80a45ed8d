"""Four predictions of the next value, mixed by fixed-share Hedge.

    0  the level and its AR(1) part            2  the season
    1  the level and AR(2) on its residuals    3  the season, straight from slot to slot, and AR(2) on its residuals

2 and 3 exist only for events that carry a time.  Weights start on expert 0, so that context must earn its place.
After an anomaly there are two readings of the past (see :mod:`marigram.online.autoregression`) and so two centres.
"""

from __future__ import annotations

import numpy as np

from marigram.numerics.jit import part, piece
from marigram.online.autoregression import ar1_part, ar2_part
from marigram.online.level import INVERSE_CLIP, SHARE, hedge_factor
from marigram.online.season import season_curves

EXPERTS = 4
START = np.array([0.7, 0.1, 0.1, 0.1])
START_UNTIMED = np.array([0.9, 0.1, 0.0, 0.0])

FIELDS = [("expert_weight", "f8", (EXPERTS,))]


@part
def context_start(c):
    """First weights."""
    for a in range(EXPERTS):
        c.expert_weight[a] = START[a]


@piece
def predict(c, g, w, reading, level, curves, experts):
    """The mixed prediction of the next value; fills ``experts`` (4,), NaN where an expert has nothing to say.

    ``w`` is the event's calendar; ``curves`` (2,) becomes its season, constant and straight; ``reading`` 1 takes
    the last anomaly for an innovation.
    """
    scale = c.scale
    experts[0] = level + scale * ar1_part(c, reading)
    experts[1] = level + scale * ar2_part(c, 0, reading)
    v = c.expert_weight
    total = v[0] + v[1]
    shift = v[1] * (experts[1] - experts[0])
    if w.slot >= 0:
        constant, straight = season_curves(c, g, w)
        curves[0] = constant
        curves[1] = straight
        experts[2] = constant
        experts[3] = straight + scale * ar2_part(c, 1, reading)
        total += v[2] + v[3]
        shift += v[2] * (experts[2] - experts[0]) + v[3] * (experts[3] - experts[0])
    else:
        experts[2] = np.nan
        experts[3] = np.nan
    return experts[0] + shift / total


@piece
def context_learn(c, slot, x, experts, inverse):
    """Reweigh the experts that spoke by their clipped squared errors; ``inverse`` is 1/scale."""
    inverse_cap = INVERSE_CLIP * inverse
    count = EXPERTS if slot >= 0 else 2
    w = c.expert_weight
    before = 0.0
    after = 0.0
    for a in range(count):
        before += w[a]
        w[a] *= hedge_factor(x - experts[a], inverse_cap)
        after += w[a]
    keep = (1.0 - SHARE) * before / after
    share = SHARE * before / (1.0 if slot >= 0 else START[0] + START[1])
    for a in range(count):
        w[a] = keep * w[a] + share * START[a]
