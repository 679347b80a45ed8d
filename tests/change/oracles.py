"""The change-point tests as their equations stand, with every sum written out; slow."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from marigram.change import catoni, conformal, ranks, segments

Floats = NDArray[np.float64]


def log_e(z: float, bet: float, variance: float) -> float:
    """Ln e(x; m, l) of a value z units from m."""
    y = bet * z
    psi = math.copysign(math.log(1 + abs(y) + y * y / 2), y)
    h = catoni.WIDTH
    norm = math.log(1 + abs(bet) * h / 2 + bet * bet * (variance + h * h / 4) / 2)
    return min(psi - norm, math.log(catoni.MOST))


def start_weights(n: int) -> Floats:
    """w_1 .. w_n."""
    s = np.arange(1, n + 1) + catoni.SPREAD
    return np.asarray(math.log(catoni.SPREAD) / (s * np.log(s) ** 2))


def catoni_refused(x: Floats, sigma: float, threshold: float, reach: float) -> int:
    """Events until every level of the grid is refused, or -1; products over every start from scratch."""
    first = catoni.PROVED_START
    centre = float(np.median(x[:first]))
    half = math.ceil(reach / catoni.WIDTH)
    z = (x[first:] - centre) / sigma
    both = [sign * bet for bet in catoni.BETS for sign in (1, -1)]
    calm = [sign * bet for bet in catoni.CALM for sign in (1, -1)]
    weights = start_weights(len(z))
    refused = 0
    for level in np.arange(-half, half + 1) * catoni.WIDTH:
        e_calm = np.exp(np.cumsum([[log_e(v - level, bet, 1.0) for bet in calm] for v in z], axis=0))
        before = np.concatenate([[1.0], 0.5 + 0.5 * e_calm.mean(axis=1)])
        logs = np.array([[log_e(v - level, bet, 1.0) for bet in both] for v in z])
        for t in range(1, len(z) + 1):
            since = np.exp(np.cumsum(logs[:t][::-1], axis=0)[::-1])
            moved = float(np.sum(weights[:t] * before[:t] * since.mean(axis=1)))
            if moved + (1 - weights[:t].sum()) * before[t] >= threshold:
                refused = max(refused, first + t)
                break
        else:
            return -1
    return refused


def rank_proved(r: Floats, delta: float) -> int:
    """Ranks until the mixture over all starts and bets reaches 1/delta, or -1."""
    bets = np.concatenate([conformal.BETS, -conformal.BETS])
    e = bets * np.exp(bets * r[:, None]) / np.expm1(bets)
    weights = start_weights(len(r))
    for t in range(1, len(r) + 1):
        since = np.cumprod(e[:t][::-1], axis=0)[::-1].mean(axis=1)
        if float(weights[:t] @ since) + 1 - weights[:t].sum() >= 1 / delta:
            return t
    return -1


def ranks_of(places: list[int], u: Floats) -> list[float]:
    """Sequential ranks of binned values."""
    told = []
    for t, place in enumerate(places):
        below = sum(other < place for other in places[:t])
        equal = sum(other == place for other in places[:t])
        told.append((below + u[t] * (1 + equal)) / (t + 1))
    return told


def best_split(z: Floats) -> int:
    """The split of z (n, d) with the smallest squared error."""

    def error(part: Floats) -> float:
        return float(((part - part.mean(axis=0)) ** 2).sum())

    return min(range(1, len(z)), key=lambda s: error(z[:s]) + error(z[s:]))


def segments_proved(x: Floats, delta: float, radius: float) -> int:
    """Events until a scheduled test of clipped means finds a difference, or -1; x (n, d) about a centre within R.

    Every mean and bias is summed anew.  The centre stays, so there must be fewer than 32 events.
    """
    levels = segments.LEVELS
    norm = np.linalg.norm(x, axis=1)
    clipped = [x * np.minimum(1.0, level / np.maximum(norm, 1e-300))[:, None] for level in levels]
    bias = [0.25 / (level - radius) if level > radius else segments.BLIND for level in levels]
    for n in range(1, len(x) + 1):
        for k in range(2, 6):
            step = max(1, 2**k // 8)
            i = n // step
            if n % step or i <= 8:
                continue
            for n2 in range(2**k, min(2 ** (k + 1), n), step):
                share = math.log(8) / (i * math.log(i) ** 2) / ((k - 1) * k) / (2**k // step)
                cost = math.log(2 / (delta * (1 - 2 / segments.ON_CENTRE) * share))
                options = []
                for a, l1 in enumerate(levels):
                    for b, l2 in enumerate(levels):
                        third = 2 * max(l1 / (n - n2), l2 / n2) * cost / 3
                        spread = math.sqrt(2 * cost * (1 / n2 + 1 / (n - n2)))
                        options.append((third + spread + bias[a] + bias[b], a, b))
                r, a, b = min(options)
                gap = clipped[b][n - n2 : n].mean(axis=0) - clipped[a][: n - n2].mean(axis=0)
                if np.linalg.norm(gap) > r:
                    return n
    return -1


def uai_proved(x: Floats, G: float, delta: float, theorem: bool) -> int:
    """Events until Algorithm 1 with the corrected test stops, or -1; x (n, d), sigma = 1, th_0 = 0."""
    lam = 2 * G
    gamma = max(240 * lam, 321.0) if theorem else max(8 * lam, 9.0)
    a, b, c, f = (1024, 8, 16 / lam + 4, 192) if theorem else (0.5, 1, 2 / lam + 1, 4)

    def bound(t: int, level: float) -> float:
        cost = math.log(2 * t * t * (t + 1) / level)
        inside = (
            (gamma * G) ** 2 / (t + 1) + c / 2 / (t + 1) + f * lam**2 * cost / (t + gamma) / math.sqrt(t + 1)
        )
        return max(a / (G * lam) ** 2, b * lam * math.sqrt(cost) / (gamma**2 * G)) * inside

    def step(theta: Floats, v: Floats, t: int) -> Floats:
        g = v - theta
        theta = theta + 2 / (t + gamma) * g * min(1.0, lam / max(float(np.linalg.norm(g)), 1e-300))
        return theta * min(1.0, G / 2 / max(float(np.linalg.norm(theta)), 1e-300)) if theorem else theta

    prefix = [np.zeros(x.shape[1])]
    chains: list[Floats] = []  # one from each start
    for n, v in enumerate(x, 1):
        chains = [step(theta, v, n - 1 - s) for s, theta in enumerate([*chains, np.zeros(x.shape[1])])]
        prefix.append(chains[0])
        for s in range(2, n - 1):
            level = delta / (2 * (n - 1) * n)
            gap = float(np.linalg.norm(prefix[s] - chains[s]))
            if gap > math.sqrt(bound(s - 1, level)) + math.sqrt(bound(n - s - 1, level)):
                return n
    return -1


def bins(x: Floats) -> list[int]:
    """Bins of the values after the first ones."""
    first = np.sort(x[: ranks.START])
    centre = float(np.median(first))
    unit = (first[-4] - first[3]) / 2
    place = np.floor(ranks.FINE * np.arcsinh(4 * (x[ranks.START :] - centre) / unit)) + ranks.HALF
    return [int(p) for p in np.clip(place, 0, 2 * ranks.HALF - 1)]
