"""The optimiser is torch's, whatever part of the parameters a step uses."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from marigram.graph.adamw import AdamW, set_generator


def modules() -> tuple[nn.ModuleList, nn.ModuleList]:
    torch.manual_seed(0)
    one = nn.ModuleList(nn.Linear(3, 2) for _ in range(4))
    other = nn.ModuleList(nn.Linear(3, 2) for _ in range(4))
    other.load_state_dict(one.state_dict())
    return one, other


def loss(module: nn.ModuleList, step: int, used: list[int]) -> torch.Tensor:
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(step))
    return torch.stack([(module[k](x) ** 2).sum() for k in used]).sum()


@pytest.mark.parametrize("clip", [0.5, 1e9])
def test_it_takes_the_steps_of_torchs(clip: float) -> None:
    """Some steps use some modules alone: the others, their moments and their count of steps stay."""
    ours, theirs = modules()
    taken = AdamW(list(ours.parameters()), decay=0.1, clip=clip)
    wanted = torch.optim.AdamW(theirs.parameters(), weight_decay=0.1)
    parts = [[0, 1, 2, 3], [1], [0, 3], [2, 3], [0, 1, 2, 3], [1, 2], [0, 1, 2, 3]]
    for step, used in enumerate(3 * parts):
        rate = 0.1 / (1 + step)
        taken.forget()
        loss(ours, step, used).backward()
        taken.step(rate)
        wanted.zero_grad()
        loss(theirs, step, used).backward()
        clip_grad_norm_(theirs.parameters(), clip)
        wanted.param_groups[0]["lr"] = rate
        wanted.step()
        for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_a_step_without_gradients_changes_nothing() -> None:
    ours, theirs = modules()
    optimiser = AdamW(list(ours.parameters()), decay=0.1, clip=1.0)
    optimiser.step(0.1)
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
    AdamW([], decay=0.1, clip=1.0).step(0.1)


def test_the_generator_is_seeded_as_torch_does() -> None:
    torch.manual_seed(7)
    wanted = torch.rand(3)
    set_generator(7, "cpu")
    assert torch.equal(torch.rand(3), wanted)
