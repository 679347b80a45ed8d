"""New nodes for trees: diffusion in the space of hop features, decoded to attributes and wired as a real node is.

    rows of 0..K hops -> z (principal components) -> noise, denoise -> z' -> attributes, and the nearest real anomaly

A row of :mod:`marigram.graph.hops` holds a node and its surroundings, so its components are a latent that needs no
encoder. The diffusion knows three classes: normal, anomalous, unknown. Decoded numbers take the nearest value that a
node of the class has, and the new node gets the edges of the real one that is nearest in the latent space, with
held-out partners replaced. Its row is then computed in the larger graph, as that of any node: rows that are decoded
whole lie where no node can lie, and trees may tell them apart instead of learning from them. Where what makes an
anomaly is how it is wired, they are nevertheless the better ones (:class:`marigram.graph.augmenters.space.Form`).

With few anomalies the class is learned from suspects, too (:mod:`marigram.graph.augmenters.suspects`).
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from marigram.graph.augmenters.generated import Generated
from marigram.graph.augmenters.joining import Draft
from marigram.graph.augmenters.joining import join as joined
from marigram.graph.augmenters.makers import anomalies, drafted, known_anomalies, rows_of_nodes
from marigram.graph.augmenters.space import FORMS, Form, Learned, Space
from marigram.graph.augmenters.suspects import suspects
from marigram.graph.data import Graph
from marigram.graph.detectors.jobs import Ints, Job, Sample
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.hops import HopView

Doubles = NDArray[np.float64]

TRAINING, HIDDEN = 400, 96
"""Steps of learning and width of the denoiser."""
MOST_ROWS = 4000
"""Nodes of each class from which the diffusion learns."""


@final
class Latent:
    """Learns the latents of a job once, and draws nodes from them.

    Parameters
    ----------
    how
        ``"diffusion"``; ``"gaussian"``: z from one normal distribution, as a variational autoencoder without diffusion
        has it; ``"published"``: diffusion of known anomalies among nodes that all count as normal, decoded as they
        come, without an edge.
    nodes
        Makes the nodes of a larger graph for networks.
    learning
        Who are suspects; None: nobody.
    form
        What is made of latents.
    seed
        Of what is learned.
    """

    def __init__(
        self,
        how: Literal["diffusion", "gaussian", "published"],
        nodes: Generated,
        *,
        learning: SelfTraining | None = None,
        form: Form = FORMS[""],
        seed: int = 0,
    ) -> None:
        self.how, self.nodes, self.learning, self.form, self.seed = how, nodes, learning, form, seed
        self._learned: weakref.WeakKeyDictionary[Graph, Learned] = weakref.WeakKeyDictionary()

    def shaped(self, form: Form) -> Latent:
        """Return the same, sharing what it learns, with another form."""
        other = Latent(self.how, self.nodes, learning=self.learning, form=form, seed=self.seed)
        other._learned = self._learned
        return other

    def graph(self, job: Job, count: int, seed: int) -> Graph:
        """Return the graph with nodes of the synthesizer."""
        return self.nodes.graph(job, count, seed)

    def sample(self, job: Job, view: HopView, count: int, seed: int) -> Sample:
        """Return the rows of new nodes, and rows that are decoded whole."""
        if job.graph not in self._learned:
            self._learned[job.graph] = self._learn(job, view)
        learned, form, found = self._learned[job.graph], self.form, []
        whole = 0 if form.rows is None else count if form.nodes is None else count // 2
        if whole < count:
            rng = np.random.default_rng([seed, 27])
            z = learned.draw(count - whole, form.nodes or 0.0, form, seed, rng)
            draft = self._decoded(job, learned, z, rng)
            found.append(rows_of_nodes(job, view, joined(job.graph, job.target, draft)).x)
        if whole:
            word = seed if whole == count else seed + 1
            rng = np.random.default_rng([word, 27])
            found.append(learned.rows(learned.draw(whole, form.rows or 0.0, form, word, rng)))
        return anomalies(np.concatenate(found))

    def _learn(self, job: Job, view: HopView) -> Learned:
        known = known_anomalies(job)
        supposed = known[:0] if self.learning is None else suspects(job, self.learning, self.seed, view)
        anomalous = np.concatenate([known, supposed])
        rng = np.random.default_rng([self.seed, 28])
        normal = _some(job.train[job.labels[job.train] != 1], rng)
        free = np.ones(len(job.labels), np.bool_)
        free[job.train] = free[job.valid] = free[supposed] = False
        unknown = _some(np.flatnonzero(free), rng)
        nodes = np.concatenate([anomalous, normal, unknown])
        classes = np.repeat(
            [1, 0, 0 if self.how == "published" else 2], [len(anomalous), len(normal), len(unknown)]
        )
        x = view.rows(nodes).astype(np.float64)
        space = Space.of(x)
        z = space.encoded.astype(np.float32)
        diffusion = None
        if self.how != "gaussian":
            from marigram.graph.diffusion import LatentDiffusion

            diffusion = LatentDiffusion(training=TRAINING, hidden=HIDDEN, seed=self.seed).fit(z, classes)
        place = {name: j for j, name in reversed(list(enumerate(view.features.names)))}
        absent = np.isnan(x[: len(anomalous)])
        return Learned(space, place, anomalous, z[: len(anomalous)], absent, len(known), diffusion)

    def _decoded(self, job: Job, learned: Learned, z: Doubles, rng: np.random.Generator) -> Draft:
        """New nodes with the numbers of z and, unless they are isolated, edges as of the nearest real anomaly."""
        nearest = learned.nearest(z)
        draft = drafted(job, learned.nodes[nearest], rng)
        own = draft.attributes.numeric
        columns, numbers = learned.space.decoded(z, nearest), own.copy()
        seen = job.graph.nodes[job.target].attributes.take(learned.nodes).numeric
        for j, name in enumerate(draft.attributes.numeric_names):
            if name in learned.place:  # constant ones are not
                values = columns[:, learned.place[name]]
                numbers[:, j] = values if self.how == "published" else _snapped(values, seen[:, j])
        numbers[np.isnan(own)] = np.nan
        links = () if self.how == "published" else draft.links
        return replace(draft, attributes=replace(draft.attributes, numeric=numbers), links=links)


def _some(nodes: Ints, rng: np.random.Generator) -> Ints:
    return nodes if len(nodes) <= MOST_ROWS else rng.choice(nodes, MOST_ROWS, replace=False)


def _snapped(values: Doubles, seen: NDArray[np.float32]) -> NDArray[np.float32]:
    """The nearest of the values that were seen, or the values as they are where none was."""
    known = np.unique(seen[~np.isnan(seen)])
    if not len(known):
        return values.astype(np.float32)
    place = np.clip(np.searchsorted(known, values), 1, max(len(known) - 1, 1))
    below, above = known[place - 1], known[np.minimum(place, len(known) - 1)]
    return np.where(np.abs(values - below) <= np.abs(above - values), below, above).astype(np.float32)


__all__ = ["Latent"]
