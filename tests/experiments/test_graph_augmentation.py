"""The harness of the augmentation tables: cells that survive a kill, and what is counted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from experiments.graph_augmentation.cells import Cells
from experiments.graph_augmentation.comparing import (
    best_means,
    difference,
    holm,
    not_below,
    wins_and_losses,
)


def table(**gains: float) -> dict[str, dict[int, dict[str, float]]]:
    """Ten seeds of each method, so much above a common run of luck."""
    rng = np.random.default_rng(0)
    luck, own = rng.normal(0.4, 0.05, 10), rng.normal(0, 0.001, (len(gains), 10))
    return {
        name: {s: dict.fromkeys(("auc", "ap", "recall"), luck[s] + gain + own[i, s]) for s in range(10)}
        for i, (name, gain) in enumerate(gains.items())
    }


def test_a_cell_cut_by_a_kill_is_measured_again(tmp_path: Path) -> None:
    cells = Cells("toy", "20", "trees", tmp_path)
    cells.add({"kind": "none", "seed": 0, "ap": 0.5})
    cells.add({"kind": "none", "seed": 1, "ap": 0.6})
    cells.path.write_text(cells.path.read_text()[:-5])
    assert cells.has("none", 0)
    assert not cells.has("none", 1)
    cells.add({"kind": "none", "seed": 1, "ap": 0.7})
    assert [cell["ap"] for cell in cells.read()] == [0.5, 0.7]


@pytest.mark.parametrize(
    ("p", "rejected"),
    [
        ([0.01, 0.04, 0.03], [True, False, False]),
        ([0.01, 0.02, 0.03], [True, True, True]),
        ([0.06], [False]),
        ([], []),
    ],
)
def test_holm_steps_down(p: list[float], rejected: list[bool]) -> None:
    assert holm(p) == rejected


def test_pairs_take_the_luck_of_a_split_away() -> None:
    found = difference(table(none=0.0, ours=0.01), "ours", "none", "ap")
    assert found.points.low > 0.8
    assert found.points.high < 1.2
    assert found.p < 1e-6
    assert difference(table(none=0.0), "ours", "none", "ap").seeds == 0


def test_wins_losses_and_best_means_are_counted_over_graphs_and_figures() -> None:
    tables = {"a": table(none=0.0, ours=0.02, other=0.01), "b": table(none=0.0, ours=-0.02, other=0.0)}
    assert wins_and_losses(tables, "ours", "none") == (3, 0, 3)
    assert best_means(tables, ["ours", "other"]) == {"ours": 3, "other": 3}
    assert not_below(tables, "ours", ["none", "other"]) == 3
