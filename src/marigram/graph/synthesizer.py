"""Synthetic training data: latent diffusion in a variational graph autoencoder.

    graph -> encoder -> z -> (noise, denoise) -> z' -> decoders -> new nodes and edges

An encoder (:mod:`marigram.graph.encoder`) compresses each node and its surroundings to a Gaussian in a latent space; a
diffusion (:mod:`marigram.graph.diffusion`) learns how latents of each class are distributed, and draws new ones;
several decoders (:mod:`marigram.graph.decoders`), each for one aspect, make of them degrees, times, features, partners
and what edges say. All know the class, so that anomalies can be asked for.

The idea is that of K. Liu et al., "Graph Diffusion Models for Anomaly Detection", WSDM 2024 and "Data Augmentation for
Supervised Graph Outlier Detection via Latent Diffusion Models", LoG 2024.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from typing import Any, Literal, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram.errors import InputError, ParameterError
from marigram.graph.data import EdgeTable, EdgeType, Graph, NodeTable
from marigram.graph.data.anything import as_graph
from marigram.graph.data.graph import TimeUnit
from marigram.graph.decoders import files
from marigram.graph.decoders.drafts import Draft
from marigram.graph.decoders.drawing import Drawing
from marigram.graph.diffusion.latent import LatentDiffusion, Process
from marigram.graph.distributed.team import Team, check_shares
from marigram.graph.encoder.encoder import EncoderKind
from marigram.graph.encoder.prepared import UNKNOWN, prepare
from marigram.graph.optimise import Checkpoint, mixed
from marigram.graph.synthesis import ASPECTS, VALUES, SynthesizerSettings, Tell, about, learn
from marigram.graph.synthetic import Synthetic

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Init = Literal["noise", "real"]
FEWEST = 20
"""Nodes to learn from."""


@final
class Synthesizer:
    """Learns how a graph's nodes of each class are distributed, and draws new ones with their edges.

    Parameters
    ----------
    hops
        How far the encoder looks, 1 to 4.
    seed
        Fixes everything.
    encoder
        ``"hgt"``: attention by node type, relation and age; ``"sage"``: means, smaller and faster.
    latent, width
        Of z, 16 to 256, and of the encoder's states, a multiple of 4.
    beta
        Weight of the divergence from the prior; larger makes latents smoother and decodes less sharp.
    process, steps
        Of the diffusion: ``"edm"`` (32 steps) or ``"ddpm"`` (T = 100 discrete steps).
    diffusion
        False: a Gaussian fitted to the latents of the class is drawn from instead.
    conditioned
        False: no part knows the class; what is drawn is like any node.
    decoders
        Which decoders are used; an aspect without its decoder is drawn at random: columns from real rows one by one,
        partners among all, times over the range.
    wired, isolated
        ``wired=False`` leaves out edges between synthetic and real nodes, ``isolated=True`` all.
    linear
        Features are a linear map of the latent, as in the published design.
    budget
        Multiplies the number of training steps, above 0.
    batches
        Of a step, 1 to 1,024, whose gradients are averaged: what several processes share out. Twice as many batches
        and half the budget look at as many nodes.
    threads
        Of torch.
    device
        Of decoders and denoiser: ``"auto"`` takes CUDA (and mixed precision) when there is one. Message passing
        is on the CPU.
    node_type
        The type with labels, when several have some.

    Raises
    ------
    ParameterError
        A parameter is out of its range.
    """

    def __init__(
        self,
        *,
        hops: int = 4,
        seed: int = 0,
        encoder: EncoderKind = "hgt",
        latent: int = 32,
        width: int = 64,
        beta: float = 0.02,
        process: Process = "edm",
        steps: int | None = None,
        diffusion: bool = True,
        conditioned: bool = True,
        decoders: tuple[str, ...] = ASPECTS,
        wired: bool = True,
        isolated: bool = False,
        linear: bool = False,
        budget: float = 1.0,
        batches: int = 1,
        threads: int = 1,
        device: str = "auto",
        node_type: str | None = None,
    ) -> None:
        self.settings = SynthesizerSettings(
            hops=hops, seed=seed, encoder=encoder, latent=latent, width=width, beta=beta, process=process,
            steps=steps, diffusion=diffusion, conditioned=conditioned, decoders=tuple(decoders), wired=wired,
            isolated=isolated, linear=linear, budget=budget, batches=batches, threads=threads, device=device,
            node_type=node_type,
        )  # fmt: skip
        self.report: dict[str, Any] = {}
        self.target: str = ""
        self.time_unit: TimeUnit = ""
        self._drawing: Drawing | None = None
        self._diffusion: LatentDiffusion | None = None

    def fit(
        self,
        data: Any,
        *,
        suspects: ArrayLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        processes: int = 1,
        tell: Tell | None = None,
    ) -> Synthesizer:
        """Learn from the training nodes, from unlabelled ones as a third class, and from all their edges.

        Parameters
        ----------
        data
            A graph of any kind that :func:`marigram.graph.as_graph` takes, from 20 nodes of the labelled type; not
            changed. Without a split every node is for training.
        suspects
            Numbers of nodes of the labelled type whose label is not known (those of validation and test too), that are
            taken for anomalies, by a first detector say, and learned from as such. No new edge leads to one outside
            training.
        checkpoint
            A folder in which each stage keeps where it stands; the same call goes on from there.
        processes
            On this machine, that share out the batches of a step; must divide their number. What is learned follows
            from ``batches``: for two batches two processes learn the bits that one learns, for more the sums of
            gradients are rounded otherwise.
        tell
            Called with the name of each of :data:`marigram.graph.synthesis.STAGES` when it begins.

        Raises
        ------
        InputError
            There are too few nodes, or no labels; or a suspect does not exist or has a known label; or a process
            ended before its time.
        ParameterError
            ``processes`` does not divide ``batches``, or the device is no CPU.
        """
        graph = as_graph(data)
        supposed = None if suspects is None else np.asarray(suspects, np.int64).ravel()
        check_shares(self.settings.batches, processes)
        if processes == 1:
            return self._fitted(
                graph, supposed, checkpoint, tell or _say_nothing, Team(self.settings.batches)
            )
        from marigram.graph.distributed.synthesis import fit_in_processes

        other = fit_in_processes(self.settings, graph, supposed, checkpoint, processes, tell or _say_nothing)
        self.target, self.time_unit, self.report = other.target, other.time_unit, other.report
        self._drawing, self._diffusion = other._drawing, other._diffusion
        return self

    def _fitted(
        self, graph: Graph, supposed: Ints | None, checkpoint: str | os.PathLike[str] | None, tell: Tell, team: Team
    ) -> Synthesizer:  # fmt: skip
        """Learn in this process, alone or with others."""
        s = self.settings
        prepared = prepare(graph, s.node_type, conditioned=s.conditioned, suspects=supposed)
        count = int(prepared.allowed[prepared.target].sum())
        if count < FEWEST:
            raise InputError(
                0, f"nodes {prepared.target!r}: {FEWEST} to learn from are needed, there are {count}"
            )
        learned = learn(prepared, s, Checkpoint(checkpoint, about(s, prepared), team), tell)
        self.target, self.time_unit = prepared.target, graph.time_unit
        self._drawing, self._diffusion, self.report = learned.drawing, learned.diffusion, learned.report
        return self

    # --- drawing ---------------------------------------------------------------------------------------------------

    def without(
        self,
        *,
        diffusion: bool = True,
        decoders: tuple[str, ...] = ASPECTS,
        wired: bool = True,
        isolated: bool = False,
    ) -> Synthesizer:
        """Return one that shares all that was learned, and draws without some parts; see the class for what they are.

        What it draws is what one that was fitted without these parts would draw: they are not looked at by the others.

        Raises
        ------
        ParameterError
            A parameter is out of its range, or the synthesizer was not fitted.
        """
        drawing, old = self._ready(), self.settings
        kept = tuple(name for name in decoders if name in old.decoders or name not in ASPECTS)
        other = Synthesizer()
        other.settings = replace(
            old, diffusion=old.diffusion and diffusion, decoders=kept, wired=old.wired and wired,
            isolated=old.isolated or isolated,
        )  # fmt: skip
        other.target, other.time_unit, other.report = self.target, self.time_unit, self.report
        other._drawing = drawing.with_aspects(frozenset(kept))
        other._diffusion = self._diffusion if diffusion else None
        return other

    def sample(
        self,
        n: int,
        label: int = 1,
        *,
        node_type: str | None = None,
        guidance: float = 1.0,
        init: Init = "noise",
        strength: float = 0.5,
        seed: int | None = None,
    ) -> Synthetic:
        """Draw new nodes, connected to each other and to real training nodes.

        Parameters
        ----------
        n
            How many, from 1.
        label
            1 anomalous, 0 normal.
        node_type
            Which type; the one with labels by default.
        guidance
            1: as the class is; larger: more of what sets it apart; 0: like any node.
        init, strength
            ``"noise"`` begins with noise alone; ``"real"`` with latents of real nodes of the class, noised for a share
            of the steps, 0 < strength <= 1, and denoised again.
        seed
            Of the draws; that of the synthesizer by default. The same seed gives the same nodes.

        Raises
        ------
        ParameterError
            A parameter is out of its range, or the synthesizer was not fitted.
        InputError
            No training node has this label.
        """
        s, drawing = self.settings, self._ready()
        name = self.target if node_type is None else node_type
        if name not in drawing.known:
            raise ParameterError(f"there is no node type {name!r}, only {', '.join(drawing.known)}")
        if type(n) is not int or n < 1:
            raise ParameterError(f"n must be an integer of at least 1, got {n!r}")
        if label not in (0, 1):
            raise ParameterError(f"label must be 0 or 1, got {label!r}")
        word = s.seed if seed is None else seed
        rng = np.random.default_rng(mixed(word, "draw", label))
        draft = self._draft(n, label, name, guidance, init, strength, word, rng)
        edges: dict[EdgeType, EdgeTable] = {}
        for kind in [] if s.isolated else drawing.relations_into(name):
            ends = drawing.ends(kind, draft, draft if kind[0] == name else None, rng, real=True)
            if not s.wired:
                new = ends[1] >= drawing.known[kind[0]].size
                ends = ends[0][new], ends[1][new]
            stored, table = drawing.table(kind, ends, {name: draft}, rng)
            edges[stored] = table
        return Synthetic(
            nodes={name: self._labelled(name, draft)}, edges=edges,
            sizes={kind: known.size for kind, known in drawing.known.items()},
            node_type=name, label=label, time_unit=self.time_unit,
        )  # fmt: skip

    def sample_graph(
        self, n: int, share: float | None = None, *, guidance: float = 1.0, seed: int | None = None
    ) -> Graph:
        """Draw a whole new graph of both classes, without any real node.

        Parameters
        ----------
        n
            How many nodes of the labelled type, from 1; other types in proportion.
        share
            Of anomalies among them, 0 to 1; as in training by default.
        guidance, seed
            As of :meth:`sample`.
        """
        drawing, word = self._ready(), self.settings.seed if seed is None else seed
        known = drawing.known[self.target]
        if share is None:
            share = float((known.classes == 1).sum() / max((known.classes != UNKNOWN).sum(), 1))
        if type(n) is not int or n < 1 or not 0 <= share <= 1:
            raise ParameterError(f"n must be at least 1 and share from 0 to 1, got {n!r} and {share!r}")
        rng = np.random.default_rng(mixed(word, "graph", n))
        anomalous, drafts = round(n * share), {}
        for name, others in drawing.known.items():
            counts = {0: max(1, round(n * others.size / known.size))}
            if name == self.target:
                counts = {1: anomalous, 0: n - anomalous}
            parts = [
                self._draft(count, label, name, guidance, "noise", 1.0, word, rng)
                for label, count in counts.items()
                if count
            ]
            drafts[name] = Draft.joined(parts)
        edges = {}
        for kind in drawing.edges:
            walked = drawing.walked(kind, self.target)
            ends = drawing.ends(walked, drafts[walked[2]], drafts[walked[0]], rng, real=False)
            edges[kind] = drawing.table(walked, ends, drafts, rng)[1]
        nodes = {name: self._labelled(name, draft) for name, draft in drafts.items()}
        sizes = {name: others.size for name, others in drawing.known.items()}
        whole = Synthetic(
            nodes=nodes, edges=edges, sizes=sizes, node_type=self.target, label=1, time_unit=self.time_unit
        )
        return whole.to_graph()

    def _draft(
        self, n: int, label: int, name: str, guidance: float, init: str, strength: float, seed: int, rng: Any
    ) -> Draft:
        """Draw latents, and decode them."""
        drawing = self._ready()
        known = drawing.known[name]
        told = label if name == self.target and self.settings.conditioned else UNKNOWN
        same = np.flatnonzero(known.classes == told) if told != UNKNOWN else np.arange(len(known.rows))
        if not len(same):
            raise InputError(0, f"no training node of type {name!r} has the label {label}")
        if init not in ("noise", "real"):
            raise ParameterError(f"init must be 'noise' or 'real', got {init!r}")
        real = known.latents(rng.choice(same, n), rng) if init == "real" else None
        if self._diffusion is not None:
            number = list(drawing.known).index(name)
            z = self._diffusion.sample(
                n, told, node_type=number, guidance=guidance, real=real, strength=strength, seed=seed
            )
        else:
            z = gaussian(known.latents(same[:VALUES], rng), n, rng) if real is None else real
        draft = drawing.nodes(name, z, np.full(n, told), rng)
        return replace(draft, labels=np.full(n, label, np.int8))

    def _labelled(self, name: str, draft: Draft) -> NodeTable:
        return draft.table.with_labels(draft.labels if self._ready().known[name].labelled else None)

    def _ready(self) -> Drawing:
        if self._drawing is None:
            raise ParameterError("the synthesizer was not fitted: call fit first")
        return self._drawing

    # --- saving ----------------------------------------------------------------------------------------------------

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write what was learned, as one file of tensors and JSON with a checksum; nothing in it can run."""
        diffusion = None if self._diffusion is None else self._diffusion.packed()
        told = {"settings": asdict(self.settings), "target": self.target, "time_unit": self.time_unit}
        files.save(folder, {**told, "report": self.report}, self._ready(), diffusion)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Synthesizer:
        """Read what :meth:`save` wrote; the graph is not needed.

        Raises ``SnapshotError`` when it is damaged, of another version or nothing of the kind.
        """
        told, drawing, diffusion = files.load(folder)
        settings = dict(told["settings"])
        found = cls(**{**settings, "decoders": tuple(settings["decoders"])})
        units: dict[str, TimeUnit] = {"": "", "ns": "ns", "s": "s", "step": "step"}
        found.target, found.time_unit = told["target"], units[told["time_unit"]]
        found.report = told["report"]
        found._drawing = drawing
        if diffusion is not None:
            found._diffusion = LatentDiffusion.unpacked(*diffusion)
        return found


def gaussian(latents: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Draw from the Gaussian of some vectors, its covariance shrunk to a diagonal where they are few: (n, d)."""
    count, width = latents.shape
    mean, centred = latents.mean(0), latents - latents.mean(0)
    cover = centred.T @ centred / max(count - 1, 1)
    shrink = min(1.0, width / count)
    cover = (1 - shrink) * cover + shrink * np.diag(np.diag(cover)) + 1e-6 * np.eye(width)
    return np.asarray(mean + rng.standard_normal((n, width)) @ np.linalg.cholesky(cover).T, np.float32)


def _say_nothing(_: str) -> None:
    """For callers who do not listen."""


__all__ = ["Synthesizer"]
