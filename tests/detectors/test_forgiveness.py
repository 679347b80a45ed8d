"""A word about one event moves the key's threshold by what it says, within limits, and nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.detectors.default import process
from marigram.detectors.forgiveness import BEYOND, MOST, forgive
from marigram.detectors.parameters import Parameters
from marigram.detectors.state import StateTable
from marigram.numerics.grid import EDGES


def settled(d: int = 1, rows: int = 3000) -> StateTable:
    """Two keys of the same noise."""
    table = StateTable(Parameters(), d, 2)
    values = np.random.default_rng(0).standard_t(4, size=(rows, d))
    process(table, np.repeat([0, 1], rows), np.concatenate([values, values]))
    return table


def state(table: StateTable, slot: int) -> list[bytes]:
    """All of a key's state, byte for byte."""
    return [array.view(np.uint8).reshape(2, -1)[slot].tobytes() for array in table.per_key().values()]


def flagged(times: float, d: int = 1) -> dict[str, Any]:
    """A verdict whose last coordinate lies so many half bands out."""
    value = np.zeros(d)
    value[-1] = 4.0 * times
    return {"value": value, "expected": np.zeros(d), "lower": np.full(d, -4.0), "upper": np.full(d, 4.0)}


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize(("times", "raised"), [(1.2, 1.2 * BEYOND), (100.0, MOST), (-1.1, 1.1 * BEYOND)])
def test_the_threshold_comes_to_lie_beyond_the_event(d: int, times: float, raised: float) -> None:
    table = settled(d)
    other = state(table, 1)
    effect = forgive(table, 0, flagged(times, d))
    assert effect["after"] == pytest.approx(raised * effect["before"], rel=1e-5 if d == 1 else 0.1)
    assert float(table.heads["z_alpha"][0]) == effect["after"]
    assert state(table, 1) == other


def test_the_same_event_is_not_flagged_again() -> None:
    table = settled()
    event = np.array([[9.0]])
    first = process(table, np.array([0]), event)
    assert first["p_value"][0] <= 1e-3
    for _ in range(4):
        columns = process(table, np.array([1]), event)
        if columns["p_value"][0] > 1e-3:
            break
        band = {name: columns[name][:1] for name in ("expected", "lower", "upper")}
        assert forgive(table, 1, {"value": event[0], **band})["after"] > 0
    else:
        pytest.fail("four words were not enough")


@settings(max_examples=30)
@given(st.floats(1.0, 10.0))
def test_counts_are_moved_and_none_is_lost(times: float) -> None:
    table = settled()
    before = table.heads["tail"]["counts"][0].astype(int)
    forgive(table, 0, flagged(times))
    after = table.heads["tail"]["counts"][0].astype(int)
    first = int(table.heads["tail"]["first"][0])
    assert after.sum() == before.sum()
    assert np.array_equal(after[:first], before[:first])
    outward = np.cumsum(after[::-1]) - np.cumsum(before[::-1])
    assert (outward >= -1).all()
    assert EDGES[first - 1] < table.heads["z_alpha"][0]


def test_nothing_is_learned_inside_the_band_or_before_the_first_fit() -> None:
    for table, event in ((settled(), flagged(0.9)), (settled(rows=20), flagged(9.0))):
        before = state(table, 0)
        effect = forgive(table, 0, event)
        assert effect["before"] == effect["after"]
        assert state(table, 0) == before
    nothing = {name: np.full(1, np.nan) for name in ("value", "expected", "lower", "upper")}
    assert len(set(forgive(settled(), 0, nothing).values())) == 1
