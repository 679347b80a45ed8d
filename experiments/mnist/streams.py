"""Streams of numerals: a base numeral under rotations is normal, all others are anomalies, and the base switches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import rotate
from sklearn.datasets import load_digits

from marigram.datasets.local import find

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Numerals:
    """Images in [0, 1] with their labels."""

    images: Floats
    labels: NDArray[np.int64]

    def turned(self, rows: NDArray[np.int64], rng: np.random.Generator, degrees: float) -> Floats:
        """(n, pixels): the images of some rows, each under a rotation of its own."""
        angles = rng.uniform(-degrees, degrees, len(rows))
        pictures = [
            rotate(image, a, reshape=False, order=1)
            for image, a in zip(self.images[rows], angles, strict=True)
        ]
        return np.reshape(pictures, (len(rows), -1))


@dataclass(frozen=True)
class Play:
    """One stream: n events, which are anomalies, where the base switches, and a pool of other pictures."""

    events: Floats
    anomaly: NDArray[np.bool_]
    switches: NDArray[np.int64]
    pool: Floats


def digits() -> Numerals:
    """scikit-learn's 1,797 numerals of 8 x 8 pixels."""
    bunch = load_digits()
    return Numerals(bunch.images / 16.0, bunch.target.astype(np.int64))


def mnist() -> Numerals:
    """MNIST's 10,000 test numerals of 28 x 28 pixels."""
    with np.load(find("mnist10k") / "mnist_t10k.npz") as held:
        return Numerals(held["images"] / 255.0, held["labels"].astype(np.int64))


def play(
    numerals: Numerals,
    seed: int,
    events: int,
    segments: int,
    share: float,
    degrees: float,
    corrupted: float = 0.0,
    gain: float = 1.0,
) -> Play:
    """A stream of ``segments`` base numerals in random order, with a share of anomalies, drawn with replacement.

    The pool holds any numerals under the same rotations.  Of the anomalies, the share ``corrupted`` is ``gain`` times
    as bright as a picture can be.
    """
    rng = np.random.default_rng(seed)
    base = np.repeat(rng.permutation(10)[:segments], events // segments)
    n = len(base)
    anomaly = rng.random(n) < share
    numeral = np.where(anomaly, (base + rng.integers(1, 10, n)) % 10, base)
    of = [np.flatnonzero(numerals.labels == k) for k in range(10)]
    rows = np.array([rng.choice(of[k]) for k in numeral])
    pool = numerals.turned(rng.integers(0, len(numerals.labels), n), rng, degrees)
    pictures = numerals.turned(rows, rng, degrees)
    pictures[anomaly & (rng.random(n) < corrupted)] *= gain
    return Play(pictures, anomaly, np.arange(1, segments) * (events // segments), pool)
