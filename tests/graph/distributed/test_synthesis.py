"""A synthesizer learned by two processes is the one that a single process learns, also after a crash."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from tests.graph.synthesis.graphs import payments
from torch import nn

from marigram import graph as mgg
from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.graph.decoders.files import NAME, VERSION
from marigram.graph.distributed.team import Team
from marigram.graph.optimise import Checkpoint, Plan, mixed, optimise
from marigram.graph.tensorfiles import load_tensors

QUICK: dict[str, Any] = {"budget": 0.03, "hops": 2, "width": 16, "latent": 16, "batches": 2}


def arrays(fitted: mgg.Synthesizer, folder: Path) -> dict[str, np.ndarray]:
    fitted.save(folder)
    return load_tensors(folder / NAME, "synthesizer", VERSION)[1]


def kill_one(once: Path) -> None:
    """Kill the second learning process as soon as a file is there."""
    while not once.exists():
        time.sleep(0.01)
    mine = psutil.Process().children()
    next(one for one in mine if one.cmdline()[-2:] == ["1", "2"]).kill()


@pytest.mark.slow
def test_two_processes_learn_the_bits_of_one_and_go_on_after_kill_9(tmp_path: Path) -> None:
    one = arrays(mgg.Synthesizer(**QUICK).fit(payments()), tmp_path / "one")
    kept, stages = tmp_path / "kept", []
    killer = threading.Thread(target=kill_one, args=[kept / "autoencoder.safetensors"])
    killer.start()
    with pytest.raises(InputError, match="learning process 2 was ended by signal 9"):
        mgg.Synthesizer(**QUICK).fit(payments(), processes=2, checkpoint=kept)
    killer.join()
    assert not (kept / "denoiser.safetensors").exists()
    again = mgg.Synthesizer(**QUICK).fit(payments(), processes=2, checkpoint=kept, tell=stages.append)
    assert stages == ["autoencoder", "decoders", "denoiser"]
    two = arrays(again, tmp_path / "two")
    assert two.keys() == one.keys()
    for name, found in two.items():
        np.testing.assert_array_equal(found, one[name], name)


def learned(team: Team, steps: int = 30) -> torch.Tensor:
    torch.manual_seed(3)
    module = nn.Linear(3, 1)

    def loss(number: int) -> torch.Tensor:
        rows = torch.randn(16, 3) + number % 2
        return ((module(rows) - rows.sum(1, keepdim=True)) ** 2).mean()

    plan = Plan(stage="line", steps=steps, rate=0.05, check=5)
    optimise(module, loss, None, plan, Checkpoint(None, {}, team))
    return module.weight.detach()


def test_a_step_of_several_batches_has_the_mean_of_their_gradients() -> None:
    """By hand: plain gradients of batches 0 and 1, clipped, given to the same optimiser."""
    torch.manual_seed(3)
    module, plan = nn.Linear(3, 1), Plan(stage="line", steps=1, rate=0.05)
    optimiser = torch.optim.AdamW(module.parameters(), plan.rate, weight_decay=plan.decay)
    parts = []
    for number in (0, 1):
        torch.manual_seed(mixed(0, "line", number))
        rows = torch.randn(16, 3) + number
        parts.append(((module(rows) - rows.sum(1, keepdim=True)) ** 2).mean())
    (sum(parts) / 2).backward()  # type: ignore[union-attr]
    nn.utils.clip_grad_norm_(module.parameters(), plan.clip)
    optimiser.step()
    torch.testing.assert_close(learned(Team(2), steps=1), module.weight.detach(), rtol=1e-6, atol=1e-7)
    assert not torch.equal(learned(Team(2)), learned(Team(1)))


class Others:
    """The first of two processes, the other one of which says what it is told to."""

    number, count = 0, 2

    def __init__(self, *said: int) -> None:
        self.said = iter(said)

    def all_of(self, number: int) -> list[int]:
        return [number, next(self.said, number)]

    def wrapped(self, module: nn.Module) -> nn.Module:
        return module

    def total(self, value: float) -> float:
        return value


def test_processes_that_disagree_are_told_apart() -> None:
    with pytest.raises(InputError, match=r"processes 1 and 2 disagree: they have other data or settings"):
        learned(Team(2, Others(7)))  # type: ignore[arg-type]
    team = Team(2, Others())  # type: ignore[arg-type]
    team.agree("nothing", b"same")
    team.peers.said = iter([7])  # type: ignore[union-attr, assignment]
    with pytest.raises(InputError, match="other weights in stage 'line'"):
        team.agree_on_weights("line", nn.Linear(1, 1))


def test_shares_are_checked() -> None:
    with pytest.raises(ParameterError, match=r"processes .* divides batches \(1\), got 2"):
        mgg.Synthesizer().fit(payments(), processes=2)
    with pytest.raises(ParameterError, match="batches must be an integer from 1 to"):
        mgg.Synthesizer(batches=0)
    with pytest.raises(ParameterError, match="batches"):
        Team(0)


def test_a_checkpoint_is_of_as_many_batches(tmp_path: Path) -> None:
    mgg.Synthesizer(**QUICK | {"budget": 0.002}).fit(payments(), checkpoint=tmp_path)
    with pytest.raises(SnapshotError, match="other data or settings"):
        mgg.Synthesizer(**QUICK | {"budget": 0.002, "batches": 1}).fit(payments(), checkpoint=tmp_path)
