"""What the last residuals say of the next one: AR(1) and AR(2) by clipped recursive least squares.

All sums are kept in units of the current scale, so they are plain numbers of any stream.  Two guards against
anomalies: products are formed of clipped residuals, and after an anomaly there are two readings of the past.  As an
*additive* outlier it never happened (the lag is its prediction); as an *innovation* it did (the lag is the value).
The next event takes whichever reading explains it better.
"""

from __future__ import annotations

import math

from marigram.numerics.elementary import clip
from marigram.numerics.jit import part, piece

AR1_DECAY = 0.0005
AR2_DECAY = 0.9995
AR1_CLIP, AR2_CLIP, OUTLIER_CLIP = 6.0, 40.0, 20.0
TARGET_CLIP = 3.4
RIDGE = 1.002
NOTHING = 1e-3
"""Sums of squares far below this hold rounding noise only, and no coefficient follows from it."""
EVIDENCE = 2.5
"""AR(1) is used only when its coefficient is this many standard errors from zero."""

FIELDS = [
    ("ar1_uv", "f4"), ("ar1_uu", "f4"), ("ar1_lag", "f4"), ("ar1_alt", "f4"), ("ar1_phi", "f4"), ("readings", "u1"),
    ("ar2_sums", "f4", (2, 5)), ("ar2_lag", "f4", (2, 3)), ("ar2_phi", "f4", (2, 2)),
]  # fmt: skip
"""``ar2_*`` rows: 0 on the level's residual, 1 on the season's.  Lags: last, last but one, last as an innovation."""


@piece
def ar1_coefficient(c, n):
    """Refresh the AR(1) coefficient from its sums, zero unless it is significant after n events."""
    phi = c.ar1_uv / (c.ar1_uu + NOTHING)
    if abs(phi) <= EVIDENCE / math.sqrt(min(n, 2000.0) + 1.0):
        phi = 0.0
    c.ar1_phi = clip(phi, 0.97)


@piece
def ar1_part(c, reading):
    """AR(1)'s prediction of the standardised residual under reading 0 (additive) or 1 (innovation)."""
    return c.ar1_phi * (c.ar1_alt if reading == 1 else c.ar1_lag)


@piece
def ar1_learn(c, r, predicted, anomaly, quiet):
    """Learn the residual r; an anomaly enters as its prediction, ``quiet`` allows the sums to move."""
    lag = clip(predicted if anomaly else r, AR1_CLIP)
    if quiet:
        u = c.ar1_lag
        c.ar1_uv += lag * u - AR1_DECAY * c.ar1_uv
        c.ar1_uu += u * u - AR1_DECAY * c.ar1_uu
    c.ar1_lag = lag
    c.ar1_alt = clip(r, OUTLIER_CLIP) if anomaly else 0.0
    c.readings = 2 if anomaly else 1


@piece
def ar2_coefficients(c, a):
    """Solve the two normal equations of row a, a slight ridge keeping them well conditioned."""
    s11, s12, s22 = c.ar2_sums[a, 0], c.ar2_sums[a, 1], c.ar2_sums[a, 2]
    s11 = s11 * RIDGE + NOTHING
    s22 = s22 * RIDGE + NOTHING
    det = s11 * s22 - s12 * s12
    one = two = 0.0
    if det > 0.0:
        b1, b2 = c.ar2_sums[a, 3], c.ar2_sums[a, 4]
        one = clip((b1 * s22 - b2 * s12) / det, 1.9)
        two = clip((b2 * s11 - b1 * s12) / det, 0.97)
    c.ar2_phi[a, 0] = one
    c.ar2_phi[a, 1] = two


@piece
def ar2_part(c, a, reading):
    """Row a's prediction of its standardised residual under reading 0 (additive) or 1 (innovation)."""
    return c.ar2_phi[a, 0] * c.ar2_lag[a, 2 if reading == 1 else 0] + c.ar2_phi[a, 1] * c.ar2_lag[a, 1]


@part
def take_innovation(c):
    """The anomaly before this event was an innovation after all: its value is the lag."""
    c.ar1_lag = c.ar1_alt
    for a in range(2):
        c.ar2_lag[a, 0] = c.ar2_lag[a, 2]


@piece
def ar2_learn(c, a, r, predicted, anomaly, quiet):
    """Learn the residual r of row a, of which the whole mixture had left ``predicted`` unexplained."""
    lag = clip(r, AR2_CLIP)
    innovation = 0.0
    if anomaly:
        innovation = lag
        lag = clip(predicted, AR2_CLIP)
    if quiet:
        l1, l2 = c.ar2_lag[a, 0], c.ar2_lag[a, 1]
        own = c.ar2_phi[a, 0] * l1 + c.ar2_phi[a, 1] * l2
        target = own + clip(lag - own, TARGET_CLIP)
        s = c.ar2_sums
        s[a, 0] = AR2_DECAY * s[a, 0] + l1 * l1
        s[a, 1] = AR2_DECAY * s[a, 1] + l1 * l2
        s[a, 2] = AR2_DECAY * s[a, 2] + l2 * l2
        s[a, 3] = AR2_DECAY * s[a, 3] + target * l1
        s[a, 4] = AR2_DECAY * s[a, 4] + target * l2
    c.ar2_lag[a, 1] = c.ar2_lag[a, 0]
    c.ar2_lag[a, 0] = lag
    c.ar2_lag[a, 2] = innovation


@part
def ar_forget_lags(c):
    """After a change of level the last residuals say nothing of the next."""
    c.ar1_lag = 0.0
    c.ar1_alt = 0.0
    c.readings = 1
    for k in range(3):
        c.ar2_lag[0, k] = 0.0
