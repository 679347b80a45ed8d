"""How fast graphs are sampled and learned from, beside PyG: ``python -m benchmarks.graph_speed``.

Layers: one training step (forward and backward) of two layers on Tolokers, found through MARIGRAM_DATA: 11,758 nodes,
1.04 million directed edges, 10 features, width 32. The rivals have the same weights, and the loss is compared first.
They take turns, and each keeps its least CPU time, on one thread: a shared machine then disturbs all alike.

Sampler: two hops of ten neighbours around 1,024 seeds, in CPU time of one core, on Tolokers and on a random graph of
1 million nodes and 10 million edges.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from marigram.graph.csr import CSR
from marigram.graph.layers import GatConv, GcnConv, GraphBatch, HgtConv, SageConv
from marigram.graph.messages import Adjacency
from marigram.graph.sampler import NeighbourSampler

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # PyG uses torch.jit
    from torch_geometric import EdgeIndex
    from torch_geometric.nn import GATConv, GCNConv, HGTConv, SAGEConv

WIDTH, HEADS, SEEDS, FANOUTS = 32, 4, 1024, [10, 10]
KIND = ("n", "to", "n")
Step = Callable[[], float]


def tolokers() -> tuple[Tensor, np.ndarray[Any, Any]]:
    """Features (n, 10), standardised, and edges (2, E), both ways."""
    folder = os.environ.get("MARIGRAM_DATA")
    if not folder:
        sys.exit("set MARIGRAM_DATA to the folder of the data sets")
    data = np.load(Path(folder, "tolokers", "tolokers.npz"))
    x, edges = data["x"].astype(np.float32), data["edge_index"].astype(np.int64)
    x = (x - x.mean(0)) / (x.std(0) + 1e-6)
    return torch.from_numpy(x), np.concatenate([edges, edges[::-1]], axis=1)


def step_of(layers: nn.ModuleList, apply: Callable[[nn.Module, Tensor], Tensor], x: Tensor) -> Step:
    """One forward and backward pass; returns the loss."""

    def step() -> float:
        layers.zero_grad()
        hidden = x
        for number, layer in enumerate(layers):
            hidden = apply(layer, hidden)
            if number + 1 < len(layers):
                hidden = hidden.relu()
        loss = hidden.square().mean()
        loss.backward()
        return loss.item()

    return step


def sage(x: Tensor, edges: Tensor, adjacency: Adjacency) -> dict[str, Step]:
    """GraphSAGE with the mean."""
    sizes = [(x.shape[1], WIDTH), (WIDTH, WIDTH)]
    ours = nn.ModuleList(SageConv(a, a, b) for a, b in sizes)
    theirs = nn.ModuleList(SAGEConv(a, b) for a, b in sizes)
    for mine, other in zip(ours, theirs, strict=True):
        other.lin_l.load_state_dict(mine.neighbours.state_dict())
        other.lin_r.load_state_dict(mine.self_.state_dict())
    index = EdgeIndex(edges, sparse_size=(len(x), len(x))).sort_by("col").values
    index.fill_cache_()
    return {
        "marigram": step_of(ours, lambda layer, h: layer(h, h, adjacency), x),
        "PyG edge_index": step_of(theirs, lambda layer, h: layer(h, edges), x),
        "PyG EdgeIndex": step_of(theirs, lambda layer, h: layer(h, index), x),
    }


def gcn(x: Tensor, edges: Tensor, adjacency: Adjacency) -> dict[str, Step]:
    """GCN."""
    sizes = [(x.shape[1], WIDTH), (WIDTH, WIDTH)]
    ours = nn.ModuleList(GcnConv(a, b) for a, b in sizes)
    theirs = nn.ModuleList(GCNConv(a, b, cached=True) for a, b in sizes)
    for mine, other in zip(ours, theirs, strict=True):
        other.lin.weight.data = mine.weight.data.t()
    return {
        "marigram": step_of(ours, lambda layer, h: layer(h, adjacency), x),
        "PyG edge_index": step_of(theirs, lambda layer, h: layer(h, edges), x),
    }


def gat(x: Tensor, edges: Tensor, adjacency: Adjacency) -> dict[str, Step]:
    """GAT with four heads."""
    sizes = [(x.shape[1], WIDTH), (WIDTH, WIDTH)]
    ours = nn.ModuleList(GatConv(a, b, HEADS) for a, b in sizes)
    theirs = nn.ModuleList(
        GATConv(a, b // HEADS, HEADS, add_self_loops=False, residual=True) for a, b in sizes
    )
    for mine, other in zip(ours, theirs, strict=True):
        other.lin.load_state_dict(mine.project.state_dict())
        other.att_src.data, other.att_dst.data = mine.to_sender.data[None], mine.to_receiver.data[None]
        other.res.weight.data, other.bias.data = mine.keep.weight.data, mine.keep.bias.data
    return {
        "marigram": step_of(ours, lambda layer, h: layer(h, h, adjacency), x),
        "PyG edge_index": step_of(theirs, lambda layer, h: layer(h, edges), x),
    }


def hgt(x: Tensor, edges: Tensor, adjacency: Adjacency) -> dict[str, Step]:
    """HGT with four heads, one node type and one relation, on inputs of full width."""
    x = torch.cat([x, x, x, x], dim=1)[:, :WIDTH]
    batch = GraphBatch({"n": x}, {KIND: adjacency.csr}, "n")
    ours = nn.ModuleList(HgtConv(WIDTH, ["n"], [KIND], HEADS) for _ in range(2))
    theirs = nn.ModuleList(HGTConv(WIDTH, WIDTH, (["n"], [KIND]), HEADS) for _ in range(2))
    for mine, other in zip(ours, theirs, strict=True):
        other.kqv_lin.lins["n"].load_state_dict(mine.kqv[0].state_dict())
        other.out_lin.lins["n"].load_state_dict(mine.out[0].state_dict())
        other.k_rel.weight.data, other.v_rel.weight.data = mine.key_maps.data[0], mine.value_maps.data[0]
    return {
        "marigram": step_of(ours, lambda layer, h: layer({"n": h}, batch)["n"], x),
        "PyG edge_index": step_of(theirs, lambda layer, h: layer({"n": h}, {KIND: edges})["n"], x),
    }


def race(steps: dict[str, Step], rounds: int) -> dict[str, float]:
    """Least CPU milliseconds of each, taking turns; the losses must agree."""
    losses = [step() for step in steps.values()]
    if not np.allclose(losses, losses[0], rtol=1e-4):
        sys.exit(f"the rivals do not compute the same: {losses}")
    least = dict.fromkeys(steps, np.inf)
    for _ in range(rounds):
        for name, step in steps.items():
            start = time.process_time()
            step()
            least[name] = min(least[name], 1e3 * (time.process_time() - start))
    return least


def sampled(csr: CSR, timed: bool, rounds: int) -> float:
    """Most million edges a CPU second over the rounds."""
    rng = np.random.default_rng(0)
    sampler = NeighbourSampler({KIND: csr}, FANOUTS)
    best = 0.0
    for epoch in range(rounds + 1):
        sampler.epoch = epoch
        seeds = rng.integers(0, csr.rows, SEEDS)
        times = rng.integers(0, 10**9, SEEDS) if timed else None
        start = time.process_time()
        found = sampler.sample("n", seeds, times)
        spent = time.process_time() - start
        if epoch:  # the first compiles
            best = max(best, len(found.slots[KIND]) / spent / 1e6)
    return best


def random_relation(nodes: int, edges: int, timed: bool) -> CSR:
    """Edges between nodes drawn uniformly."""
    rng = np.random.default_rng(0)
    ends = rng.integers(0, nodes, (2, edges), dtype=np.int32)
    return CSR.build(*ends, (nodes, nodes), np.sort(rng.integers(0, 10**9, edges)) if timed else None)


def main(arguments: list[str]) -> None:
    """Print both tables, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each rival")
    parser.add_argument("--json", action="store_true", help="print figures alone")
    chosen = parser.parse_args(arguments)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, edges = tolokers()
    adjacency = Adjacency(CSR.build(edges[1], edges[0], (len(x), len(x))))
    lists = torch.from_numpy(np.ascontiguousarray(edges))
    steps = {make.__name__: race(make(x, lists, adjacency), chosen.rounds) for make in (sage, gcn, gat, hgt)}
    rates = {
        "tolokers": sampled(adjacency.csr, False, chosen.rounds),
        "1M nodes, 10M edges": sampled(random_relation(10**6, 10**7, False), False, chosen.rounds),
        "the same, with times": sampled(random_relation(10**6, 10**7, True), True, chosen.rounds),
    }
    torch.set_num_threads(threads)
    if chosen.json:
        print(json.dumps({"step_ms": steps, "sampled_millions_a_second": rates}))
        return
    print(
        "| step of 2 layers, CPU ms | marigram | PyG edge_index | PyG EdgeIndex | ratio |\n|---|---:|---:|---:|---:|"
    )
    for name, times in steps.items():
        cells = [times.get(rival) for rival in ("marigram", "PyG edge_index", "PyG EdgeIndex")]
        shown = " | ".join("" if cell is None else f"{cell:.1f}" for cell in cells)
        print(f"| {name} | {shown} | {times['PyG edge_index'] / times['marigram']:.1f} |")
    print("\n| sampler, 2 hops of 10, million edges a CPU second | |\n|---|---:|")
    for name, rate in rates.items():
        print(f"| {name} | {rate:.1f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
