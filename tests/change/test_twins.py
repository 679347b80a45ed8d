"""The compiled change-point tests against their equations."""

from __future__ import annotations

import numpy as np
import pytest
from tests.change import oracles
from tests.numerics.pieces import callable_piece

import marigram as mg
from marigram.change import catoni, ranks
from marigram.change.ledger import kept_rows, ledger, locate
from marigram.numerics.elementary import uniform


def stream(seed: int, n: int, at: int, by: float, d: int = 1) -> np.ndarray:
    x = np.random.default_rng(seed).standard_t(3, (n, d)) / np.sqrt(3 * d)
    x[at:, 0] += by
    return x


def detected(test: mg.CatoniChangePoint | mg.ClippedChangePoint | mg.RankChangePoint, x: np.ndarray) -> int:
    """Events learned until the first change, or -1."""
    found = test.update_many(x)
    return found[0].seq + 1 if found else -1


@pytest.mark.parametrize(("seed", "at", "by"), [(0, 30, 2.5), (1, 35, -2.5), (2, 30, 4.0), (3, 0, 0.0)])
def test_catoni_refuses_when_its_equations_do(seed: int, at: int, by: float) -> None:
    x = 7.0 + 3.0 * stream(seed, 55, at, by)[:, 0]
    delta = 0.2
    reach = catoni.centre_range(delta / catoni.ON_CENTRE)
    expected = oracles.catoni_refused(x, 3.0, 1 / (delta * (1 - 1 / catoni.ON_CENTRE)), reach)
    assert detected(mg.CatoniChangePoint(delta, 3.0), x) == expected
    assert (expected > 0) == (by != 0)


@pytest.mark.parametrize(("seed", "by"), [(0, 3.0), (1, -1.0), (2, 0.0)])
def test_ranks_prove_when_their_equations_do(seed: int, by: float) -> None:
    x = stream(seed, 200, 120, by)[:, 0]
    places = oracles.bins(x)
    one = callable_piece(uniform)
    u = np.array([one(seq) for seq in range(ranks.START, 200)])
    told = oracles.ranks_of(places, u)
    expected = oracles.rank_proved(np.array(told), 0.05)
    assert detected(mg.RankChangePoint(0.05), x) == (expected + ranks.START if expected > 0 else -1)
    assert (expected > 0) == (by != 0)


@pytest.mark.parametrize(("seed", "by", "d"), [(0, 60.0, 1), (1, 20.0, 3), (2, 15.0, 2), (3, 0.0, 2)])
def test_segments_differ_when_their_equations_do(seed: int, by: float, d: int) -> None:
    x = stream(seed, 31, 9, by, d)
    expected = oracles.segments_proved(x, 0.5, 0.5)
    assert detected(mg.ClippedChangePoint(0.5, 1.0, center=0.0, diameter=0.5), x) == expected
    assert (expected > 0) == (by != 0)


@pytest.mark.parametrize("constants", ["printed", "theorem"])
@pytest.mark.parametrize(("seed", "by", "d"), [(0, 3.0, 1), (1, 3.0, 2), (2, 0.0, 2)])
def test_algorithm_1_stops_when_its_equations_do(seed: int, by: float, d: int, constants: str) -> None:
    x = stream(seed, 90, 60, by, d)
    G = 1.5 if constants == "printed" else 1e-3
    expected = oracles.uai_proved(x, G, 0.05, constants == "theorem")
    test = mg.ClippedChangePoint(0.05, variant="uai", constants=constants, diameter=G)  # type: ignore[arg-type]
    assert detected(test, x) == expected
    if constants == "printed":
        assert (expected > 0) == (by != 0)


@pytest.mark.parametrize("d", [1, 3])
def test_the_split_has_the_smallest_squared_error(d: int) -> None:
    rng = np.random.default_rng(d)
    for n in (2, 3, 10, 60):
        z = rng.normal(size=(n, d))
        book = ledger(d)
        book["marks"][:n, 0] = np.arange(n)
        book["sums"][:n] = np.cumsum(z, axis=0) - z
        found = np.zeros(3, np.int64)
        locate(book["marks"], book["sums"], n, n, z.sum(axis=0), found)
        assert found[0] == oracles.best_split(z)
        assert found[1] <= found[0] <= found[2]


def test_dyadic_starts_keep_eight_an_octave_and_few_in_all() -> None:
    marks = np.zeros((1000, 2), np.int64)
    used = 0
    for n in range(20_000):
        if used == 256:
            keep = kept_rows(marks, used)
            marks[: len(keep)] = marks[keep]
            used = len(keep)
        marks[used, 0] = n
        used += 1
    held = set(marks[kept_rows(marks, used), 0].tolist())
    assert len(held) < 120
    for age in (5, 15, 16, 40, 100, 1000, 10_000):
        assert any(abs(20_000 - n - age) <= age / 8 for n in held)


def test_the_bets_cannot_be_won_on_average() -> None:
    """E exp psi(l (x - m)) is at most its norm under two-point laws of every skew with variance 1, the extreme ones."""
    for p in (0.5, 0.1, 0.01, 0.001):
        high, low = np.sqrt((1 - p) / p), -np.sqrt(p / (1 - p))
        for bet in (*catoni.BETS, *catoni.CALM):
            for sign in (1, -1):
                for gap in (-catoni.WIDTH / 2, 0.0, catoni.WIDTH / 2):
                    mean = sum(
                        share * np.exp(oracles.log_e(value + gap, sign * bet, 1.0))
                        for share, value in ((p, high), (1 - p, low))
                    )
                    assert mean <= 1 + 1e-12
