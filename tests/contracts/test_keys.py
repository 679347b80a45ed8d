"""Keys do not influence each other: a key among others is that key alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.streams import MANY, Stream, lively, seeds
from tests.contracts.subjects import DetectorSubject, FleetSubject, difference

import marigram as mg

N = 4000
CROWDS = [
    FleetSubject("text", 7),
    FleetSubject("integer, timed", 7, timed=True, kind=int),
    FleetSubject("d=3, two threads", 7, d=3, timed=True, threads=2),
    FleetSubject("a few in memory, the rest on disk", MANY, timed=True, memory=9 * 1536),
]
crowds = pytest.mark.parametrize("crowd", CROWDS, ids=lambda s: s.name)
few = settings(max_examples=6)


def of(columns: dict[str, Any], mask: Any) -> dict[str, Any]:
    """Rows of a mask."""
    return {name: column[mask] for name, column in columns.items()}


@crowds
@few
@given(seed=seeds)
def test_a_key_among_others_is_that_key_alone(crowd: FleetSubject, seed: int) -> None:
    stream = lively(seed, N, crowd.d, timed=crowd.timed)
    together = crowd.feed(crowd.fresh(), stream)
    alone = DetectorSubject("alone", crowd.d)
    keys = stream.keys % crowd.keys
    for key in range(crowd.keys):
        mine = keys == key
        single = alone.feed(alone.fresh(), stream.take(mine))
        assert difference(of(together, mine), single) is None


@crowds
@few
@given(seed=seeds, order=st.permutations(range(MANY)))
def test_the_order_among_keys_does_not_matter(crowd: FleetSubject, seed: int, order: list[int]) -> None:
    stream = lively(seed, N, crowd.d, timed=crowd.timed)
    rows = np.argsort(np.array(order)[stream.keys % crowd.keys], kind="stable")
    times = None if stream.times is None else stream.times[rows]
    sorted_stream = Stream(stream.values[rows], times, stream.keys[rows])
    a = crowd.feed(crowd.fresh(), stream)
    b = crowd.feed(crowd.fresh(), sorted_stream)
    assert difference(of(a, rows), b) is None


@crowds
@few
@given(seed=seeds, key=st.integers(0, MANY - 1), value=st.sampled_from([np.nan, np.inf, 1e299, 7.0]))
def test_what_one_key_says_changes_no_other(crowd: FleetSubject, seed: int, key: int, value: float) -> None:
    stream = lively(seed, N, crowd.d, timed=crowd.timed)
    mine = stream.keys % crowd.keys == key % crowd.keys
    changed = stream.values.copy()
    changed[mine] = value
    a = crowd.feed(crowd.fresh(), stream)
    b = crowd.feed(crowd.fresh(), stream.valued(changed))
    assert difference(of(a, ~mine), of(b, ~mine)) is None


def test_pool_is_off_unless_asked_for() -> None:
    assert mg.Detector().parameters.pool is False
