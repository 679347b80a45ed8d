"""One network, learned by several processes on this machine, which share the graph by mapping its file.

The graph, the nodes to learn from and the network as it begins are written to a folder; every process is a new
interpreter that reads them, and the first one writes what was learned.
"""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from marigram import snapshots
from marigram.graph.data.mapped import open_mapped
from marigram.graph.detectors.jobs import Arrays, Job, Packed
from marigram.graph.distributed.launching import run_processes
from marigram.graph.distributed.peers import Peers
from marigram.graph.networks.training import Training, TrainingSettings, train_network

if TYPE_CHECKING:
    from marigram.graph.detectors.neural import NetworkScorer

_KIND = "network"


def learn_in_processes(
    job: Job, begun: NetworkScorer, settings: TrainingSettings, *, stops: bool
) -> tuple[NetworkScorer, Training]:
    """Teach a network in ``settings.processes`` processes.

    Parameters
    ----------
    job
        Whose nodes are learned from.
    begun
        The network as it begins, and how it sees the graph.
    settings
        How it learns.
    stops
        Whether validation tells when to stop.

    Raises
    ------
    InputError
        A process ended before its time; with the last it said.
    """
    with tempfile.TemporaryDirectory(prefix="marigram-") as name:
        folder = Path(name)
        job.graph.save_mapped(folder / "graph.mg")
        _write(folder / "begun.mg", begun.packed(), {"training": asdict(settings), "stops": stops})
        arrays: Arrays = {
            "labels": job.labels,
            "weights": job.weights,
            "train": job.train,
            "valid": job.valid,
        }
        snapshots.save(folder / "job.mg", "job", {}, arrays)
        run_processes("network", folder, settings.processes)
        packed, meta = _read(folder / "learned.mg")
    told = meta["done"]
    done = Training(
        told["epoch"], _number(told["average_precision"]), tuple(told["losses"]),
        tuple(map(_number, told["validation"])),
    )  # fmt: skip
    return type(begun).unpacked(packed), done


def work(folder: Path, number: int, count: int) -> None:
    """Be process ``number``, from 0, of ``count``."""
    from marigram.graph.detectors.neural import NetworkScorer

    graph = open_mapped(folder / "graph.mg")
    _, arrays = snapshots.load(folder / "job.mg", "job")
    packed, meta = _read(folder / "begun.mg")
    scorer = NetworkScorer.unpacked(packed)
    source = scorer.sight.source(graph, scorer.network.settings)
    with Peers.met(folder / "meeting", number, count) as peers:
        done = train_network(
            scorer.network,
            source,
            arrays["labels"],
            arrays["train"],
            arrays["valid"] if meta["stops"] else None,
            weights=arrays["weights"],
            settings=TrainingSettings(**meta["training"]),
            peers=peers,
        )
    if number == 0:
        told = {name: _plain(value) for name, value in asdict(done).items()}
        _write(folder / "learned.mg", scorer.packed(), {"done": told})


def _write(path: Path, packed: Packed, more: dict[str, Any]) -> None:
    meta = {"packed": msgspec.to_builtins(packed.meta), **more}
    snapshots.save(path, _KIND, meta, {name: np.asarray(array) for name, array in packed.arrays.items()})


def _read(path: Path) -> tuple[Packed, dict[str, Any]]:
    meta, arrays = snapshots.load(path, _KIND)
    return Packed(meta["packed"], arrays, {}), meta


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and value != value else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


__all__ = ["learn_in_processes", "work"]
