"""What can be promised of clipped SGD on a mean, and what step and clip level follow from it.

Let noise have the total second moment sigma^2, let the level start at a distance of at most e_0 and move by at most
phi from one event to the next, and let Lambda of the t events be corrupted, wherever they are and by whatever.  With
a constant step eta and a fixed clip level >= 2 e_0, unrolling theta_t - theta*_t gives, with q = 1 - eta and
probability at least 1 - delta at all t events at once,

    |theta_t - theta*_t| <= q^t e_0                           what is left of the start
                          + sigma sqrt(2 eta L)                noise
                          + (4/3) eta level L                  rare large values
                          + sigma^2/(2 level)                  bias of the clip
                          + phi (1 - q^t)/eta                  drift
                          + (3/2) level (1 - q^Lambda)         corruption,      L = ln(2 t/delta).

Noise and bias hold because clipping is a projection on a ball that contains the gradient's mean: it does not increase
the variance, and moves the mean by at most E(|x - theta*| - level/2)_+ <= sigma^2/(2 level).  The terms of noise are
Pinelis's form of Bernstein's inequality for martingales in a Hilbert space, so they know no dimension.  It presumes
|theta_s - theta*_s| <= level/2 until then, which the bound itself shows, event by event, while it stays below
level/2: hence the t in L.  Where it does not stay there nothing follows, and the radius is infinite.

The bound is conservative, ten times and more above what is seen.  It tells how the error depends on things; it is no
threshold.  Summed over T events, with G for e_0, Phi for the way of the level and L taken as a constant, it is a regret

    (G + Phi)/eta + T sigma sqrt(eta) + Lambda level + T sigma^2/(2 level),

whose first two terms are least, in order, at :func:`optimal_step`, and whose last two at :func:`optimal_clip`.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.errors import ParameterError
from marigram.online._ranges import integer_in, number_in

MOST = 10**15
"""Largest number of events."""
LARGEST = 1e100
SETTLED = 40.0
"""Time constants after which every term of the bound is as it will be for ever."""
SPARSE = 10_000
"""Events between the start and then at which the bound is checked."""


def mean_radius(
    t: int, delta: float, eta: float, level: float, sigma: float, start: float, drift: float, corrupted: int
) -> float:
    """The bound above; its terms are as the equation names them."""
    L = math.log(2.0 * t / delta)
    noise = sigma * math.sqrt(2.0 * eta * L) + 4.0 / 3.0 * eta * level * L + sigma**2 / (2.0 * level)
    log_q = math.log1p(-eta) if eta < 1.0 else -math.inf
    checked = np.unique(np.append(np.linspace(1.0, min(t, math.ceil(SETTLED / eta)), SPARSE).round(), t))
    left = np.exp(checked * log_q)
    bad = -np.expm1(np.minimum(corrupted, checked) * log_q) if corrupted else 0.0
    bound = left * start + noise + drift * (1.0 - left) / eta + 1.5 * level * bad
    return float(bound[-1]) if bound.max() <= level / 2.0 else math.inf


def optimal_step(T: int, drift: float, sigma: float, diameter: float) -> float:
    """The article's optimal learning rate: the constant step for what drifts and scatters like this.

    eta* = ((G + Phi)/(sigma T))^(2/3), at most 1; the regret is then of order sigma^(2/3) (G + Phi)^(1/3) T^(2/3).

    Parameters
    ----------
    T
        Number of events, in [1, 10^15].
    drift
        Phi, the length of the way that the level goes during these events, in the unit of the data, in [0, 1e100].
    sigma
        Standard deviation of the noise, over all coordinates together, in (0, 1e100].
    diameter
        G, how far the first estimate may be from the level, in [0, 1e100].

    Raises
    ------
    ParameterError
        An argument outside its range; drift and diameter of 0 together, for which no step is best.

    Examples
    --------
    >>> round(optimal_step(20_000, drift=8.3, sigma=1.0, diameter=6.0), 4)
    0.008
    """
    events = integer_in("T", T, 1, MOST)
    way = number_in("drift", drift, 0.0, LARGEST) + number_in("diameter", diameter, 0.0, LARGEST)
    if way == 0.0:
        raise ParameterError("drift and diameter must not both be 0: there would be nothing to follow")
    scatter = number_in("sigma", sigma, 0.0, LARGEST, above=True)
    return min(1.0, math.pow(way / (scatter * events), 2.0 / 3.0))


def optimal_clip(T: int, corrupted: float | None, sigma: float, diameter: float = 0.0) -> float:
    """The article's influence cap: the fixed clip level for so much corruption.

    level* = sigma sqrt(T/(2 Lambda)), where the harm of corruption, Lambda level, equals the bias T sigma^2/(2 level);
    sigma T^(1/3), which goes with a step of T^(-2/3), where nothing is known of corruption.

    Parameters
    ----------
    T
        Number of events, in [1, 10^15].
    corrupted
        Lambda, how many of them are corrupted, in [0, T], taken as 1 if less; None: not known.
    sigma
        Standard deviation of the noise, over all coordinates together, in (0, 1e100].
    diameter
        G, in [0, 1e100]: the level is at least 2 G, which the proof asks for.  By default it is not: after a good
        start a lower level is better than the proof knows.

    Raises
    ------
    ParameterError
        An argument outside its range.

    Examples
    --------
    >>> round(optimal_clip(20_000, corrupted=200, sigma=1.0), 2), optimal_clip(20_000, 200, 1.0, diameter=6.0)
    (7.07, 12.0)
    """
    events = integer_in("T", T, 1, MOST)
    scatter = number_in("sigma", sigma, 0.0, LARGEST, above=True)
    least = 2.0 * number_in("diameter", diameter, 0.0, LARGEST)
    if corrupted is None:
        return max(least, scatter * math.pow(events, 1.0 / 3.0))
    harmed = max(1.0, number_in("corrupted", corrupted, 0.0, float(events)))
    return max(least, scatter * math.sqrt(events / (2.0 * harmed)))


__all__ = ["mean_radius", "optimal_clip", "optimal_step"]
