"""Diffusion: the samplers solve what has a known solution, and what is learned has the law of what was seen."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from marigram.errors import ParameterError
from marigram.graph.diffusion import Ddpm, Denoiser, Edm, LatentDiffusion
from marigram.graph.optimise import half_precision

MEANS = torch.tensor([[2.0, 0.0], [-1.0, 1.5]])
SHARES = torch.tensor([0.3, 0.7])
SPREAD = 0.4


def posterior_mean(x: Tensor, sigma: Tensor) -> Tensor:
    """E[y | y + σ n = x] of the mixture: what the best denoiser answers."""
    total = SPREAD**2 + sigma[:, None] ** 2
    logits = SHARES.log() - ((x[:, None] - MEANS) ** 2).sum(-1) / (2 * total)
    weight = logits.softmax(1)
    within = (MEANS * sigma[:, None, None] ** 2 + x[:, None] * SPREAD**2) / total[:, None]
    return (weight[..., None] * within).sum(1)


def mixture_law(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    first = ((x - MEANS[0].numpy()) ** 2).sum(1) < ((x - MEANS[1].numpy()) ** 2).sum(1)
    return first.mean(), x[first].mean(0), x[first].std(0)


@pytest.mark.parametrize("churn", [0.0, 20.0])
def test_heuns_sampler_solves_the_ode_of_a_known_mixture(churn: float) -> None:
    edm = Edm(steps=32, churn=churn)

    def network(x: Tensor, noise: Tensor) -> Tensor:  # F such that D is the posterior mean
        sigma = (4 * noise).exp()
        root = (sigma**2 + 1).sqrt()[:, None]
        scaled = x * root
        return (posterior_mean(scaled, sigma) - scaled / root**2) * root / sigma[:, None]

    generator = torch.Generator().manual_seed(0)
    drawn = edm.sample(network, lambda: torch.randn((6_000, 2), generator=generator)).numpy()
    share, mean, spread = mixture_law(drawn)
    assert (
        abs(share - 0.3) < 5 * np.sqrt(0.21 / 6_000) + 0.005
    )  # five standard errors, and the steps' own error
    np.testing.assert_allclose(mean, MEANS[0], atol=0.05)
    np.testing.assert_allclose(spread, SPREAD, atol=0.05)


def test_the_discrete_process_solves_a_known_mixture() -> None:
    ddpm = Ddpm(steps=120)
    kept = ddpm.kept()

    def network(x: Tensor, level: Tensor) -> Tensor:  # ε from the posterior mean
        a = kept.float()[((level + 1) / 2 * ddpm.steps).round().long()]
        sigma = ((1 - a) / a).sqrt()
        clean = posterior_mean(x / a.sqrt()[:, None], sigma)
        return (x - a.sqrt()[:, None] * clean) / (1 - a).sqrt()[:, None]

    generator = torch.Generator().manual_seed(0)
    share, mean, spread = mixture_law(
        ddpm.sample(network, lambda: torch.randn((6_000, 2), generator=generator)).numpy()
    )
    assert abs(share - 0.3) < 5 * np.sqrt(0.21 / 6_000) + 0.01
    np.testing.assert_allclose(mean, MEANS[0], atol=0.06)
    np.testing.assert_allclose(spread, SPREAD, atol=0.06)


def test_preconditioning_gives_the_network_unit_variance() -> None:
    """Table 1: with data of deviation sigma_data, what goes in and what is to come out have variance 1 at every σ."""
    torch.manual_seed(0)
    edm, asked = Edm(), []
    y = torch.randn(200_000, 1)
    for level in (0.02, 0.5, 3.0, 40.0):
        sigma = torch.full((len(y),), level)
        x = y + sigma[:, None] * torch.randn_like(y)
        edm.denoise(lambda inner, _: asked.append(inner) or torch.zeros_like(inner), x, sigma)
        root = np.sqrt(level**2 + 1)
        wanted = (y - x / root**2) * root / level
        assert abs(float(asked[-1].var()) - 1) < 0.02
        assert abs(float(wanted.var()) - 1) < 0.02


def test_the_loss_is_the_weighted_error_of_the_denoised() -> None:
    """Equation 2, λ |D(y + n; σ) - y|², as it is written, with the draws of the loss."""
    edm, y = Edm(sigma_data=0.7), torch.randn(500, 3)

    def network(x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return (x * noise[:, None]).sin()

    torch.manual_seed(3)
    found = edm.loss(network, y)
    torch.manual_seed(3)
    sigma = (edm.p_mean + edm.p_std * torch.randn(len(y))).exp()
    noised = y + sigma[:, None] * torch.randn_like(y)
    weight = (sigma**2 + edm.sigma_data**2) / (sigma * edm.sigma_data) ** 2
    wanted = weight * ((edm.denoise(network, noised, sigma) - y) ** 2).mean(1)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_the_denoiser_is_told_class_and_type() -> None:
    torch.manual_seed(0)
    net, x, level = Denoiser(2, types=3, hidden=8), torch.randn(9, 2), torch.zeros(9)
    torch.nn.init.normal_(net.out.weight)
    classes, types = torch.arange(9) // 3, torch.arange(9) % 3
    told = []
    net.blocks[0].register_forward_pre_hook(lambda _, given: told.append(given[0]))
    net(x, level, classes, types)
    waves = torch.cat([torch.zeros(9, 32), torch.ones(9, 32)], dim=1)
    wanted = net.into(x) + net.noise(waves) + net.classes(classes) + net.types(types)
    torch.testing.assert_close(told[0], wanted)


def test_the_last_levels_are_a_share_of_the_steps() -> None:
    edm = Edm(steps=20)
    assert len(edm.levels()) == 21
    assert float(edm.levels()[0]) == pytest.approx(80)
    np.testing.assert_array_equal(edm.levels(0.25), edm.levels()[15:])
    assert float(edm.levels()[-1]) == 0


@pytest.mark.parametrize("process", ["edm", pytest.param("ddpm", marks=pytest.mark.slow)])
def test_what_is_learned_is_drawn_class_by_class(process: str) -> None:
    rng = np.random.default_rng(0)
    classes = np.repeat([0, 1], [900, 300])
    vectors = rng.normal(size=(1200, 2)) * 0.3
    vectors[classes == 1] += np.where(rng.random((300, 1)) < 0.3, [3.0, 0.0], [-3.0, 0.0])
    vectors[classes == 0] += [0.0, 4.0]
    model = LatentDiffusion(process=process, training=400, batch=128, hidden=96).fit(
        vectors.astype(np.float32), classes
    )
    drawn = model.sample(2000, 1)
    right = drawn[:, 0] > 0
    assert abs(right.mean() - 0.3) < 0.12
    np.testing.assert_allclose(drawn[right].mean(0), [3, 0], atol=0.5)
    np.testing.assert_allclose(drawn[~right].mean(0), [-3, 0], atol=0.5)
    low, high = np.quantile(drawn[right], [0.25, 0.75], axis=0)
    spread = (high - low) / 1.349  # the deviation of a Gaussian with these quartiles
    assert ((spread > 0.15) & (spread < 0.7)).all()  # 0.3 was seen, the parts are 6 apart
    assert (np.abs(drawn[:, 0]) < 1).mean() < 0.1  # few between the two parts
    assert (np.abs(model.sample(500, 0).mean(0) - [0, 4]) < 0.5).all()
    start = np.tile(np.float32([[3, 0]]), (400, 1))
    near = model.sample(400, 1, real=start, strength=0.2)
    assert (near[:, 0] > 1).mean() > 0.97  # little noise does not reach the other part
    assert (model.sample(400, 1, real=start, strength=1.0)[:, 0] < 0).mean() > 0.4  # all noise forgets


def test_the_same_seed_gives_the_same_bits_and_torch_is_left_alone() -> None:
    vectors = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)
    before = torch.random.get_rng_state()
    one, other = (LatentDiffusion(training=8).fit(vectors, np.zeros(50, int)).sample(5, 0) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not np.array_equal(
        one, LatentDiffusion(training=8, seed=1).fit(vectors, np.zeros(50, int)).sample(5, 0)
    )


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(ParameterError, match="edm"):
        LatentDiffusion(process="vae")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="2 to 10000"):
        LatentDiffusion(steps=1)
    with pytest.raises(ParameterError, match="0 to 1"):
        LatentDiffusion(forget=1.5)
    model = LatentDiffusion(training=1).fit(np.zeros((4, 2), np.float32), np.zeros(4, int))
    with pytest.raises(ParameterError, match="strength"):
        model.sample(1, 0, strength=0)
    with pytest.raises(ParameterError, match="guidance"):
        model.sample(1, 0, guidance=-1)
    with pytest.raises(ParameterError, match="finite"):
        LatentDiffusion(training=1).fit(np.full((4, 2), np.nan, np.float32), np.zeros(4, int))


def test_half_precision_is_for_gpus_alone_and_learns_the_same_law(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the CPU nothing is rounded; where it is, means of 400 draws of deviation 1 stay within .5 of the classes'."""
    x = torch.ones(8, 8)
    with half_precision("cpu"):
        assert (x @ x).dtype == torch.float32
    rounded: list[torch.dtype] = []

    def always(device: str) -> torch.autocast:
        with torch.autocast(device, torch.bfloat16):
            rounded.append((x @ x).dtype)
        return torch.autocast(device, torch.bfloat16)

    monkeypatch.setattr("marigram.graph.diffusion.latent.half_precision", always)
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 400)
    vectors = (rng.normal(size=(400, 2)) + 4 * classes[:, None]).astype(np.float32)
    model = LatentDiffusion(training=300, seed=1).fit(vectors, classes)
    assert set(rounded) == {torch.bfloat16}
    for label in (0, 1):
        np.testing.assert_allclose(
            model.sample(400, label).mean(0), vectors[classes == label].mean(0), atol=0.5
        )
