"""Decoders: what they learn has the law of what they saw; partners are chosen as their scores say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.graph.decoders import MixedDecoder
from marigram.graph.decoders.structure import PartnerDecoder, calibrated, draw_partners, slots_of


def taught(codes: np.ndarray, context: torch.Tensor, steps: int = 90) -> MixedDecoder:
    torch.manual_seed(0)
    sizes = (codes.max(0) + 1).tolist()
    decoder = MixedDecoder(sizes, context.shape[1], hidden=32)
    optimiser = torch.optim.Adam(decoder.parameters(), 1e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        decoder.loss(context, torch.from_numpy(codes)).mean().backward()
        optimiser.step()
    return decoder


def test_columns_are_drawn_jointly_and_as_the_context_says() -> None:
    """x_1 is fair, x_2 = x_1 where the context is 1 and its opposite elsewhere, x_3 is of three in shares 1 : 2 : 3."""
    rng = np.random.default_rng(0)
    told = rng.integers(0, 2, 600)
    first = rng.integers(0, 2, 600)
    codes = np.stack(
        [first, np.where(told == 1, first, 1 - first), rng.choice(3, 600, p=[1 / 6, 1 / 3, 1 / 2])], axis=1
    )
    context = torch.from_numpy(told[:, None].astype(np.float32))
    decoder = taught(codes, context)
    drawn = decoder.draw(context.repeat(5, 1), rng)
    again = np.tile(told, 5)
    assert abs(drawn[:, 0].mean() - first.mean()) < 5 * np.sqrt(
        0.25 / 3000
    )  # calibrated: five standard errors
    assert ((drawn[:, 0] == drawn[:, 1]) == (again == 1)).mean() > 0.98
    for value in range(3):
        share = (codes[:, 2] == value).mean()
        assert abs((drawn[:, 2] == value).mean() - share) < 5 * np.sqrt(0.25 / 3000) + 0.01


def test_the_loss_is_the_law_that_is_drawn_from() -> None:
    """Over all classes of all parts exp(-loss) sums to 1, chained or not."""
    torch.manual_seed(1)
    decoder = MixedDecoder([2, 3, 1, 2], 2, hidden=8)
    every = np.stack(np.meshgrid(*map(np.arange, decoder.sizes), indexing="ij"), axis=-1).reshape(-1, 4)
    context = torch.randn(1, 2).expand(len(every), 2)
    for chained in (True, False):
        decoder.chained = chained
        law = (-decoder.loss(context, torch.from_numpy(every))).exp().detach().numpy()
        assert abs(law.sum() - 1) < 1e-5
        drawn = decoder.draw(context[:1].expand(4000, 2), np.random.default_rng(0))
        for row, share in zip(every, law, strict=True):
            assert abs((drawn == row).all(1).mean() - share) < 5 * np.sqrt(share / 4000) + 1e-3


def test_partners_come_without_repetition_by_their_scores() -> None:
    """One partner of each node has the law softmax(scores); more are all different."""
    rng = np.random.default_rng(0)
    pool = rng.normal(size=(6, 3)).astype(np.float32)
    query = np.tile(rng.normal(size=(1, 3)).astype(np.float32), (6000, 1))
    nodes, chosen = draw_partners(query, np.ones(6000, np.int64), pool, rng)
    law = np.exp(query[0] @ pool.T)
    law /= law.sum()
    np.testing.assert_array_equal(nodes, np.arange(6000))
    assert (np.abs(np.bincount(chosen, minlength=6) / 6000 - law) < 5 * np.sqrt(0.25 / 6000)).all()
    counts = np.array([0, 3, 6, 99])
    nodes, chosen = draw_partners(query[:4], counts, pool, rng)
    np.testing.assert_array_equal(np.bincount(nodes, minlength=4), [0, 3, 6, 6])
    assert len(set(zip(nodes.tolist(), chosen.tolist(), strict=True))) == len(nodes)


def test_the_loss_of_partners_is_a_softmax_over_all_and_nearly_so_over_a_sample() -> None:
    torch.manual_seed(0)
    query, keys = torch.randn(20, 5) / 2, torch.randn(3000, 5) / 2
    right = torch.randint(3000, (20, 4))
    whole = PartnerDecoder.loss(query, keys[right], keys, 3000)
    slow = -torch.log_softmax(query @ keys.t(), dim=1).gather(1, right).mean(1)
    torch.testing.assert_close(whole, slow)
    sampled = torch.stack(
        [PartnerDecoder.loss(query, keys[right], keys[torch.randperm(3000)[:500]], 3000) for _ in range(30)]
    )
    assert float((sampled.mean(0) - slow).abs().max()) < 0.05


@pytest.mark.parametrize("size", [1.0, 200.0])
def test_the_loss_of_partners_has_the_gradients_of_its_formula(size: float) -> None:
    torch.manual_seed(0)
    tensors = [size * torch.randn(shape, dtype=torch.float32) for shape in ((7, 5), (7, 3, 5), (20, 5))]
    found = []
    for formula in (False, True):
        query, right, pool = (t.clone().requires_grad_() for t in tensors)
        if formula:
            true = torch.einsum("nk,njk->nj", query, right)
            total = torch.logsumexp(query @ pool.t(), dim=1, keepdim=True) + np.log(90 / 20)
            loss = (torch.logaddexp(total, true) - true).mean(1)
        else:
            loss = PartnerDecoder.loss(query, right, pool, 90)
        (loss * torch.arange(7)).sum().backward()
        found.append([loss, query.grad, right.grad, pool.grad])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_like_can_join_like() -> None:
    """Two kinds that join their own: a product of both ends learns it, which no sum of both can say."""
    torch.manual_seed(0)
    kinds = torch.eye(2).repeat(30, 1)
    decoder = PartnerDecoder(1, 2, inner=4, hidden=16)
    optimiser = torch.optim.Adam(decoder.parameters(), 1e-2)
    for _ in range(150):
        right = torch.randint(30, (60, 3)) * 2 + (torch.arange(60) % 2)[:, None]
        keys = decoder.key(0, kinds, torch.ones(60))
        loss = PartnerDecoder.loss(decoder.query(0, kinds), keys[right], keys, 60).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        query, keys = decoder.query(0, kinds).numpy(), decoder.key(0, kinds, torch.ones(60)).numpy()
    nodes, chosen = draw_partners(query, np.full(60, 10), keys, np.random.default_rng(0))
    assert (nodes % 2 == chosen % 2).mean() > 0.95


@settings(max_examples=50)
@given(st.integers(2, 60), st.integers(1, 80), st.integers(0, 1000))
def test_calibrated_degrees_have_the_law_of_the_real_ones(n: int, m: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    real, drawn = rng.poisson(5, (n, 2)), rng.poisson(1, (m, 2))
    found = calibrated(drawn, real)
    assert (found >= real.min(0)).all()
    assert (found <= real.max(0)).all()
    for column in range(2):
        order = np.argsort(drawn[:, column], kind="stable")
        assert (np.diff(found[order, column]) >= 0).all()  # who had more has more
        if m >= 40 and n >= 20:
            assert abs(found[:, column].mean() - real[:, column].mean()) < 1


def test_slots_are_drawn_within_each_row() -> None:
    starts, stops = np.array([0, 2, 2, 7]), np.array([2, 2, 7, 8])
    slots = slots_of(starts, stops, np.array([0, 2, 3, 2]), 5, each=200)
    np.testing.assert_array_equal(np.unique(slots[0]), [0, 1])
    np.testing.assert_array_equal(np.unique(slots[1]), [2, 3, 4, 5, 6])
    np.testing.assert_array_equal(np.unique(slots[2]), [7])
