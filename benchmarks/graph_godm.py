"""Learning speed beside the published code: ``python -m benchmarks.graph_godm --godm FOLDER``.

godm 0.1.0, the published code of "Graph Diffusion Models for Anomaly Detection" (K. Liu et al.), does not run on
current releases of what it needs: FOLDER holds a copy of the package with four things repaired. Its division into
clusters asks for compiled parts that are not on PyPI (pymetis gives such a partition); the signature of a message
function is outdated; two files are loaded in a way that torch refuses; a scheduler has an argument that is gone.

Both learn from the same graph, one after the other, several times, in one process with one thread. What counts is the
processor's time for 10,000 nodes visited. A node is visited once for each batch that holds it: in godm's clusters all
nodes once in each epoch; in ours a batch of the encoder holds seeds, of which the loss is, and the sampled nodes around
them, and one of the decoders 256 nodes (their partners, eight times as many, are not counted). Told are the time for
10,000 of all of them, for 10,000 of the encoder's and denoiser's batches alone, the decoders' time included as if they
visited none, and for 10,000 seeds. Stages: the autoencoder with its decoders, and the denoiser.
Ours is measured as it is by default, and in the published design (means over 2 hops, linear decoders).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from marigram import graph as mgg
from marigram.graph.encoder import training
from marigram.graph.layers import GraphBatch

OURS: dict[str, dict[str, Any]] = {
    "ours, default": {},
    "ours, published design": {"encoder": "sage", "hops": 2, "linear": True, "isolated": True, "latent": 16},
}


class Counted:
    """Counts what the batches of the autoencoder hold."""

    def __init__(self) -> None:
        self.seeds = self.nodes = 0
        self._shells = training.shells_of

    def __enter__(self) -> Counted:
        def counted(*given: Any, **named: Any) -> list[GraphBatch]:
            found = self._shells(*given, **named)
            self.seeds += found[0].seeds
            self.nodes += sum(len(x) for x in found[0].features.values())
            return found

        training.shells_of = counted
        return self

    def __exit__(self, *_: object) -> None:
        training.shells_of = self._shells


def ours(data: mgg.Graph, budget: float, how: dict[str, Any]) -> dict[str, float]:
    """Seconds for 10,000 nodes of each stage."""
    begun, stages = time.process_time(), dict[str, float]()

    def tell(stage: str) -> None:
        stages[stage] = time.process_time() - begun

    with Counted() as counted:
        fitted = mgg.Synthesizer(budget=budget, threads=1, device="cpu", **how).fit(data, tell=tell)
    ends = [*stages.values(), time.process_time() - begun]
    auto, decoders, denoiser = np.diff(ends)
    traces = {trace["stage"]: trace["last"] for trace in fitted.report["stages"]}
    rows, decoded = 256 * traces["denoiser"], 256 * traces["decoders"]
    return {
        "autoencoder, nodes": 1e4 * (auto + decoders) / (counted.nodes + decoded),
        "autoencoder, seeds": 1e4 * (auto + decoders) / (counted.seeds + decoded),
        "denoiser": 1e4 * denoiser / rows,
        "both, nodes": 1e4 * (auto + decoders + denoiser) / (counted.nodes + decoded + rows),
        "both, decoders' not counted": 1e4 * (auto + decoders + denoiser) / (counted.nodes + rows),
    }


def theirs(godm: Any, data: mgg.Graph, epochs: int) -> dict[str, float]:
    """The same of the published code; it writes into the folder it is in."""
    from torch_geometric.data import Data

    found = data.to_pyg()
    plain = Data(x=found.x.nan_to_num(), y=found.y.clamp(min=0), edge_index=found.edge_index)
    for part in ("train_mask", "val_mask", "test_mask"):
        plain[part] = found[part].reshape(len(plain.x), -1)[:, 0]
    moments = dict[str, float]()
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        model = godm.GODM(name="speed", vae_epochs=epochs, diff_epochs=epochs, gen_nodes=100, device=-1)
        for stage in ("train_ae", "train_dm"):
            setattr(model, stage, _timed(getattr(model, stage), stage, moments))
        model.forward(plain)
        os.chdir(before)
    visited = epochs * data.nodes[data.labelled_types[0]].count
    return {
        "autoencoder, nodes": 1e4 * moments["train_ae"] / visited,
        "denoiser": 1e4 * moments["train_dm"] / visited,
        "both, nodes": 1e4 * sum(moments.values()) / (2 * visited),
    }


def _timed(work: Any, stage: str, moments: dict[str, float]) -> Any:
    def run(*given: Any) -> None:
        begun = time.process_time()
        work(*given)
        moments[stage] = time.process_time() - begun

    return run


def main(arguments: list[str]) -> None:
    """Measure in turn, and print medians as one line of JSON."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--godm", type=Path, required=True, help="folder that holds the repaired package")
    parser.add_argument(
        "--data", type=Path, required=True, help="a graph of one node type, like tolokers.npz"
    )
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--budget", type=float, default=0.1)
    chosen = parser.parse_args(arguments)
    sys.path.insert(0, str(chosen.godm.resolve()))
    import godm

    torch.set_num_threads(1)
    data = mgg.load(chosen.data)
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(chosen.times):
        found.setdefault("godm 0.1.0", []).append(theirs(godm, data, chosen.epochs))
        for name, how in OURS.items():
            found.setdefault(name, []).append(ours(data, chosen.budget, how))
        print(json.dumps({name: runs[-1] for name, runs in found.items()}), file=sys.stderr, flush=True)
    medians = {
        name: {key: round(float(np.median([run[key] for run in runs])), 3) for key in runs[0]}
        for name, runs in found.items()
    }
    print(json.dumps(medians))


if __name__ == "__main__":
    main(sys.argv[1:])
