"""The calibrated tail: what it says against SciPy's fits, and what must hold of any histogram."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from tests.numerics.pieces import callable_on_record, callable_piece
from tests.thresholds import naive

from marigram.numerics.grid import BINS, EDGES
from marigram.thresholds import gpd, tail

Floats = NDArray[np.float64]
ALPHA = 1e-3
LOG_ALPHA = math.log(ALPHA)

refit = callable_on_record(tail.refit)
add = callable_on_record(tail.tail_add)
probability = callable_on_record(tail.probability)
probabilities = callable_on_record(tail.probabilities)
plain_probability = callable_on_record(tail.plain_probability)
alpha_quantile = callable_on_record(tail.alpha_quantile)
survival = callable_piece(gpd.survival)
log_survival = callable_piece(gpd.log_survival)
quantile = callable_piece(gpd.quantile)

NOISE: dict[str, Any] = {
    "gaussian": lambda rng, n: rng.normal(size=n) / 0.61,
    "t3": lambda rng, n: rng.standard_t(3, n) / 0.76,
    "laplace": lambda rng, n: rng.laplace(size=n) / 0.6,
    "pareto": lambda rng, n: rng.pareto(3, n) * 4,
}
BUMPS = {"none": 0.0, "few": 0.002, "some": 0.01, "many": 0.03}


def histogram(z: Floats) -> NDArray[np.void]:
    """A tail, not yet fitted, that holds these |z|."""
    tails = np.zeros(1, tail.TAIL)
    codes = np.searchsorted(EDGES, np.abs(z), side="right")
    counts = np.bincount(codes, minlength=BINS)
    tails["counts"] = counts
    tails["total"] = counts.sum()
    return tails


def fitted(tails: NDArray[np.void], *, robust: float = 1.0, alpha: float = ALPHA) -> NDArray[np.void]:
    """The same, refitted until it stands still."""
    work = np.empty(tail.WORK_SHAPE)
    for _ in range(6):
        refit(tails, 0, alpha, tail.MEMORY, robust, work)
    return tails


def contaminated(noise: str, share: float, n: int, seed: int, size: float = 10.0) -> Floats:
    """|z| of the noise, a share of them 10 scales out."""
    rng = np.random.default_rng([seed, n])
    z: Floats = NOISE[noise](rng, n)
    spikes = rng.random(n) < share
    z[spikes] += np.sign(z[spikes]) * size
    return z


every_noise = pytest.mark.parametrize("noise", NOISE)
sizes = pytest.mark.parametrize("n", [1000, 20_000])


@every_noise
@sizes
def test_the_full_fit_is_the_mode_of_the_penalised_likelihood(noise: str, n: int) -> None:
    tails = fitted(histogram(contaminated(noise, 0.0, n, 1)))
    t = tails[0]
    first = int(t["first"])
    counts = t["counts"].astype(np.float64)
    mode = naive.best_fit(counts, first, np.ones(gpd.TOP - first, bool))
    assert float(t["full_xi"]) == pytest.approx(mode.xi, abs=2e-3)
    assert float(t["full_log_beta"]) == pytest.approx(mode.log_beta, abs=2e-3)
    zeta = mode.rate / (mode.rate + counts[:first].sum())
    assert float(t["full_zeta"]) == pytest.approx(zeta, rel=2e-3)


@every_noise
@pytest.mark.parametrize(("n", "bump"), [(1000, "some"), *((20_000, bump) for bump in BUMPS)])
def test_the_robust_fit_is_close_to_the_average_over_all_windows(noise: str, n: int, bump: str) -> None:
    """Every window fitted to the end instead of those that pay, from cold instead of warm: log z(alpha) within .02."""
    t = fitted(histogram(contaminated(noise, BUMPS[bump], n, 2)))[0]
    first = int(t["first"])
    counts = t["counts"].astype(np.float64)
    below = counts[:first].sum()
    _, average = naive.robust_fit(counts, first)
    wanted = naive.plain_quantile(average, first, below, ALPHA)
    zeta = float(t["zeta"])
    ours = naive.plain_quantile(
        naive.Fit(float(t["xi"]), float(t["log_beta"]), below * zeta / (1 - zeta)), first, below, ALPHA
    )
    assert math.log(ours / wanted) == pytest.approx(0, abs=0.02)


@every_noise
def test_a_bump_is_not_believed(noise: str) -> None:
    """1 % of spikes move the robust threshold by less than a quarter, and the full one by more than twice as much."""
    n = 20_000
    clean = fitted(histogram(contaminated(noise, 0.0, n, 3)))[0]
    spiked = fitted(histogram(contaminated(noise, 0.01, n, 3, size=25.0)))[0]
    believed = naive.Fit(float(spiked["full_xi"]), float(spiked["full_log_beta"]), 1.0)
    zeta = float(spiked["full_zeta"])
    full = naive.plain_quantile(believed, int(spiked["first"]), 1 / zeta - 1, ALPHA)
    moved = abs(math.log(spiked["z_alpha"] / clean["z_alpha"]))
    assert moved < 0.25
    assert math.log(full / clean["z_alpha"]) > 2 * moved


@st.composite
def histograms(draw: st.DrawFn) -> NDArray[np.void]:
    """A fitted tail of any shape: noise of some family, thinned, with holes, bumps and atoms."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(40, 6000))
    noise = draw(st.sampled_from(sorted(NOISE)))
    z = NOISE[noise](rng, n) * draw(st.sampled_from([0.1, 1.0, 1.0, 30.0]))
    atoms = draw(st.sampled_from([0.0, 0.0, 0.05, 0.9]))
    z[rng.random(n) < atoms] = draw(st.sampled_from([0.0, 1.0, 100.0, 1e6]))
    return fitted(histogram(z), robust=draw(st.sampled_from([0.0, 1.0])))


@settings(max_examples=60)
@given(histograms(), st.data())
def test_probabilities_fall_with_z_and_stay_probabilities(
    tails: NDArray[np.void], data: st.DataObject
) -> None:
    z = np.sort([0.0, *(10.0**e for e in data.draw(st.lists(st.floats(-3, 15), max_size=30))), *EDGES[::4]])
    for function in (
        lambda x: probability(tails, 0, x, LOG_ALPHA),
        lambda x: plain_probability(tails, 0, x),
        lambda x: probabilities(tails, 0, x, LOG_ALPHA)[0],
        lambda x: probabilities(tails, 0, x, LOG_ALPHA)[1],
    ):
        p = np.array([function(x) for x in z])
        assert ((p > 0) & (p <= 1)).all()
        assert (np.diff(p) <= 1e-6 * p[:-1]).all()


@settings(max_examples=60)
@given(histograms())
def test_the_quantile_inverts_the_probability(tails: NDArray[np.void]) -> None:
    z = alpha_quantile(tails, 0, ALPHA)
    if tails["first"][0] == 0:  # nothing but atoms beyond the grid: no fit
        assert probability(tails, 0, z, LOG_ALPHA) == pytest.approx(ALPHA)
        return
    assert float(tails["z_alpha"][0]) == pytest.approx(z, rel=1e-6)
    if tails["below"][0] > 0 or z > EDGES[tails["first"][0] - 1]:
        assert probability(tails, 0, z, LOG_ALPHA) == pytest.approx(ALPHA, rel=2e-3)


@settings(max_examples=30)
@given(histograms(), st.floats(0.01, 200))
def test_both_ways_to_ask_agree(tails: NDArray[np.void], z: float) -> None:
    robust, plain = probabilities(tails, 0, z, LOG_ALPHA)
    assert robust == pytest.approx(probability(tails, 0, z, LOG_ALPHA), rel=1e-12)
    assert plain == pytest.approx(plain_probability(tails, 0, z), rel=1e-12)


@every_noise
def test_the_tail_of_clean_noise_is_calibrated(noise: str) -> None:
    """Of 200,000 fresh numbers those beyond z(alpha) are between .6 and 1.6 times alpha (400 expected at 2e-3)."""
    z = np.abs(contaminated(noise, 0.0, 30_000, 4))
    fresh = np.abs(contaminated(noise, 0.0, 200_000, 5))
    for alpha in (2e-3, 1e-2):
        t = fitted(histogram(z), alpha=alpha)
        assert 0.6 < (fresh > t["z_alpha"][0]).mean() / alpha < 1.6


def test_below_the_threshold_the_share_is_counted() -> None:
    z = np.abs(contaminated("gaussian", 0.0, 20_000, 6))
    tails = fitted(histogram(z))
    for edge in EDGES[2 : int(tails["first"][0]) - 1]:
        assert probability(tails, 0, edge, LOG_ALPHA) == pytest.approx((z >= edge).mean(), rel=0.02)


def test_before_the_first_fit_a_fixed_law_stands_in() -> None:
    tails = np.zeros(1, tail.TAIL)
    assert probability(tails, 0, 0.0, LOG_ALPHA) == 1.0
    assert probability(tails, 0, alpha_quantile(tails, 0, ALPHA), LOG_ALPHA) == pytest.approx(ALPHA)


@settings(max_examples=25)
@given(st.lists(st.integers(0, BINS - 1), min_size=1, max_size=300), st.integers(50, 200))
def test_counting_forgets_in_halves(codes: list[int], memory: int) -> None:
    tails = np.zeros(1, tail.TAIL)
    counts = [0] * BINS
    for code in codes:
        add(tails, 0, code, float(memory))
        counts[code] += 1
        if sum(counts) > memory:
            carry = 0
            for k in range(BINS):
                counts[k], carry = (counts[k] + carry) // 2, (counts[k] + carry) % 2
        assert tails["counts"][0].tolist() == counts
        assert tails["total"][0] == sum(counts)


def test_a_count_never_overflows() -> None:
    tails = np.zeros(1, tail.TAIL)
    for _ in range(140_000):
        add(tails, 0, 5, 1e9)
    assert 30_000 < tails["counts"][0, 5] < 65_535


shapes = st.one_of(st.floats(-0.25, 1.2), st.sampled_from([0.0, 1e-5, -1e-5, 1e-3, -1e-3]))


@given(st.floats(0, 1e4), shapes, st.floats(1e-3, 1e3))
def test_survival_is_scipys(y: float, xi: float, beta: float) -> None:
    wanted = float(stats.genpareto.logsf(y, xi, scale=beta))
    near_zero = xi * (y / beta) ** 2 if abs(xi) < 1e-4 else 0.0  # where the exponential law stands in
    if wanted > -500:
        assert log_survival(y, xi, beta) == pytest.approx(wanted, rel=1e-6, abs=1e-6 + abs(near_zero))
        assert survival(y, xi, beta) == pytest.approx(math.exp(log_survival(y, xi, beta)), rel=1e-6)
    else:
        assert survival(y, xi, beta) < 1e-200


@given(st.floats(-30, -1e-6), shapes, st.floats(1e-3, 1e3))
def test_the_pareto_quantile_inverts_survival(log_p: float, xi: float, beta: float) -> None:
    y = quantile(log_p, xi, beta)
    assert y >= 0
    assert log_survival(y, xi, beta) == pytest.approx(log_p, rel=1e-3, abs=1e-6)
