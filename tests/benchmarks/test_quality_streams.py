"""Streams of the quality benchmark: repeatable, standardised, and true to their description."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.quality import streams
from benchmarks.quality.__main__ import main
from benchmarks.quality.noise import FAMILIES

NOISES = list(FAMILIES.values())
BUILDERS = {
    "gap": lambda seed: streams.gap(FAMILIES["t3"], seed, 5000),
    "gap10": lambda seed: streams.gap(FAMILIES["t3"], seed, 5000, 10),
    "peers": lambda seed: streams.peers(5000, 2, seed),
    "null": lambda seed: streams.null(FAMILIES["pareto"], seed, 500),
    "autoregression": lambda seed: streams.autoregression(0.9, seed, 500),
    "daily": lambda seed: streams.daily_null(FAMILIES["gaussian"], seed, 500),
    "scale": lambda seed: streams.scale_once(FAMILIES["gaussian"], 3, seed),
    "turns": lambda seed: streams.scale_alternating(FAMILIES["gaussian"], 3, seed),
    "shift": lambda seed: streams.one_shift(FAMILIES["laplace"], seed),
    "bursts": lambda seed: streams.bursts(FAMILIES["t3"], None, seed)[1],
    "season": lambda seed: streams.season(FAMILIES["t3"], "daily_square", seed),
}


@pytest.mark.parametrize("name", BUILDERS)
def test_same_seed_same_stream_and_other_seed_another(name):
    one, same, other = (BUILDERS[name](seed) for seed in (5, 5, 6))
    assert np.array_equal(one.values, same.values)
    assert np.array_equal(one.spikes, same.spikes)
    assert not np.array_equal(one.values, other.values)


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: noise.name)
def test_noise_is_standardised_and_its_quantile_exact(noise):
    drawn = noise.draw(np.random.default_rng(1), (400_000,))
    assert abs(drawn.mean()) < 0.02
    assert np.median(np.abs(drawn)) == pytest.approx(noise.quantile(0.5), rel=0.01)
    for alpha in (0.1, 1e-2, 1e-3):
        share = (np.abs(drawn) > noise.quantile(alpha)).mean()
        assert share == pytest.approx(alpha, abs=4 * math.sqrt(alpha / 400_000))
    # E[x²] = ∫ 2x P(|x| > x) dx; the heavy tails need the closed form, not the sample
    grid = np.geomspace(1e-4, 1e5, 20_000)
    assert np.trapezoid([2 * x * noise.exceed(x) for x in grid], grid) == pytest.approx(1, abs=1e-3)


def test_quantile_of_the_largest_of_ten():
    noise = FAMILIES["gaussian"]
    assert noise.exceed(noise.quantile(1e-3, 10)) == pytest.approx(1 - (1 - 1e-3) ** 0.1)


def test_gap_stream_is_what_it_says():
    stream = streams.gap(FAMILIES["gaussian"], 100, 40_000)
    assert not stream.spikes[:500].any()
    assert stream.spikes.mean() == pytest.approx(0.01, abs=0.003)
    lengths = np.diff(np.r_[0, stream.shifts, 40_000])
    assert lengths.min() >= 200
    unit = np.median(np.abs(np.diff(stream.values))) / (0.6745 * math.sqrt(2))
    regimes = np.split(stream.values / unit, stream.shifts)
    jumps = np.abs(np.diff([np.median(regime) for regime in regimes]))
    assert jumps.min() > 2.5
    assert jumps.max() < 20.5
    assert stream.oracle[stream.spikes].mean() > 0.98
    assert stream.oracle[~stream.spikes].mean() == pytest.approx(1e-3, abs=6e-4)


def test_segments_have_the_promised_mean():
    lengths = np.concatenate(
        [np.diff(np.r_[0, streams.segments(streams.generator(k, 0, 0), 200_000)]) for k in range(10)]
    )
    assert lengths.mean() == pytest.approx(2000, rel=0.1)


def test_peers_stream_is_the_published_one():
    # First values of seed 1, d = 1, drawn by the generator that its description defines.
    rng = np.random.default_rng(1)
    mean = rng.uniform(-10, 10, 1)[0]
    after = mean
    while abs(after - mean) < 3:
        after = rng.uniform(-10, 10, 1)[0]
    noise = rng.standard_t(3, (4000, 1)) / math.sqrt(3)
    stream = streams.peers(4000, 1, 1)
    assert stream.values[0] == mean + noise[0, 0]
    quiet = ~stream.spikes
    assert np.array_equal(stream.values[2000:][quiet[2000:]], (after + noise[2000:, 0])[quiet[2000:]])
    assert stream.shifts.tolist() == [2000]


@pytest.mark.parametrize("seed", range(5))
def test_bursts_are_short_rare_and_far_off(seed):
    clean, corrupted = streams.bursts(FAMILIES["t3"], 20.0, seed)
    changed = clean.values != corrupted.values
    assert np.array_equal(changed, corrupted.spikes)
    assert 0.04 < changed.mean() <= 0.05
    assert not changed[:500].any()
    edges = np.flatnonzero(np.diff(np.r_[0, changed.astype(int), 0]))
    runs = edges[1::2] - edges[::2]
    assert (runs.min(), runs.max()) == (1, 5)
    off = (corrupted.values - clean.values)[changed]
    assert np.abs(off) == pytest.approx(20)
    assert abs(np.sign(off).mean()) < 0.15


@pytest.mark.parametrize("shape", streams.SHAPES)
def test_seasons_repeat_each_week_and_swing(shape):
    level = streams.season_shape(shape, 14 * streams.DAY, streams.generator(3, 0, 0))
    assert level[: 7 * streams.DAY] == pytest.approx(level[7 * streams.DAY :], abs=1e-9)
    assert 5 < np.ptp(level) <= 40


def test_scale_changes_at_the_declared_events():
    stream = streams.scale_alternating(FAMILIES["gaussian"], 10, 1)
    spread = [part.std() for part in np.split(stream.values, stream.shifts)]
    assert spread[::2] == pytest.approx([1] * 5, rel=0.1)
    assert spread[1::2] == pytest.approx([10] * 5, rel=0.1)


class Deaf:
    """A detector that never says anything; every floor on recall must fail."""

    def __init__(self, *, alpha):
        self.alpha = alpha

    def update_many(self, values, times=None):
        n = len(values)
        return {
            "kind": np.zeros(n, np.uint8),
            "seq": np.arange(n),
            "p_value": np.full(n, 0.5),
            "resolves": np.full(n, -1),
            "changed_at": np.full(n, -1),
        }


def test_the_command_fails_a_deaf_detector(monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.quality.Deaf", Deaf, raising=False)
    arguments = ["gap", "--seeds", "1", "--families", "t3", "--detector", "benchmarks.quality:Deaf"]
    assert main(arguments) == 1
    printed = capsys.readouterr().out
    assert "settled recall/oracle 0, floor ≥ 0.85" in printed
    assert "settled after shift" not in printed.split("Below the floor:")[1]
    assert main([*arguments, "--json"]) == 1


def test_an_unknown_row_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["nothing"])
    assert "no row named nothing" in capsys.readouterr().err
