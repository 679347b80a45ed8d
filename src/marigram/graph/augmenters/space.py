"""The latent space of hop features, what is learned in it, and how new latents are drawn there.

Principal components need no encoder, and what they leave over of a row is that of the nearest real anomaly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from marigram.graph.detectors.jobs import Ints

if TYPE_CHECKING:
    from marigram.graph.diffusion import LatentDiffusion

Doubles = NDArray[np.float64]

COMPONENTS = 32
"""Of the latent space, at most."""
FAR = 6.0
"""Standard deviations at which a column is cut before its components are taken."""
NEAR = 5
"""Anomalies that are near another."""


@final
@dataclass(frozen=True)
class Form:
    """What becomes of latents: nodes, whole rows, or half of them either.

    Attributes
    ----------
    nodes, rows
        Guidance of the diffusion for each, from 0: 1 is the class as it is; None: none are made.
    against
        The class that guidance leads away from: 2, whatever class, or 0, the normal one.
    strength
        None: draws begin with noise. Else with latents between two known anomalies that are near each other, as SMOTE
        has them, to which noise of this share of the steps is added: what lies between may be like no anomaly, and the
        denoiser takes it to where such nodes are.
    """

    nodes: float | None = None
    rows: float | None = None
    against: int = 2
    strength: float | None = None


FORMS = {
    "": Form(nodes=2.0), "-plain": Form(nodes=1.0), "-rows": Form(rows=2.0),
    "-both": Form(nodes=2.5, rows=1.5, against=0), "-between": Form(rows=1.0, strength=0.15),
}  # fmt: skip
"""By the ending of an augmenter's name."""


@final
@dataclass(frozen=True, eq=False)
class Space:
    """Principal components of standardised columns, and what they leave over of each row."""

    centre: Doubles
    scale: Doubles
    axes: Doubles
    encoded: Doubles
    rest: Doubles

    @classmethod
    def of(cls, x: Doubles) -> Space:
        """Take the components of rows (n, d), NaN where something is missing."""
        known = np.maximum((~np.isnan(x)).sum(0), 1)
        first = np.nansum(x, axis=0) / known
        scale = np.sqrt(np.nansum((x - first) ** 2, axis=0) / known)
        z = np.nan_to_num(np.clip((x - first) / np.where(scale > 0, scale, np.inf), -FAR, FAR))
        shift = z.mean(0)
        z -= shift
        count = min(COMPONENTS, min(z.shape) - 1)
        axes = svds(z, k=count, v0=np.ones(min(z.shape)))[2].T if count > 0 else np.zeros((z.shape[1], 0))
        encoded = z @ axes
        return cls(first + shift * scale, scale, axes, encoded, z - encoded @ axes.T)

    def decoded(self, z: Doubles, like: Ints) -> Doubles:
        """Columns of latents; what the components leave over is that of the rows ``like``."""
        return np.asarray((z @ self.axes.T + self.rest[like]) * self.scale + self.centre)


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """A latent space, its columns by name, the anomalies (first those known), their latents and what they lack, and a
    diffusion or none.
    """

    space: Space
    place: dict[str, int]
    nodes: Ints
    z: NDArray[np.float32]
    absent: NDArray[np.bool_]
    known: int
    diffusion: LatentDiffusion | None

    def nearest(self, z: Doubles) -> Ints:
        """Which real anomaly is nearest to each latent."""
        return np.asarray(_squares(z, self.z.astype(np.float64)).argmin(1))

    def rows(self, z: Doubles) -> NDArray[np.float32]:
        """Whole rows, with nothing where the nearest real anomaly has nothing."""
        nearest = self.nearest(z)
        return np.where(self.absent[nearest], np.nan, self.space.decoded(z, nearest)).astype(np.float32)

    def draw(self, count: int, guidance: float, form: Form, seed: int, rng: np.random.Generator) -> Doubles:
        """Latents of new anomalies."""
        start = None if form.strength is None else self._between(count, rng)
        if self.diffusion is not None:
            z = self.diffusion.sample(
                count, 1, guidance=guidance, against=form.against, real=start, strength=form.strength or 1.0, seed=seed
            )  # fmt: skip
            return z.astype(np.float64)
        if start is not None:
            return start.astype(np.float64)
        centred = self.z - self.z.mean(0)
        noise = rng.normal(size=(count, len(centred)))
        return np.asarray(self.z.mean(0) + noise @ centred / np.sqrt(len(centred)), np.float64)

    def _between(self, count: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Latents between a known anomaly and one of those nearest to it; each is the first end equally often."""
        z = self.z[: self.known].astype(np.float64)
        first = rng.permutation(np.resize(np.arange(len(z)), count))
        if len(z) == 1:
            return np.asarray(self.z[first], np.float32)
        far = _squares(z, z)
        np.fill_diagonal(far, np.inf)
        near = np.argsort(far, axis=1, kind="stable")[:, : min(NEAR, len(z) - 1)]
        second = near[first, rng.integers(0, near.shape[1], count)]
        t = rng.random((count, 1))
        return np.asarray(z[first] + t * (z[second] - z[first]), np.float32)


def _squares(a: Doubles, b: Doubles) -> Doubles:
    return np.asarray((a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T)


__all__ = ["FORMS", "Form", "Learned", "Space"]
