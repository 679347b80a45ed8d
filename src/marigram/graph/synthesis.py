"""How a synthesizer learns: the encoder, then the decoders on its latents, then the diffusion of the latents."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from marigram.errors import ParameterError
from marigram.graph.decoders.drafts import Known
from marigram.graph.decoders.drawing import Drawing
from marigram.graph.decoders.nodes import NodeDecoder, stacked, standardised
from marigram.graph.decoders.training import (
    DecoderLosses,
    Decoders,
    edge_facts,
    partner_degrees,
    train_decoders,
)
from marigram.graph.diffusion.latent import LatentDiffusion, Process
from marigram.graph.distributed.team import MOST_BATCHES
from marigram.graph.encoder.encoder import Encoder, EncoderKind
from marigram.graph.encoder.prepared import Prepared
from marigram.graph.encoder.training import (
    Autoencoder,
    Batches,
    Posterior,
    columns_of,
    encode,
    train_autoencoder,
)
from marigram.graph.optimise import Checkpoint, Plan, Trace, mixed, quiet_torch

Ints = NDArray[np.int64]
Tell = Callable[[str], None]

ASPECTS = ("features", "structure", "time")
STAGES = ("autoencoder", "decoders", "denoiser")
STEPS = {"autoencoder": 240, "decoders": 900, "denoiser": 1500}
RATES = {"autoencoder": 3e-3, "decoders": 2e-3}
VALUES = 10_000
"""Rows of a type that are kept for drawing without a decoder."""
_LATENTS = 500_000
"""Latents of a type from which the diffusion learns."""
_HELD_OUT, _LEAST = 0.1, 50
"""Share of each class that is held out, of classes of at least so many nodes."""


@final
@dataclass(frozen=True, kw_only=True)
class SynthesizerSettings:
    """What :class:`Synthesizer` is told; checked when it is made. See there."""

    hops: int = 4
    seed: int = 0
    encoder: EncoderKind = "hgt"
    latent: int = 32
    width: int = 64
    beta: float = 0.02
    process: Process = "edm"
    steps: int | None = None
    diffusion: bool = True
    conditioned: bool = True
    decoders: tuple[str, ...] = ASPECTS
    wired: bool = True
    isolated: bool = False
    linear: bool = False
    budget: float = 1.0
    batches: int = 1
    threads: int = 1
    device: str = "auto"
    node_type: str | None = None

    def __post_init__(self) -> None:
        ranges = {
            "hops": (1, 4),
            "latent": (16, 256),
            "width": (4, 1024),
            "batches": (1, MOST_BATCHES),
            "threads": (1, 1024),
            "seed": (0, 2**63 - 1),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if type(value) is not int or not low <= value <= high:
                raise ParameterError(f"{name} must be an integer from {low} to {high}, got {value!r}")
        if self.width % 4:
            raise ParameterError(f"width must be divisible by 4, got {self.width}")
        choices = {"encoder": ("hgt", "sage"), "process": ("edm", "ddpm"), "device": ("auto", "cpu", "cuda")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise ParameterError(
                    f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        if not 0 <= self.beta < np.inf:
            raise ParameterError(f"beta must be at least 0 and finite, got {self.beta!r}")
        if not 0 < self.budget <= 100:
            raise ParameterError(f"budget must be above 0 and at most 100, got {self.budget!r}")
        unknown = set(self.decoders) - set(ASPECTS)
        if unknown:
            raise ParameterError(f"decoders are {', '.join(ASPECTS)}, not {sorted(unknown)[0]!r}")
        LatentDiffusion(process=self.process, steps=self.steps)

    def steps_of(self, stage: str) -> int:
        """Return how many steps a stage has."""
        return max(1, round(self.budget * STEPS[stage]))

    @property
    def place(self) -> str:
        """Where decoders and denoiser are computed; a ``ParameterError`` when that is not on this machine."""
        if self.device == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ParameterError("device is 'cuda', and torch finds no GPU here")
        return self.device


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """What came of it: what draws, the diffusion unless it is left out, and how it went."""

    drawing: Drawing
    diffusion: LatentDiffusion | None
    report: dict[str, Any]


def learn(
    prepared: Prepared,
    settings: SynthesizerSettings,
    checkpoint: Checkpoint,
    tell: Tell,
) -> Learned:
    """Go through the stages.

    Parameters
    ----------
    prepared, settings
        From what, and how.
    checkpoint
        Where each stage keeps its state.
    tell
        Called with the name of each of :data:`STAGES` when it begins.
    """
    with quiet_torch(settings.seed, settings.threads):
        return _Learning(prepared, settings, checkpoint).run(tell)


class _Learning:
    """The stages, one after another."""

    def __init__(self, prepared: Prepared, settings: SynthesizerSettings, checkpoint: Checkpoint) -> None:
        self.prepared, self.settings, self.checkpoint = prepared, settings, checkpoint
        self.held_out = _held_out(prepared, settings.seed)
        self.rows = {name: np.flatnonzero(mask) for name, mask in prepared.allowed.items()}
        self.rows[prepared.target] = np.setdiff1d(self.rows[prepared.target], self.held_out)
        self.columns = columns_of(prepared)
        nodes = prepared.graph.nodes
        self.facts = {
            name: columns.facts(nodes[name], prepared.degrees[name], prepared.times[name])
            for name, columns in self.columns.items()
        }
        self.traces: list[Trace] = []
        self.seconds: dict[str, float] = {}

    def run(self, tell: Tell) -> Learned:
        model, posterior = self._timed("autoencoder", tell, self._encoded)
        drawing = self._timed("decoders", tell, lambda: self._decoded(model, posterior))
        diffusion = None
        if self.settings.diffusion:
            diffusion = self._timed("denoiser", tell, lambda: self._diffused(drawing))
        stages = [trace.as_dict() for trace in self.traces]
        return Learned(drawing, diffusion, {"seconds": self.seconds, "stages": stages})

    def _timed(self, stage: str, tell: Tell, work: Callable[[], Any]) -> Any:
        tell(stage)
        started = time.perf_counter()
        found = work()
        self.seconds[stage] = round(time.perf_counter() - started, 3)
        return found

    def _encoded(self) -> tuple[Autoencoder, dict[str, Posterior]]:
        s, prepared = self.settings, self.prepared
        encoder = Encoder(
            s.encoder, {name: x.shape[1] for name, x in prepared.features.items()}, list(prepared.relations),
            latent=s.latent, width=s.width, hops=s.hops,
            timed=any(len(csr.times) for csr in prepared.relations.values()),
        )  # fmt: skip
        decoders = {name: NodeDecoder(c, s.latent, linear=s.linear) for name, c in self.columns.items()}
        around = {name: values.shape[1] for name, values in prepared.around.items()}
        model, batches = Autoencoder(encoder, decoders, around, s.latent), Batches(prepared, s.hops, s.seed)
        trace = train_autoencoder(
            model, batches, self.facts, self.rows, self.held_out,
            beta=s.beta, plan=self._plan("autoencoder"), checkpoint=self.checkpoint,
        )  # fmt: skip
        self.traces.append(trace)
        team = self.checkpoint.team
        return model, {name: encode(model, batches, name, s.latent, team) for name in self.columns}

    def _decoded(self, model: Autoencoder, posterior: dict[str, Posterior]) -> Drawing:
        s, prepared = self.settings, self.prepared
        edges, facts = edge_facts(prepared, s.seed)
        nodes = {name: model.decoder(name) for name in self.columns}
        decoders = Decoders(nodes, list(prepared.relations), edges, s.latent).to(s.place)
        losses = DecoderLosses(decoders, prepared, posterior, self.facts, facts, s.place)
        plan = self._plan("decoders")
        trace = train_decoders(losses, self.rows, self.held_out, plan=plan, checkpoint=self.checkpoint)
        self.traces.append(trace)
        known = {name: _known(prepared, name, posterior[name]) for name in self.columns}
        return Drawing(decoders.cpu().eval(), self.columns, edges, known, frozenset(s.decoders))

    def _diffused(self, drawing: Drawing) -> LatentDiffusion:
        """Learn how latents are distributed, of all types at once."""
        s, rng = self.settings, np.random.default_rng(mixed(self.settings.seed, "latents", 0))
        parts = []
        for number, (name, known) in enumerate(drawing.known.items()):
            rows = np.flatnonzero(self.prepared.allowed[name][known.rows])
            if len(rows) > _LATENTS:
                rows = rng.choice(rows, _LATENTS, replace=False)
            out = np.isin(known.rows[rows], self.held_out) & (name == self.prepared.target)
            kinds = np.full(len(rows), number)
            parts.append((known.mean[rows], known.classes[rows], kinds, known.spread[rows], out))
        mean, classes, kinds, spread, out = map(np.concatenate, zip(*parts, strict=True))
        model = LatentDiffusion(
            process=s.process, steps=s.steps, training=s.steps_of("denoiser"), seed=s.seed,
            threads=s.threads, device=s.place,
        )  # fmt: skip
        held_out = np.flatnonzero(out)
        model.fit(mean, classes, kinds, spread=spread, held_out=held_out, checkpoint=self.checkpoint)
        self.traces.append(model.trace)
        return model

    def _plan(self, stage: str) -> Plan:
        steps = self.settings.steps_of(stage)
        check = max(1, steps // 12)
        return Plan(stage=stage, steps=steps, rate=RATES[stage], check=check, seed=self.settings.seed)


def _held_out(prepared: Prepared, seed: int) -> Ints:
    """A tenth of each class that is not small: what is stopped by, and not learned from."""
    rng = np.random.default_rng(mixed(seed, "held out", 0))
    parts = [np.empty(0, np.int64)]
    for label in range(3):
        rows = np.flatnonzero(
            prepared.allowed[prepared.target] & (prepared.classes[prepared.target] == label)
        )
        if len(rows) >= _LEAST:
            parts.append(rng.choice(rows, round(_HELD_OUT * len(rows)), replace=False))
    return rng.permutation(np.concatenate(parts))


def about(settings: SynthesizerSettings, prepared: Prepared) -> dict[str, Any]:
    """Return what a checkpoint belongs to."""
    graph = prepared.graph
    told = hashlib.sha256()
    for name in graph.nodes:
        told.update(prepared.classes[name].tobytes() + prepared.own[name].tobytes())
    edges = {" ".join(kind): table.count for kind, table in graph.edges.items()}
    return {"settings": asdict(settings), "edges": edges, "nodes": told.hexdigest()}


def _known(prepared: Prepared, name: str, posterior: Posterior) -> Known:
    """Keep of a type what drawing needs."""
    table = prepared.graph.nodes[name]
    rows = np.flatnonzero(prepared.allowed[name] | prepared.partners[name])
    learned = np.flatnonzero(prepared.allowed[name])[:: max(1, int(prepared.allowed[name].sum()) // VALUES)]
    matrix = stacked(table.attributes)[0]
    _, centre, scale = standardised(matrix)
    sent = [partner_degrees(prepared, kind)[rows] for kind in prepared.relations if kind[0] == name]
    return Known(
        size=table.count, rows=rows, mean=posterior.mean[rows].numpy(), spread=posterior.spread[rows].numpy(),
        classes=prepared.classes[name][rows], joinable=prepared.partners[name][rows],
        degrees=prepared.degrees[name][rows],
        sent=np.stack(sent, axis=1).astype(np.int64) if sent else np.empty((len(rows), 0), np.int64),
        time=prepared.times[name][rows] if len(prepared.times[name]) else prepared.times[name],
        dated=table.time is not None,
        like=table.attributes.take(np.empty(0, np.int64)), values=matrix[learned], centre=centre, scale=scale,
        labelled=table.labels is not None,
    )  # fmt: skip


__all__ = ["ASPECTS", "STAGES", "VALUES", "Learned", "SynthesizerSettings", "about", "learn"]
