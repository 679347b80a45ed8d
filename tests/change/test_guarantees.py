"""What the change-point tests promise, statistically: false alarms on streams without a change, and delays.

A test whose share is just delta = .05 would have more than 10 false alarms in 200 runs about every second time; ours
have shares below .025, of which that has probability .015.  The seeds are fixed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from experiments.change_points.streams import FAMILIES

import marigram as mg

DELTA = 0.05
LENGTH = 1000

GUARANTEED: dict[str, Callable[[float], Any]] = {
    "catoni": lambda sigma: mg.CatoniChangePoint(DELTA, sigma),
    "catoni auto": lambda sigma: mg.CatoniChangePoint(DELTA, "auto"),
    "segments": lambda sigma: mg.ClippedChangePoint(DELTA, sigma),
    "uai theorem": lambda sigma: mg.ClippedChangePoint(
        DELTA, sigma, variant="uai", constants="theorem", diameter=20.0
    ),
    "ranks": lambda sigma: mg.RankChangePoint(DELTA),
}


def false_alarms(name: str, family: str, runs: int, scale: float, origin: float) -> int:
    count = 0
    for seed in range(runs):
        x = scale * FAMILIES[family](np.random.default_rng([seed, len(family)]), LENGTH) + origin
        count += bool(GUARANTEED[name](scale).update_many(x))
    return count


@pytest.mark.parametrize("name", [name for name in GUARANTEED if name != "uai theorem"])
@pytest.mark.parametrize("family", FAMILIES)
def test_few_streams_without_a_change_get_one(name: str, family: str) -> None:
    """More than 3 of 15 have probability .005 at a share of delta."""
    assert false_alarms(name, family, 15, 1.0, 0.0) <= 3


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "origin"), [(1.0, 0.0), (3.0, 5.0)])
@pytest.mark.parametrize("name", GUARANTEED)
@pytest.mark.parametrize("family", FAMILIES)
def test_the_share_of_false_alarms_is_at_most_delta(
    name: str, family: str, scale: float, origin: float
) -> None:
    runs = 20 if name == "uai theorem" else 200
    assert false_alarms(name, family, runs, scale, origin) <= DELTA * runs


@pytest.mark.parametrize(
    ("name", "most"), [("catoni", 45), ("catoni auto", 60), ("segments", 180), ("ranks", 40)]
)
@pytest.mark.parametrize("family", ["t(3)", "Gaussian"])
def test_a_shift_of_one_standard_deviation_is_found_soon(name: str, most: int, family: str) -> None:
    delays = []
    for seed in range(15):
        x = FAMILIES[family](np.random.default_rng(seed), 800)
        x[400:] += 1.0
        found = GUARANTEED[name](1.0).update_many(x)
        delays.append(found[0].seq - 399 if found else 400)
    assert np.median(delays) <= most


def test_the_constants_of_the_theorem_have_next_to_no_power() -> None:
    x = np.random.default_rng(0).normal(size=800)
    x[400:] += 1.0
    assert GUARANTEED["uai theorem"](1.0).update_many(x) == []


@pytest.mark.parametrize("name", ["ranks", "catoni auto"])
def test_wild_events_now_and_then_add_no_false_alarm(name: str) -> None:
    count = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=LENGTH)
        x[rng.random(LENGTH) < 0.02] *= 100.0
        count += bool(GUARANTEED[name](1.0).update_many(x))
    assert count <= 4


@pytest.mark.parametrize("name", ["ranks", "catoni auto"])
def test_a_wild_event_among_the_first_does_not_blind_the_test(name: str) -> None:
    x = np.random.default_rng(0).normal(size=800)
    x[3] = 1e9
    x[400:] += 2.0
    found = GUARANTEED[name](1.0).update_many(x)
    assert [abs(change.changed_at - 400) <= 3 for change in found] == [True]


def test_the_practical_test_finds_large_shifts_in_a_few_events() -> None:
    delays = []
    for seed in range(15):
        x = np.random.default_rng(seed).normal(size=500)
        x[400:] += 4.0
        found = mg.CusumChangePoint().update_many(x)
        delays.append(found[0].seq - 399 if found else 100)
    assert np.median(delays) <= 8
