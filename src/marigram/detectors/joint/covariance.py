"""A low-rank covariance learned by clipped SGD: directions of common variation, in which a vector may vary more.

Of the standardised residual z, directions u_1..u_k follow its leading eigenvectors by Oja's rule in Sanger's form,

    u_i <- u_i + gamma phi^2 (y_i / power_i) (z - sum_{l <= i} y_l u_l),      y_i = <z, u_i>,

phi the clip of the event and power_i the running mean of y_i^2; no event turns a direction by more than half a right
angle.  The squared distance is then that of a covariance
diag + U power U', each direction measured by its own variance and the rest by its mean:

    N^2 = (1/d) ( sum_i y_i^2/power_i + (d - k) (|z|^2 - sum_i y_i^2)/power_rest ).
"""

from __future__ import annotations

import math

import numpy as np

from marigram.detectors.joint.dense import CHUNK, FARTHEST, squared
from marigram.numerics.elementary import clip, lane_sum, larger, smaller, uniform
from marigram.numerics.jit import part

GAIN, EARLY_GAIN = 0.01, 2.0
ORTHOGONAL_EVERY = 16
"""Events after which the directions are made orthonormal anew."""
LEAST_POWER = 1e-6
MOST_TURN = 1.0


@part
def inner(a, b):
    """<a, b>."""
    products = np.empty(CHUNK)
    total = 0.0
    for begin in range(0, a.shape[0], CHUNK):
        end = min(begin + CHUNK, a.shape[0])
        one, other = a[begin:end], b[begin:end]
        for j in range(end - begin):
            products[j] = one[j] * other[j]
        total += lane_sum(products, end - begin)
    return total


@part
def add_multiple(a, factor, b):
    """a += factor b."""
    for j in range(a.shape[0]):
        a[j] += factor * b[j]


@part
def begin_directions(directions, powers):
    """Signs that no data resembles, made orthonormal; every power that of independent coordinates."""
    k, d = directions.shape
    for i in range(k):
        for j in range(d):
            directions[i, j] = 1.0 if uniform(i * d + j) < 0.5 else -1.0
        powers[i] = 1.0
    powers[k] = d - k
    orthogonalise(directions)


@part
def orthogonalise(directions):
    """Gram and Schmidt, in the order of the directions."""
    for i in range(directions.shape[0]):
        u = directions[i]
        for m in range(i):
            add_multiple(u, -inner(u, directions[m]), directions[m])
        length = math.sqrt(inner(u, u))
        if length < 1e-6:
            u[:] = 0.0
            u[i] = 1.0
            length = 1.0
        for j in range(u.shape[0]):
            u[j] /= length


@part
def standardise(x, mean, inverse_unit, variance, n, z):
    """Residuals in standard deviations; 0 where a value is missing."""
    for j in range(x.shape[0]):
        size = math.sqrt(squared(x[j], mean[j], inverse_unit[j], variance[j], n))
        z[j] = size if x[j] >= mean[j] else -size


@part
def whitened(z, directions, powers, y):
    """d N^2 of a standardised residual; its coefficients into y, the energy of the rest into its last place."""
    k, d = directions.shape
    rest = inner(z, z)
    total = 0.0
    for i in range(k):
        y[i] = inner(z, directions[i])
        rest -= y[i] * y[i]
        total += smaller(y[i] * y[i] / powers[i], FARTHEST * FARTHEST)
    y[k] = larger(rest, 0.0)
    return total + (d - k) * smaller(y[k] / powers[k], FARTHEST * FARTHEST)


@part
def learn_directions(z, directions, powers, y, phi, b, n):
    """One clipped step of the directions and their powers; z is used up."""
    k = directions.shape[0]
    phi2 = phi * phi
    gamma = larger(GAIN, EARLY_GAIN / (n + EARLY_GAIN)) * phi2
    for i in range(k):
        add_multiple(z, -y[i], directions[i])
        turn = MOST_TURN / larger(math.sqrt(inner(z, z)), LEAST_POWER)
        add_multiple(directions[i], clip(gamma * y[i] / powers[i], turn), z)
        length = 1.0 / math.sqrt(inner(directions[i], directions[i]))
        add_multiple(directions[i], length - 1.0, directions[i])
        powers[i] = larger(powers[i] + b * (phi2 * y[i] * y[i] - powers[i]), LEAST_POWER)
    powers[k] = larger(powers[k] + b * (phi2 * y[k] - powers[k]), LEAST_POWER)
    if int(n) % ORTHOGONAL_EVERY == 0:
        orthogonalise(directions)


def scratch(d: int, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Room for a standardised residual and its coefficients."""
    return np.empty(d if rank else 0), np.empty(rank + 1)
