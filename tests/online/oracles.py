"""The estimators once more, slowly: plain Python, one number at a time, from the equations alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

Vector = list[float]


def norm(v: Sequence[float]) -> float:
    return math.hypot(*v)


def anytime(t: int) -> float:
    return (t + 1.0) ** (-2 / 3)


def averaging(rate: float) -> Callable[[int], float]:
    """1/(t + 1) until that is smaller than `rate`."""
    return lambda t: max(rate, 1.0 / (t + 1.0))


class Level:
    """The running clip level, from the norm of one gradient after the other."""

    def __init__(self, fixed: float | None, tau: float = 0.95) -> None:
        self.fixed, self.tau, self.running, self.run = fixed, tau, 0.0, 0

    @property
    def now(self) -> float:
        return self.running if self.fixed is None else self.fixed

    def learn(self, norm: float, n: int) -> None:
        if self.running == 0.0:
            self.running = norm
            return
        tau = self.tau - (self.tau - 0.5) * 4.0 / (4.0 + n)
        self.run = 0 if norm <= self.running else self.run + 1
        gain = max(0.02 / (self.run if 1 <= self.run <= 32 else 1), 2.0 / (n + 2.0))
        self.running *= math.exp(gain * (tau - (norm <= self.running)))


class Beginning:
    """The first five vectors: their median, and their median distance from it."""

    def __init__(self) -> None:
        self.held: list[Vector] = []

    def learn(self, x: Vector) -> Vector:
        self.held.append(x)
        return [median(v[j] for v in self.held) for j in range(len(x))]

    def spread(self, middle: Vector) -> float:
        return median(norm([a - b for a, b in zip(v, middle, strict=True)]) for v in self.held)


class Mean:
    """Clipped SGD on the mean's loss; `eta(t)` is the step, `start` a vector or None."""

    def __init__(self, eta, level: Level, start: Vector | None = None, region=list) -> None:
        self.eta, self.level, self.value, self.region = eta, level, start, region
        self.beginning = Beginning() if start is None else None
        self.t = 0

    def update(self, x: Vector) -> None:
        if self.beginning is not None and self.t < 5:
            self.value = self.beginning.learn(x)
            if self.t == 4:
                self.level.running = self.beginning.spread(self.value)
        else:
            gradient = [a - b for a, b in zip(self.value, x, strict=True)]
            size = norm(gradient)
            shrink = 1.0 if size <= self.level.now else self.level.now / size
            self.value = [
                v - self.eta(self.t) * shrink * g for v, g in zip(self.value, gradient, strict=True)
            ]
            self.level.learn(size, self.t)
        self.value = self.region(self.value)
        self.t += 1


class Plain:
    """SGD without a clip, from the first value."""

    def __init__(self, eta) -> None:
        self.eta, self.value, self.t = eta, [], 0

    def update(self, x: Vector) -> None:
        self.value = (
            [v + self.eta(self.t) * (a - v) for v, a in zip(self.value, x, strict=True)] if self.t else x
        )
        self.t += 1


class Ensemble:
    """Twelve means under one clip level, weighed by fixed-share Hedge."""

    def __init__(self, level: Level) -> None:
        self.level, self.beginning, self.t, self.n, self.restarts = level, Beginning(), 0, 5, 0
        self.weights = [1 / 12] * 12
        self.value: Vector = []
        self.means: list[Vector] = []

    def update(self, x: Vector) -> None:
        if self.t < 5:
            self.value = self.beginning.learn(x)
            self.means = [list(self.value) for _ in range(12)]
            if self.t == 4:
                self.level.running = self.beginning.spread(self.value)
            self.t += 1
            return
        now = self.level.now
        size = norm([a - b for a, b in zip(x, self.value, strict=True)])
        for k, mean in enumerate(self.means):
            far = norm([a - b for a, b in zip(x, mean, strict=True)])
            relative = huber(far / now) - huber(size / now)
            self.weights[k] = (0.999 * self.weights[k] + 0.001 / 12) * fading(min(max(2 * relative, -1), 1))
            eta = max(2.0 ** -(k + 1), 1 / (self.t + 1)) * min(1.0, now / far if far else 1.0)
            self.means[k] = [m + eta * (a - m) for m, a in zip(mean, x, strict=True)]
        total = sum(self.weights)
        self.weights = [w / total for w in self.weights]
        columns = zip(*self.means, strict=True)
        self.value = [sum(w * m for w, m in zip(self.weights, c, strict=True)) for c in columns]
        best = max(range(12), key=self.weights.__getitem__)
        slow = self.weights[best + 2 :]
        if slow and sum(slow) < len(slow) * 16 * 0.001 / 12 and self.t > 2 ** (best + 2):
            self.means[best + 1 :] = [list(self.value) for _ in range(11 - best)]
            self.weights[best + 1 :] = [self.weights[best]] * (11 - best)
            self.weights = [w / sum(self.weights) for w in self.weights]
            self.t = max(5, 2 ** (best + 1))
            self.restarts += 1
        self.level.learn(size, self.n)
        self.t += 1
        self.n += 1


def huber(u: float) -> float:
    return u * u / 2 if u <= 1 else u - 0.5


def fading(y: float) -> float:
    return (1 - y / 4) ** 4


class Scale:
    """One coordinate: the Cauchy M-scale, in standard deviations of a normal distribution, beside its level."""

    NORMAL = 0.6120031809624807

    def __init__(self, eta, centre: float | None = None) -> None:
        self.eta, self.centre, self.level, self.value = eta, centre, centre, math.nan
        self.held: list[float] = []
        self.t = 0

    def update(self, x: float) -> None:
        if self.t < 5:
            self.held.append(x)
            if self.centre is None:
                self.level = median(self.held)
            self.value = 1.482602218505602 * median(abs(v - self.level) for v in self.held)
        else:
            e, eta, s = x - self.level, self.eta(self.t), self.value * self.NORMAL
            z = e / s
            self.value *= math.exp(1.5 * eta * (z * z - 1) / (z * z + 1))
            if self.centre is None:
                self.level += eta * min(max(e, -3.4 * s), 3.4 * s)
        self.t += 1


class Linear:
    """Clipped SGD for a regression with ridge, in units of the smoothness."""

    CURVATURE = 1.0

    def __init__(self, d: int, eta, clip=None, mu=0.0, smoothness=None, region=list) -> None:
        self.eta, self.level, self.mu, self.smoothness = eta, Level(clip), mu, smoothness
        self.value, self.norms, self.squares, self.region = [0.0] * d, [], [], region
        self.square, self.n, self.t = 0.0, 0, 0

    def predict(self, x: Vector) -> float:
        return sum(a * b for a, b in zip(x, self.value, strict=True))

    def update(self, x: Vector, y: float) -> None:
        r = self.predict(x) - y
        gradient = [r * a + self.mu * v for a, v in zip(x, self.value, strict=True)]
        size, xx = norm(gradient), sum(a * a for a in x)
        young = self.n < 5
        if young:
            self.norms.append(size)
            self.squares.append(xx)
            self.square, self.level.running = median(self.squares), median(self.norms)
        if not young or self.level.fixed is not None:
            m = self.smoothness or self.CURVATURE * max(self.square, xx) + self.mu
            factor = self.eta(self.t) / m * (1.0 if size <= self.level.now else self.level.now / size)
            self.value = self.region([v - factor * g for v, g in zip(self.value, gradient, strict=True)])
            self.t += 1
        if not young:
            self.level.learn(size, self.n)
            self.square *= math.exp(max(0.02, 2 / (self.n + 2)) * (0.5 - (xx <= self.square)))
        self.n += 1


class Logistic(Linear):
    """The same for the logistic loss; labels 1, and 0 or -1."""

    CURVATURE = 0.25

    def predict(self, x: Vector) -> float:
        return (1 + math.tanh(super().predict(x) / 2)) / 2

    def update(self, x: Vector, y: float) -> None:
        super().update(x, max(y, 0.0))
