"""Learning that was broken off goes on, and ends with the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from marigram.errors import ParameterError, SnapshotError
from marigram.graph.optimise import Checkpoint, Plan, even_shares, optimise


class BrokenOffError(Exception):
    pass


def learned(
    checkpoint: Checkpoint, stop: int | None = None, **plan: int
) -> tuple[list[torch.Tensor], object]:
    torch.manual_seed(5)
    module = nn.Linear(3, 1)

    def loss(step: int) -> torch.Tensor:
        if step == stop:
            raise BrokenOffError
        x = torch.randn(8, 3)
        return ((module(x) - x.sum(1, keepdim=True)) ** 2).mean()

    def held_out() -> float:
        x = torch.randn(50, 3)
        return float(((module(x) - x.sum(1, keepdim=True)) ** 2).mean())

    settings = {"stage": "line", "steps": 60, "rate": 0.05, "check": 7, "seed": 1, **plan}
    trace = optimise(module, loss, held_out, Plan(**settings), checkpoint)  # type: ignore[arg-type]
    return [p.detach().clone() for p in module.parameters()], trace.as_dict()


@pytest.mark.parametrize("stop", [0, 6, 7, 30, 59])
def test_a_broken_run_goes_on_to_the_same_bits(stop: int, tmp_path: Path) -> None:
    whole = learned(Checkpoint(None, {}))
    about = {"seed": 1}
    with pytest.raises(BrokenOffError):
        learned(Checkpoint(tmp_path, about), stop)
    weights, trace = learned(Checkpoint(tmp_path, about))
    assert trace == whole[1]
    for one, other in zip(whole[0], weights, strict=True):
        assert torch.equal(one, other)
    again, _ = learned(Checkpoint(tmp_path, about), stop=0)  # what is finished is not done again
    assert all(torch.equal(one, other) for one, other in zip(weights, again, strict=True))


def test_a_checkpoint_of_other_data_or_settings_is_refused(tmp_path: Path) -> None:
    learned(Checkpoint(tmp_path, {"seed": 1}))
    with pytest.raises(SnapshotError, match="other data or settings"):
        learned(Checkpoint(tmp_path, {"seed": 2}))


def test_it_ends_with_the_best_weights_and_stops_when_nothing_gets_better() -> None:
    values = iter([5.0, 3.0, 4.0, 6.0, 7.0, 8.0, 9.0])
    module = nn.Linear(1, 1)
    seen = []

    def held_out() -> float:
        seen.append(module.weight.detach().clone())
        return next(values)

    plan = Plan(stage="s", steps=100, check=2, patience=3)
    trace = optimise(
        module, lambda _: module(torch.ones(1, 1)).sum() ** 2, held_out, plan, Checkpoint(None, {})
    )
    assert (trace.best, trace.last, trace.done) == (4, 10, True)
    assert torch.equal(module.weight, seen[1])


def test_divergence_is_said() -> None:
    module = nn.Linear(1, 1)
    plan = Plan(stage="s", steps=4, check=2)
    with pytest.raises(ParameterError, match="diverged"):
        optimise(
            module, lambda _: module(torch.ones(1, 1)).sum() * torch.inf, None, plan, Checkpoint(None, {})
        )


def test_rare_classes_are_drawn_more_often_but_within_bounds() -> None:
    marks = np.stack([np.repeat([0, 1], [900, 100]), np.zeros(1000, np.int64)])
    shares = even_shares(marks)
    assert shares[:900].max() == 1
    np.testing.assert_allclose(shares[900:].sum(), 1000 / 6, rtol=1e-5)
    one = np.stack([np.repeat([0, 1], [9999, 1]), np.zeros(10_000, np.int64)])
    assert even_shares(one)[-1] == 50
