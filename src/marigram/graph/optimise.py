"""Learning in steps that can be broken off: the one loop behind encoder, decoders and denoiser.

What a step draws follows from (seed, stage, step), never from what came before it, and the rate from the step alone.
So a run that was killed goes on from its last checkpoint and ends with the same bits as one that was not.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from marigram.errors import ParameterError, SnapshotError
from marigram.graph.adamw import AdamW, device_of, set_generator
from marigram.graph.distributed.team import Team
from marigram.graph.tensorfiles import SUFFIX, load_tensors, save_tensors

_KIND, _VERSION = "synthesizer's stage", 2


@final
@dataclass(frozen=True, kw_only=True)
class Plan:
    """How long and how fast a module learns.

    Parameters
    ----------
    stage
        Its name in checkpoints and reports.
    steps
        At most so many, from 1.
    rate
        Of Adam at the beginning; it falls to 0 along half a cosine.
    decay
        Of the weights, decoupled.
    clip
        Largest norm of a gradient.
    check
        Steps between two looks at the held-out part.
    patience
        Looks without a better value after which it ends.
    seed
        Of everything drawn.
    """

    stage: str
    steps: int
    rate: float = 2e-3
    decay: float = 1e-3
    clip: float = 1.0
    check: int = 50
    patience: int = 6
    seed: int = 0


@final
@dataclass
class Trace:
    """What came of it: the training loss and the held-out loss at each look, the best step, and the last."""

    stage: str
    losses: list[float] = field(default_factory=list)
    held_out: list[float] = field(default_factory=list)
    best: int = 0
    last: int = 0
    done: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {name: getattr(self, name) for name in ("stage", "losses", "held_out", "best", "last", "done")}


@final
class Checkpoint:
    """A folder in which each stage keeps where it stands.

    Parameters
    ----------
    folder
        Made when absent; None keeps nothing.
    about
        What must be the same for a checkpoint to be taken up: settings and sizes, as JSON values.
    team
        Which of a step's batches this process computes; the first process writes.
    """

    def __init__(
        self, folder: str | os.PathLike[str] | None, about: Mapping[str, Any], team: Team | None = None
    ) -> None:
        self.folder = None if folder is None else Path(folder)
        self.team = Team() if team is None else team
        self.mark = hashlib.sha256(msgspec.json.encode(about, order="deterministic")).hexdigest()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, stage: str, meta: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Keep the state of a stage in place of what was kept of it."""
        if self.folder is not None and self.team.first:
            save_tensors(self._path(stage), _KIND, _VERSION, {**meta, "mark": self.mark}, arrays)

    def read(self, stage: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the state of a stage; None when there is none.

        Raises ``SnapshotError`` when it is damaged or belongs to other data or settings.
        """
        if self.folder is None or not self._path(stage).exists():
            return None
        meta, arrays = load_tensors(self._path(stage), _KIND, _VERSION)
        if meta["mark"] != self.mark:
            raise SnapshotError(
                f"{self.folder} is a checkpoint of other data or settings; name another folder or empty it"
            )
        return meta, arrays

    def _path(self, stage: str) -> Path:
        assert self.folder is not None  # noqa: S101 - for the type checker; callers have asked
        return self.folder / f"{stage}{SUFFIX}"


def optimise(
    module: nn.Module,
    loss: Callable[[int], Tensor],
    held_out: Callable[[], float] | None,
    plan: Plan,
    checkpoint: Checkpoint,
) -> Trace:
    """Teach a module in place; it ends with the weights that were best on the held-out part.

    Parameters
    ----------
    module
        Learns.
    loss
        Number of a batch -> what is to be made small. May draw from torch's generator, which is set before each batch.
    held_out
        What tells when to stop; without it the last weights are taken.
    plan, checkpoint
        How long; where its state is kept, and who computes which of a step's batches.

    Raises
    ------
    ParameterError
        What is learned is no longer finite.
    SnapshotError
        The checkpoint belongs to other data or settings.
    InputError
        Processes that learn together disagree.
    """
    weights = [p for p in module.parameters() if p.requires_grad]
    optimiser = AdamW(weights, decay=plan.decay, clip=plan.clip)
    trace, best = Trace(plan.stage), {name: t.clone() for name, t in module.state_dict().items()}
    found = checkpoint.read(plan.stage)
    if found is not None:
        trace = _take_up(found, module, optimiser, best)
    team, sums = checkpoint.team, 0.0
    team.agree(
        f"they have other data or settings, or stand at other steps of {plan.stage!r}: give all the same checkpoint",
        checkpoint.mark.encode(), f"{trace.last} {trace.done}".encode(),
    )  # fmt: skip
    teach = team.teacher(module, loss, lambda number: mixed(plan.seed, plan.stage, number))
    for step in range(trace.last, plan.steps if not trace.done else trace.last):
        optimiser.forget()
        sums += teach(step)
        optimiser.step(plan.rate * 0.5 * (1 + math.cos(math.pi * step / plan.steps)))
        if (step + 1) % plan.check == 0 or step + 1 == plan.steps:
            team.agree_on_weights(plan.stage, module)
            trace.losses.append(team.mean(sums) / plan.check)
            sums, trace.last = 0.0, step + 1
            _look(trace, module, held_out, plan, best, team)
            checkpoint.write(plan.stage, trace.as_dict(), _state(module, optimiser, best))
            if trace.done:
                break
    module.load_state_dict(best)
    return trace


def _look(
    trace: Trace, module: nn.Module, held_out: Callable[[], float] | None, plan: Plan, best: dict[str, Tensor],
    team: Team,
) -> None:  # fmt: skip
    """Compare with the best so far, and decide whether that was all."""
    value = -float(trace.last)
    if held_out is not None:
        module.eval()
        set_generator(mixed(plan.seed, plan.stage, -1), device_of(module))
        with torch.no_grad():
            value = team.decided(held_out)
        module.train()
    if not np.isfinite(trace.losses[-1]) or not np.isfinite(value):
        raise ParameterError(
            f"learning diverged in stage {plan.stage!r}: lower the rate, or look at the data"
        )
    if not trace.held_out or value < min(trace.held_out):
        trace.best = trace.last
        best.update({name: t.clone() for name, t in module.state_dict().items()})
    trace.held_out.append(value)
    trace.done = trace.last >= plan.steps or (trace.last - trace.best) >= plan.patience * plan.check


def _state(module: nn.Module, optimiser: AdamW, best: dict[str, Tensor]) -> dict[str, Any]:
    arrays = {f"now.{name}": t.detach().cpu().numpy() for name, t in module.state_dict().items()}
    arrays |= {f"best.{name}": t.detach().cpu().numpy() for name, t in best.items()}
    return arrays | {f"adam.{name}": array for name, array in optimiser.state().items()}


def _take_up(
    found: tuple[dict[str, Any], dict[str, Any]], module: nn.Module, optimiser: AdamW, best: dict[str, Tensor]
) -> Trace:
    """Put everything where it stood."""
    meta, arrays = found
    module.load_state_dict({name: torch.from_numpy(arrays[f"now.{name}"].copy()) for name in best})
    best.update({name: torch.from_numpy(arrays[f"best.{name}"].copy()) for name in best})
    optimiser.take_up({name: arrays[f"adam.{name}"] for name in ("mean", "square", "steps")})
    meta.pop("mark")
    return Trace(**meta)


def mixed(seed: int, stage: str, step: int) -> int:
    """Return a word of 63 bits that follows from a seed, a stage and a step."""
    digest = hashlib.blake2b(f"{seed} {stage} {step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def half_precision(device: str) -> torch.autocast:
    """Return a context in which a GPU multiplies in bfloat16; on the CPU nothing changes."""
    return torch.autocast(device, torch.bfloat16, enabled=device == "cuda")


@contextmanager
def quiet_torch(seed: int, threads: int) -> Iterator[None]:
    """Seed torch and set its threads for the time of the block; both are as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(before)


def even_shares(marks: NDArray[np.int64]) -> NDArray[np.float32]:
    """How often each row is drawn when classes are rare: (2, n) of classes and types -> (n,).

    Every class of every type has at least a sixth of what its type has in all, but no row more than 50 times its share.
    """
    groups, places, counts = np.unique(marks[1] * 3 + marks[0], return_inverse=True, return_counts=True)
    of_type = np.bincount(groups // 3, weights=counts)[groups // 3]
    wanted = np.maximum(counts, np.minimum(of_type / 6, 50 * counts))
    return np.asarray((wanted / counts)[places.ravel()], np.float32)


@final
class Draw:
    """Rows of one type, rare classes more often than they are.

    Parameters
    ----------
    classes
        int64 (n,): 0, 1, 2.
    rows
        int64 (n,): what is drawn.
    """

    def __init__(self, classes: NDArray[np.int64], rows: NDArray[np.int64]) -> None:
        shares = even_shares(np.stack([classes, np.zeros_like(classes)])).astype(np.float64)
        self.rows, self.ends = rows, np.cumsum(shares / shares.sum())

    def draw(self, rng: np.random.Generator, most: int) -> NDArray[np.int64]:
        """Draw rows, equal ones among them; at most so many, and of few rows four times as many."""
        places = np.searchsorted(self.ends, rng.random(min(most, 4 * len(self.rows))))
        return np.asarray(self.rows[np.minimum(places, len(self.rows) - 1)])


__all__ = [
    "Checkpoint", "Draw", "Plan", "Trace", "even_shares", "half_precision", "mixed", "optimise", "quiet_torch",
]  # fmt: skip
