"""One synthesizer, learned by several processes on this machine, which share the graph by mapping its file.

Each process sees the whole graph and computes its share of every step's batches and of the encoding; the first one
keeps the checkpoint and writes what was learned.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from marigram import snapshots
from marigram.errors import ParameterError
from marigram.graph.data import Graph
from marigram.graph.data.mapped import open_mapped
from marigram.graph.distributed.launching import run_processes, tell_parent
from marigram.graph.distributed.peers import Peers
from marigram.graph.distributed.team import Team
from marigram.graph.synthesis import SynthesizerSettings, Tell

if TYPE_CHECKING:
    from marigram.graph.synthesizer import Synthesizer

_KIND = "synthesizer-job"


def fit_in_processes(
    settings: SynthesizerSettings,
    graph: Graph,
    suspects: NDArray[np.int64] | None,
    checkpoint: str | os.PathLike[str] | None,
    processes: int,
    tell: Tell,
) -> Synthesizer:
    """Fit a synthesizer in several processes; parameters as of :meth:`marigram.graph.Synthesizer.fit`.

    Raises
    ------
    InputError
        A process ended before its time; with the last it said.
    ParameterError
        The device is no CPU.
    """
    from marigram.graph.synthesizer import Synthesizer

    if settings.place != "cpu":
        raise ParameterError("several processes learn on the CPU: let device be 'cpu'")
    with tempfile.TemporaryDirectory(prefix="marigram-") as name:
        folder = Path(name)
        graph.save_mapped(folder / "graph.mg")
        kept = None if checkpoint is None else os.path.abspath(checkpoint)
        arrays = {} if suspects is None else {"suspects": suspects}
        snapshots.save(folder / "job.mg", _KIND, {"settings": asdict(settings), "checkpoint": kept}, arrays)
        run_processes("synthesizer", folder, processes, tell)
        return Synthesizer.load(folder / "learned")


def work(folder: Path, number: int, count: int) -> None:
    """Be process ``number``, from 0, of ``count``."""
    from marigram.graph.synthesizer import Synthesizer

    meta, arrays = snapshots.load(folder / "job.mg", _KIND)
    settings = meta["settings"]
    made = Synthesizer(**{**settings, "decoders": tuple(settings["decoders"])})
    with Peers.met(folder / "meeting", number, count) as peers:
        made._fitted(
            open_mapped(folder / "graph.mg"), arrays.get("suspects"), meta["checkpoint"],
            tell_parent if number == 0 else _say_nothing, Team(made.settings.batches, peers),
        )  # fmt: skip
    if number == 0:
        made.save(folder / "learned")


def _say_nothing(_: str) -> None:
    """The first process tells."""


__all__ = ["fit_in_processes", "work"]
