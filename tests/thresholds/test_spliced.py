"""SplicedBinnedPareto is a law: its density, distribution and quantiles belong together, and it follows the scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from tests.thresholds import laws

import marigram as mg
from marigram.errors import ParameterError, SnapshotError

N = 500
LAWS = {
    "normal": stats.norm(3, 2),
    "heavy": stats.t(3),
    "skewed": stats.expon(),
    "with ends": stats.uniform(),
    "heavier": stats.pareto(1.5),
}
each = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
few = settings(max_examples=10)
seeds = st.integers(0, 10**6)


def make() -> mg.SplicedBinnedPareto:
    return mg.SplicedBinnedPareto(0.1, 60.0, warm_up=40, memory=30, bins=20)


def learned(law, n: int = 20_000, **options) -> mg.SplicedBinnedPareto:
    spliced = mg.SplicedBinnedPareto(**options)
    spliced.update_many(law.rvs(n, random_state=1))
    return spliced


def naive_cdf(spliced: mg.SplicedBinnedPareto, x: np.ndarray) -> np.ndarray:
    """The three pieces, the tails by SciPy."""
    s, q = spliced._states[0], spliced.parameters.tail
    edges = np.linspace(s["low"], s["high"], spliced.parameters.bins + 1)
    masses = np.interp(np.clip(x, s["a"], s["b"]), edges, spliced._cumulative)
    ends = np.interp([s["a"], s["b"]], edges, spliced._cumulative)
    body = q + (1 - 2 * q) * (masses - ends[0]) / (ends[1] - ends[0])
    (xi_l, beta_l), (xi_u, beta_u) = spliced.tails
    lower = q * stats.genpareto(xi_l, scale=beta_l).sf(s["a"] - x)
    upper = 1 - q * stats.genpareto(xi_u, scale=beta_u).sf(x - s["b"])
    return np.where(x < s["a"], lower, np.where(x > s["b"], upper, body))


@each
def test_the_distribution_is_the_three_pieces(law) -> None:
    spliced = learned(law)
    x = np.append(law.rvs(500, random_state=2), np.linspace(*law.ppf([1e-6, 1 - 1e-6]), 500))
    np.testing.assert_allclose(spliced.cdf(x), naive_cdf(spliced, x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(spliced.sf(x), 1 - naive_cdf(spliced, x), atol=1e-12)


@each
def test_quantiles_invert_the_distribution(law) -> None:
    spliced = learned(law)
    q = np.concatenate([np.linspace(0.001, 0.999, 999), [1e-12, 1e-6, 1 - 1e-6, 0.05, 0.95]])
    np.testing.assert_allclose(spliced.cdf(spliced.icdf(q)), q, rtol=1e-9)
    small = np.logspace(-14, -0.001, 60)
    np.testing.assert_allclose(spliced.sf(spliced.isf(small)), small, rtol=1e-9)
    assert (np.diff(spliced.icdf(np.sort(q))) >= 0).all()


@each
def test_the_density_is_the_slope_and_integrates_to_one(law) -> None:
    spliced = learned(law)
    a, b = spliced.thresholds
    edges = np.linspace(spliced._states[0]["low"], spliced._states[0]["high"], spliced.parameters.bins + 1)
    edges = np.unique(np.concatenate([edges[(edges > a) & (edges < b)], [a, b]]))
    body = (np.exp(spliced.log_density((edges[1:] + edges[:-1]) / 2)) * np.diff(edges)).sum()
    far = spliced.isf([1e-9]), spliced.icdf([1e-9])
    points = np.concatenate([b + np.linspace(0, 1, 4000) ** 3 * (far[0] - b)])
    upper = integrate.simpson(np.exp(spliced.log_density(points[1:])), x=points[1:])
    points = np.concatenate([a - np.linspace(0, 1, 4000) ** 3 * (a - far[1])])
    lower = -integrate.simpson(np.exp(spliced.log_density(points[1:])), x=points[1:])
    assert body == pytest.approx(0.9, rel=1e-9)
    assert upper == pytest.approx(0.05, rel=5e-3)
    assert lower == pytest.approx(0.05, rel=5e-3)
    x = spliced.icdf(np.array([1e-4, 0.01, 0.3, 0.5, 0.7, 0.99, 0.9999])) + 1e-7
    h = 1e-6 * (b - a)
    slope = (spliced.cdf(x + h) - spliced.cdf(x - h)) / (2 * h)
    np.testing.assert_allclose(np.exp(spliced.log_density(x)), slope, rtol=2e-2)


@each
def test_the_distribution_rises_from_zero_to_one(law) -> None:
    spliced = learned(law)
    x = np.sort(np.append(law.rvs(3000, random_state=4), [-1e300, -1e9, 1e9, 1e300]))
    assert (np.diff(spliced.cdf(x)) >= 0).all()
    assert spliced.cdf(-np.inf) == 0.0
    assert spliced.cdf(np.inf) == 1.0
    assert spliced.icdf(0.0) < spliced.icdf(1e-12)
    assert np.isnan(spliced.icdf([-0.1, 1.1, np.nan])).all()


@each
def test_probabilities_of_a_steady_law_are_right(law) -> None:
    p = mg.SplicedBinnedPareto(half_life=10_000.0).update_many(law.rvs(60_000, random_state=3))[20_000:]
    for alpha, low, high in ((0.2, 0.9, 1.1), (0.05, 0.85, 1.2), (0.01, 0.0, 1.3), (1e-3, 0.0, 2.0)):
        share = (p <= alpha).mean() / alpha
        assert low <= share <= high
        if law not in (
            LAWS["with ends"],
            LAWS["skewed"],
            LAWS["heavier"],
        ):  # ends are extrapolated cautiously
            assert share > 0.5


@pytest.mark.parametrize("side", ["both", "upper", "lower"])
def test_a_side_is_its_tail(side: str) -> None:
    spliced = learned(stats.norm(), side=side)
    for x in (-4.0, 0.3, 4.0):
        f, s = spliced.cdf(x), spliced.sf(x)
        expected = {"both": min(1.0, 2 * min(f, s)), "upper": s, "lower": f}[side]
        assert mg.SplicedBinnedPareto.from_bytes(spliced.to_bytes()).update(x) == expected


def test_units_matter_to_the_density_alone() -> None:
    x = np.random.default_rng(0).normal(size=3000)
    a, b = mg.SplicedBinnedPareto(), mg.SplicedBinnedPareto()
    np.testing.assert_array_equal(a.update_many(x), b.update_many(x * 1024.0))
    assert b.log_density(1024.0) == pytest.approx(a.log_density(1.0) - np.log(1024.0))


def test_one_score_changes_little() -> None:
    spliced = learned(stats.norm(), half_life=500.0)
    far = mg.SplicedBinnedPareto.from_bytes(spliced.to_bytes())
    x = stats.norm.rvs(size=64, random_state=9)
    spliced.update_many(x)
    far.update_many(np.append(x[:-1], 1e9))
    grid = np.linspace(-5, 5, 200)
    assert np.abs(spliced.cdf(grid) - far.cdf(grid)).max() < 0.01


@pytest.mark.parametrize("jump", [5.0, 1000.0])
def test_a_jump_is_unlikely_at_first_and_then_usual(jump: float) -> None:
    x = np.random.default_rng(5).normal(size=12_000)
    x[6000:] += jump
    p = mg.SplicedBinnedPareto(half_life=1000.0).update_many(x)
    assert (p[6000:6032] < 2e-3).mean() > 0.7
    assert (p[6500:7000] < 1e-3).mean() < 0.01
    assert 0.004 < (p[9000:] < 0.01).mean() < 0.02


@few
@given(seed=seeds, where=st.lists(st.integers(0, N), max_size=4))
def test_any_split_gives_the_same(seed: int, where: list[int]) -> None:
    laws.assert_any_split_is_the_same(make, laws.lively(seed, N), where)


@few
@given(seed=seeds, at=st.integers(0, N))
def test_a_snapshot_resumes_as_if_never_stopped(seed: int, at: int) -> None:
    laws.assert_a_snapshot_resumes(make, laws.lively(seed, N), at)


def test_one_by_one_gives_the_same() -> None:
    laws.assert_one_by_one_is_the_same(make, laws.lively(3, N))
    laws.assert_the_callers_array_is_left_alone(make, laws.lively(3, N))


@settings(max_examples=40)
@given(data=st.data())
def test_hostile_scores_leave_a_law(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(seeds))
    parts = [
        rng.choice(laws.EXTREMES, 60),
        np.full(80, data.draw(st.sampled_from(laws.EXTREMES))),
        rng.normal(size=80) * 10.0 ** data.draw(st.integers(-300, 299)),
        rng.integers(0, 3, 80) * 1.0,
    ]
    spliced = make()
    x = np.concatenate([parts[k] for k in data.draw(st.permutations(range(4)))])
    p = spliced.update_many(x)
    usable = np.abs(x) <= 1e300
    assert spliced.rejected == (~usable).sum()
    assert np.isnan(p[~usable]).all()
    said = p[usable][40:]
    assert ((said >= 0) & (said <= 1)).all()
    grid = np.sort(np.append(x[usable], spliced.icdf(np.linspace(0.01, 0.99, 50))))
    assert (np.diff(spliced.cdf(grid)) >= -1e-12).all()


def test_before_there_is_a_law_nothing_is_said() -> None:
    spliced = make()
    assert np.isnan(spliced.update_many(np.arange(40.0))).all()
    assert spliced.ready
    fresh = make()
    fresh.update_many(np.arange(39.0))
    assert not fresh.ready
    assert np.isnan(fresh.cdf(1.0))
    assert np.isnan(fresh.thresholds).all()


@pytest.mark.parametrize(
    "options",
    [{"tail": 0.3}, {"half_life": 1.0}, {"side": "left"}, {"bins": 3}, {"warm_up": 5}, {"memory": 5}],
)
def test_settings_out_of_range_are_refused(options: dict) -> None:
    with pytest.raises(ParameterError, match=next(iter(options))):
        mg.SplicedBinnedPareto(**options)


def test_wrong_shapes_and_foreign_bytes_are_refused() -> None:
    with pytest.raises(ParameterError):
        make().update([1.0])
    with pytest.raises(ParameterError):
        make().update_many([[1.0]])
    with pytest.raises(SnapshotError):
        mg.SplicedBinnedPareto.from_bytes(b"nothing")
