"""Diffusion of vectors with a class: noise them, learn to take the noise away, and draw new ones of a class.

The class is told to the denoiser, but not always: in a share of the steps it hears "unknown", so that one network knows
the classes and the mixture of all. In sampling the difference of both is the direction in which the class lies, and
``guidance`` w goes that way: F = F(unknown) + w (F(class) - F(unknown)) (J. Ho and T. Salimans, "Classifier-Free
Diffusion Guidance", 2022, equation 6 with w = 1 + their w). w = 1 is the class as it is; larger is more of what sets it
apart. Led away from the other class instead of the mixture, F = F(normal) + w (F(anomalous) - F(normal)), draws leave
behind what both have in common: normal nodes among those that were taken for anomalies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from marigram.errors import ParameterError
from marigram.graph.diffusion.ddpm import Ddpm
from marigram.graph.diffusion.denoiser import Denoiser
from marigram.graph.diffusion.edm import Edm
from marigram.graph.optimise import (
    Checkpoint,
    Plan,
    Trace,
    even_shares,
    half_precision,
    mixed,
    optimise,
    quiet_torch,
)

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Process = Literal["edm", "ddpm"]

UNKNOWN = 2
"""The third class: neither normal (0) nor anomalous (1), but unlabelled."""
_PROCESSES: dict[str, type[Edm] | type[Ddpm]] = {"edm": Edm, "ddpm": Ddpm}


@final
class LatentDiffusion:
    """Draws vectors like those it has seen, of a class and a type.

    Parameters
    ----------
    process
        ``"edm"``: continuous levels, Heun's sampler. ``"ddpm"``: T discrete steps.
    steps
        Of the sampler, 2 to 10,000; T of ``"ddpm"``. None: 32 and 100.
    forget
        Share of the steps in which the class is not told, 0 to 1.
    training
        Steps of learning, from 1.
    batch
        Vectors a step, from 1.
    hidden
        Width of the denoiser.
    seed
        Fixes everything.
    threads
        Of torch.
    device
        Where the network is: ``"cpu"`` or ``"cuda"``.

    Examples
    --------
    >>> import numpy as np
    >>> from marigram.graph.diffusion import LatentDiffusion
    >>> rng = np.random.default_rng(0)
    >>> classes = rng.integers(0, 2, 400)
    >>> vectors = (rng.normal(size=(400, 2)) + 8 * classes[:, None]).astype(np.float32)
    >>> model = LatentDiffusion(training=200).fit(vectors, classes)
    >>> bool(model.sample(50, 1).mean() > 4 > model.sample(50, 0).mean())
    True
    """

    def __init__(
        self,
        *,
        process: Process = "edm",
        steps: int | None = None,
        forget: float = 0.15,
        training: int = 1500,
        batch: int = 256,
        hidden: int = 128,
        seed: int = 0,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        if process not in _PROCESSES:
            raise ParameterError(f"process must be 'edm' or 'ddpm', got {process!r}")
        if not 0 <= forget <= 1:
            raise ParameterError(f"forget must be from 0 to 1, got {forget!r}")
        for name, value in (("training", training), ("batch", batch), ("hidden", hidden)):
            if type(value) is not int or value < 1:
                raise ParameterError(f"{name} must be an integer of at least 1, got {value!r}")
        kind = _PROCESSES[process]
        self.process = kind() if steps is None else kind(steps=steps)
        self.forget, self.training, self.batch, self.hidden = forget, training, batch, hidden
        self.seed, self.threads, self.device = seed, threads, device

    def fit(
        self,
        vectors: Floats,
        classes: Ints,
        types: Ints | None = None,
        *,
        spread: Floats | None = None,
        held_out: Ints | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> LatentDiffusion:
        """Learn the distribution of vectors, class by class.

        Parameters
        ----------
        vectors
            float32 (n, d), finite. Standardised within, type by type; a constant coordinate stays as it is.
        classes
            int (n,): 0 normal, 1 anomalous, 2 unknown.
        types
            int (n,) from 0: the node type; all 0 by default.
        spread
            float32 (n, d): deviations of noise that each vector has anew in every step; none by default.
        held_out
            Rows to stop by, from which nothing is learned.
        checkpoint
            Where the state is kept.
        """
        x, told, kinds = self._checked(vectors, classes, types)
        self.count = int(kinds.max()) + 1
        self.mean = np.stack(
            [x[kinds == t].mean(0) if (kinds == t).any() else 0 * x[0] for t in range(self.count)]
        )
        own = np.zeros_like(x) if spread is None else np.asarray(spread, np.float32)
        total = [
            np.sqrt(x[kinds == t].var(0) + (own[kinds == t] ** 2).mean(0)) if (kinds == t).any() else 0 * x[0]
            for t in range(self.count)
        ]
        self.scale = np.where(np.stack(total) > 1e-6, np.stack(total), 1).astype(np.float32)
        data = torch.from_numpy((x - self.mean[kinds]) / self.scale[kinds]).to(self.device)
        jitter = None if spread is None else torch.from_numpy(own / self.scale[kinds]).to(self.device)
        marks = torch.from_numpy(np.stack([told, kinds])).to(self.device)
        with quiet_torch(mixed(self.seed, "denoiser", -2), self.threads):
            self.denoiser = Denoiser(x.shape[1], types=self.count, hidden=self.hidden).to(self.device)
            rows = np.empty(0, np.int64) if held_out is None else held_out
            self.trace = self._learn(_Vectors(data, jitter), marks, rows, checkpoint)
        self.denoiser.eval()
        return self

    def _learn(self, data: _Vectors, marks: Tensor, held_out: Ints, checkpoint: Checkpoint | None) -> Trace:
        learned = np.setdiff1d(np.arange(marks.shape[1]), held_out)
        shares = torch.from_numpy(even_shares(marks[:, learned].cpu().numpy())).to(self.device)
        rows = torch.from_numpy(learned).to(self.device)
        kept = torch.from_numpy(held_out).to(self.device).repeat(max(1, 2000 // max(len(held_out), 1)))

        def loss(_: int) -> Tensor:
            places = torch.multinomial(shares, min(self.batch, 4 * len(rows)), replacement=True)
            some = rows.index_select(0, places)
            forgotten = torch.rand(len(some), device=self.device) < self.forget
            known, types = marks.index_select(1, some)
            classes = torch.where(forgotten, UNKNOWN, known)
            with half_precision(self.device):
                return self.process.loss(self._network(classes, types), data.draw(some)).mean()

        def held() -> float:
            return float(self.process.loss(self._network(*marks[:, kept]), data.draw(kept)).mean())

        steps = max(1, self.training)
        plan = Plan(stage="denoiser", steps=steps, check=max(1, steps // 15), seed=self.seed)
        return optimise(
            self.denoiser, loss, held if len(held_out) else None, plan, checkpoint or Checkpoint(None, {})
        )

    def sample(
        self,
        n: int,
        label: int,
        *,
        node_type: int = 0,
        guidance: float = 1.0,
        against: int = UNKNOWN,
        real: Floats | None = None,
        strength: float = 1.0,
        seed: int | None = None,
    ) -> Floats:
        """Draw vectors.

        Parameters
        ----------
        n
            How many.
        label
            0, 1 or 2 (whatever class).
        node_type
            Which type.
        guidance
            w, from 0: 0 as ``against``, 1 the class, more: what sets it apart.
        against
            What guidance leads away from: 2, whatever class, or the other one.
        real, strength
            float32 (n, d) of vectors that get the noise of ``strength`` of the steps, 0 < strength <= 1, and lose it
            again; None begins with noise alone.
        seed
            Of the draws; the object's own by default.

        Returns
        -------
        NDArray
            float32 (n, d).
        """
        if not 0 < strength <= 1:
            raise ParameterError(f"strength must be above 0 and at most 1, got {strength!r}")
        if not 0 <= guidance < np.inf:
            raise ParameterError(f"guidance must be at least 0 and finite, got {guidance!r}")
        if against not in (0, 1, UNKNOWN):
            raise ParameterError(f"against must be 0, 1 or 2, got {against!r}")
        generator = torch.Generator().manual_seed(mixed(self.seed if seed is None else seed, "sample", label))
        shape = (n, self.mean.shape[1])
        start = None
        if real is not None:
            start = torch.from_numpy((real - self.mean[node_type]) / self.scale[node_type]).to(self.device)
        with quiet_torch(0, self.threads):
            drawn = self.process.sample(
                self._guided(n, label, node_type, guidance, against),
                lambda: torch.randn(shape, generator=generator).to(self.device),
                start,
                strength if real is not None else 1.0,
            )
        return np.asarray(drawn.cpu().numpy() * self.scale[node_type] + self.mean[node_type], np.float32)

    def _network(self, classes: Tensor, types: Tensor) -> Any:
        return lambda x, noise: self.denoiser(x, noise, classes, types)

    def _guided(self, n: int, label: int, node_type: int, guidance: float, against: int) -> Any:
        ones = torch.ones(n, dtype=torch.int64, device=self.device)
        told = self._network(ones * label, ones * node_type)
        if guidance == 1 or label in (UNKNOWN, against):
            return told
        untold = self._network(ones * against, ones * node_type)

        def network(x: Tensor, noise: Tensor) -> Tensor:
            without = untold(x, noise)
            both: Tensor = without + guidance * (told(x, noise) - without)
            return both

        return network

    def _checked(self, vectors: Floats, classes: Ints, types: Ints | None) -> tuple[Floats, Ints, Ints]:
        x, told = np.asarray(vectors, np.float32), np.asarray(classes, np.int64)
        kinds = np.zeros(len(x), np.int64) if types is None else np.asarray(types, np.int64)
        if x.ndim != 2 or not len(x) or not np.isfinite(x).all():
            raise ParameterError(f"vectors must be finite, of shape (n, d) with n at least 1, got {x.shape}")
        if told.shape != (len(x),) or kinds.shape != (len(x),) or not np.isin(told, (0, 1, 2)).all():
            raise ParameterError("every vector needs a class of 0, 1, 2 and a type")
        return x, told, kinds

    def packed(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return a header and arrays, for saving."""
        arrays = {f"net.{name}": t.cpu().numpy() for name, t in self.denoiser.state_dict().items()}
        name = next(name for name, kind in _PROCESSES.items() if isinstance(self.process, kind))
        meta = {"process": name, "steps": self.process.steps, "hidden": self.hidden, "seed": self.seed}
        return meta | {"count": self.count}, arrays | {"mean": self.mean, "scale": self.scale}

    @classmethod
    def unpacked(cls, meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> LatentDiffusion:
        """Return what :meth:`packed` came from."""
        model = cls(process=meta["process"], steps=meta["steps"], hidden=meta["hidden"], seed=meta["seed"])
        model.count, model.mean, model.scale = meta["count"], arrays["mean"], arrays["scale"]
        model.denoiser = Denoiser(model.mean.shape[1], types=model.count, hidden=model.hidden)
        weights = {
            name: torch.from_numpy(arrays[f"net.{name}"].copy()) for name in model.denoiser.state_dict()
        }
        model.denoiser.load_state_dict(weights)
        model.denoiser.eval()
        return model


@final
@dataclass(frozen=True)
class _Vectors:
    """Standardised vectors, and the deviations of the noise that is theirs."""

    mean: Tensor
    spread: Tensor | None

    def draw(self, rows: Tensor) -> Tensor:
        mean = self.mean.index_select(0, rows)
        if self.spread is None:
            return mean
        return mean.addcmul_(self.spread.index_select(0, rows), torch.randn_like(mean))


__all__ = ["UNKNOWN", "LatentDiffusion", "Process"]
