"""Algorithm 1 of A. Sankararaman and B. Narayanaswamy, *Online heavy-tailed change-point detection*, UAI 2023.

In units of sigma.  For each start s a chain of clipped SGD for the mean, equations (3) and (4),

    th_{s,t} = Proj( th_{s,t-1} + eta_{t-s} clip(X_t - th_{s,t-1}, lambda) ),    th_{s,s-1} = th_0,
    lambda = 2 G,  eta_t = 2/(t + gamma),

of which after t steps |th - mean|^2 >= B(t, delta) has probability at most delta/(t (t + 1)).  There is a change after
event t if for some s

    |th_{r:s} - th_{s+1:t}| > sqrt B(s - r, delta') + sqrt B(t - s - 1, delta'),    delta' = delta/(2 (t-r)(t-r+1)).

Departures from the print.  (3) has the sign of the step reversed.  The test compares squares with B + B, which does
not follow from Theorem 3.1 (two balls of radius sqrt B): the roots are compared here.  The first term of B has
(t + 1)^-2 in the theorem and (t + 1)^-1 in its proof, which is taken.  B(0, .) is infinite.  sigma = 1 by units, since
gamma is not equivariant.  The constants of the theorem have next to no power; those of the paper's experiments
(equation 9, Theta = R^d) have no proof.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.elementary import clip, larger, smaller
from marigram.numerics.jit import kernel, part

FARTHEST = 1e150
SETTINGS = np.dtype([("sigma", "f8"), ("delta", "f8"), ("diameter", "f8"), ("theorem", "u1")])
HEAD = np.dtype([("t", "i8"), ("used", "i8"), ("best", "i8"), ("first", "i8"), ("last", "i8")])
"""``best``, ``first``, ``last``: marks of the splits that pass, the first with the largest margin."""


@part
def gamma_of(p):
    """The offset of the steps."""
    clip_level = 2.0 * p.diameter
    if p.theorem:
        return larger(240.0 * clip_level, 321.0)
    return larger(8.0 * clip_level, 9.0)


@part
def bound(p, gamma, t, delta):
    """B(t, delta), the bound on the squared error after t + 1 events; infinite at t = 0."""
    if t < 1:
        return math.inf
    G, clip_level = p.diameter, 2.0 * p.diameter
    cost = math.log(2.0 * t * t * (t + 1.0) / delta)
    first, second, noise, last = 1024.0, 8.0, 16.0 / clip_level + 4.0, 192.0
    if not p.theorem:
        first, second, noise, last = 0.5, 1.0, 2.0 / clip_level + 1.0, 4.0
    scale = larger(first / (G * clip_level) ** 2, second * clip_level * math.sqrt(cost) / (gamma * gamma * G))
    return scale * (
        (gamma * G) ** 2 / (t + 1.0)
        + noise / (2.0 * (t + 1.0))
        + last * clip_level * clip_level * cost / ((t + gamma) * math.sqrt(t + 1.0))
    )


@part
def descend(theta, x, start, eta, clip_level, ball):
    """One step of a chain, projected on the ball of that radius around the start."""
    square = 0.0
    for j in range(x.shape[0]):
        square += (x[j] - theta[j]) ** 2
    factor = eta * smaller(1.0, clip_level / larger(math.sqrt(square), 1e-300))
    away = 0.0
    for j in range(x.shape[0]):
        theta[j] += factor * (x[j] - theta[j])
        away += (theta[j] - start[j]) ** 2
    if away > ball * ball:
        for j in range(x.shape[0]):
            theta[j] = start[j] + (theta[j] - start[j]) * (ball / math.sqrt(away))


@part
def proves(p, h, gamma, marks, history, chains):
    """Test every split; the marks that pass into the head."""
    h.best = -1
    most = 0.0
    delta = p.delta / (2.0 * (h.t - 1.0) * h.t) if h.t > 1 else 0.0
    for i in range(1, h.used):
        n1 = marks[i, 0]
        n2 = h.t - n1
        if n1 < 2 or n2 < 2:
            continue
        square = 0.0
        for j in range(chains.shape[1]):
            square += (history[i, j] - chains[i, j]) ** 2
        margin = math.sqrt(square)
        margin -= math.sqrt(bound(p, gamma, n1 - 1.0, delta)) + math.sqrt(bound(p, gamma, n2 - 1.0, delta))
        if margin > 0.0:
            if h.best < 0:
                h.first = i
            h.last = i
            if margin > most:
                h.best, most = i, margin
    return h.best >= 0


@kernel
def run(settings, heads, origin, marks, sums, chains, X, seqs, start):
    """Learn rows of X from ``start`` on.  ``sums`` holds th_{r:s}, ``chains`` th_{s+1:t} of each mark.

    Returns the row that proves a change, n if none does, or -1 - i when the ledger is full before row i.
    """
    p, h = settings[0], heads[0]
    rows, d = X.shape
    gamma = gamma_of(p)
    ball = 0.5 * p.diameter if p.theorem else math.inf
    x = np.empty(d)
    for i in range(start, rows):
        used = h.used
        if used == marks.shape[0]:
            return -1 - i
        marks[used, 0] = h.t
        marks[used, 1] = seqs[i]
        for j in range(d):
            sums[used, j] = chains[0, j] if h.t else origin[j]
            chains[used, j] = origin[j]
            x[j] = clip(X[i, j] / p.sigma, FARTHEST)
        h.used += 1
        for k in range(h.used):
            eta = 2.0 / (h.t - marks[k, 0] + gamma)
            descend(chains[k], x, origin, eta, 2.0 * p.diameter, ball)
        h.t += 1
        if proves(p, h, gamma, marks, sums, chains):
            return i
    return rows


__all__ = ["HEAD", "SETTINGS", "bound", "gamma_of", "run"]
