"""The scale of the noise, read from the window, and the window measured in it."""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.jit import part

PARTS = 10
"""The scale is read from differences of samples a tenth of the window apart, ten times a window."""
MAD = 0.6744897501960817


@part
def noise(b, n, filled, lag, j):
    """sigma of coordinate j from x_i - x_(i - lag); 0 where nothing moved.

    Few pairs lie on two sides of a jump, so the median of the differences is that of the noise.  Where half of them
    are zero their mean stands in.
    """
    window = b.rows.shape[0]
    start = n % window if filled == window else 0
    count = filled - lag
    for i in range(count):
        b.squares[i] = abs(b.rows[(start + i + lag) % window, j] - b.rows[(start + i) % window, j])
    ordered = np.sort(b.squares[:count])
    middle = 0.5 * (ordered[(count - 1) // 2] + ordered[count // 2])
    if middle > 0.0:
        return middle / (MAD * math.sqrt(2.0))
    return ordered.mean() * math.sqrt(math.pi) / 2.0


@part
def rescale(b, known):
    """Read the scale anew unless it is known, and measure every sample in it, from a new pivot: the newest sample.

    Readings of a full window are averaged, in logarithms, over about a window's time.
    """
    h = b.head[0]
    window, d = b.rows.shape
    filled = min(h.n, window)
    lag = max(1, filled // PARTS)
    if not known and filled > lag:
        for j in range(d):
            found = noise(b, h.n, filled, lag, j)
            share = 1.0 / PARTS if filled == window and found > 0.0 else 1.0
            b.scale[j] *= math.pow((found if found > 0.0 else 1.0) / b.scale[j], share)
    for j in range(d):
        b.pivot[j] = b.rows[(h.n - 1) % window, j] / b.scale[j]
    for i in range(filled):
        total = 0.0
        for j in range(d):
            b.scaled[i, j] = b.rows[i, j] / b.scale[j]
            e = b.scaled[i, j] - b.pivot[j]
            total += e * e
        b.keys[i] = math.sqrt(total)
    h.due = h.n + lag


__all__ = ["rescale"]
