"""The kernels against their slow twins, and the promise of the p-values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bridge import oracles

from marigram.bridge.kernels.cases import BINS, decide
from marigram.bridge.kernels.counts import EVERYTHING, count_rows
from marigram.bridge.kernels.rates import HISTORY, score_edges, score_entities
from marigram.bridge.streams.tables import OpenTable


def counted(contexts: np.ndarray, values: np.ndarray, times: np.ndarray, windows: list[int]) -> np.ndarray:
    width = len(windows)
    pairs = OpenTable(n=(np.float64, (width,)), window=(np.int64, (width,)))
    sums = OpenTable(sums=(np.float64, (width, 5)))
    out = [np.zeros(values.shape) for _ in range(3)]
    pairs.room(2 * values.size)
    sums.room(2 * values.size)
    count_rows(
        contexts, values, times, np.array(windows), np.zeros(width), pairs.keys, pairs["n"], pairs["window"],
        sums.keys, sums["sums"], *out,
    )  # fmt: skip
    return out[0]


rows = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 7)), min_size=1, max_size=60)


@given(rows, st.integers(1, 9))
def test_counts_are_those_of_earlier_windows(events: list[tuple[int, int, int]], window: int) -> None:
    contexts, values, gaps = (np.array(column, np.int64) for column in zip(*events, strict=True))
    times = np.cumsum(gaps)
    table = np.column_stack([contexts, np.full(len(events), EVERYTHING)])
    both = np.column_stack([values, values])
    found = counted(table, both, times, [window])
    slow = oracles.Counts(window), oracles.Counts(window)
    for i, (context, value, time) in enumerate(
        zip(contexts.tolist(), values.tolist(), times.tolist(), strict=True)
    ):
        assert found[i, 0] == pytest.approx(slow[0].surprise(context, value, time))
        assert found[i, 1] == pytest.approx(slow[1].surprise(oracles.EVERYTHING, value, time))


def test_several_windows_are_averaged_and_absent_values_skipped() -> None:
    times = np.array([0, 1, 20, 21, 400, 401])
    values = np.array([[0], [0], [1], [0], [-1], [1]])
    contexts = np.zeros((6, 1), np.int64)
    both = counted(contexts, values, times, [10, 100])
    single = [counted(contexts, values, times, [window]) for window in (10, 100)]
    assert np.allclose(both, np.mean(single, axis=0))
    assert both[4, 0] == 0


def test_a_burst_stays_as_unusual_as_its_first_event() -> None:
    times = np.concatenate([np.arange(0, 1000, 10), np.full(50, 1005)])
    values = np.where(np.arange(150) < 100, 0, 1)[:, None]
    found = counted(np.zeros((150, 1), np.int64), values, times, [10])[:, 0]
    assert np.allclose(found[100:], found[100])
    assert found[100] > 3 > found[50]


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 12)), min_size=1, max_size=80),
    st.sampled_from([0.01, 1e-4]),
)
def test_rates_follow_the_equations(events: list[tuple[int, int]], step: float) -> None:
    codes, gaps = (np.array(column, np.int64) for column in zip(*events, strict=True))
    ticks = np.cumsum(np.where(gaps > 8, gaps, 0))
    evidence, observed, expected = (np.zeros(len(events)) for _ in range(3))
    score_entities(codes, ticks, step, np.zeros(3, HISTORY), evidence, observed, expected)
    slow = [oracles.Rate(step) for _ in range(3)]
    wanted = [slow[code].evidence(tick) for code, tick in zip(codes.tolist(), ticks.tolist(), strict=True)]
    # many silent ticks at once fade by exp(-step) a tick where the slow twin has 1 - step
    assert evidence == pytest.approx(np.array(wanted), rel=0.02 if step == 0.01 else 1e-9, abs=1e-9)


def test_an_edge_has_the_largest_of_three_evidences() -> None:
    rng = np.random.default_rng(1)
    n = 400
    source, target = rng.integers(0, 5, n), rng.integers(0, 6, n)
    ticks = np.sort(rng.integers(0, 40, n))
    pairs = OpenTable(history=(HISTORY, ()))
    pairs.room(n)
    evidence, strongest = np.empty(n), np.empty(n, np.int8)
    tables = [np.zeros(8, HISTORY), np.zeros(8, HISTORY)]
    score_edges(source, target, ticks, 1e-3, *tables, pairs.keys, pairs["history"], evidence, strongest)
    parts = np.zeros((3, n))
    for k, codes in enumerate((source, target, source * 6 + target)):
        score_entities(codes, ticks, 1e-3, np.zeros(30, HISTORY), parts[k], np.zeros(n), np.zeros(n))
    assert np.array_equal(evidence, parts.max(axis=0))
    assert np.array_equal(strongest, parts.argmax(axis=0))


def decided(
    scores: np.ndarray,
    alpha: float,
    actors: np.ndarray | None = None,
    quiet: int = 10,
    entities: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    n = len(scores)
    named = np.full(n, -1) if entities is None else np.where(entities < 0, -1, entities + (1 << 62))
    who = np.arange(n) if actors is None else actors
    cases = OpenTable(last=(np.int64, ()), number=(np.int64, ()))
    cases.room(2 * n)
    p, notice, case = np.ones(n), np.zeros(n, np.bool_), np.full(n, -1)
    decide(
        scores, who, np.zeros(n, np.int64), named, np.arange(n), alpha, quiet, np.zeros(BINS), np.zeros(2, np.int64),
        cases.keys, cases["last"], cases["number"], p, notice, case,
    )  # fmt: skip
    return p, notice, case


@settings(max_examples=25)
@given(st.lists(st.floats(0, 30), min_size=1, max_size=120))
def test_p_values_follow_the_equations(scores: list[float]) -> None:
    p, _, _ = decided(np.array(scores), 1e-6)
    assert p == pytest.approx(np.array(oracles.p_values(scores)))


@pytest.mark.parametrize("law", ["exponential", "gamma", "lognormal"])
def test_normal_events_are_told_as_often_as_promised(law: str) -> None:
    """10 streams of 5,000: 500 cases are expected at alpha = 0.01, and vary by 22 and by the tail's error."""
    told = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        draw = {
            "exponential": rng.exponential(4, 5000),
            "gamma": rng.gamma(4, 2, 5000),
            "lognormal": rng.lognormal(1, 0.5, 5000),
        }[law]
        told += int(decided(draw, 0.01)[1].sum())
    assert 350 < told < 700


def test_a_case_is_told_once_while_it_is_open() -> None:
    scores = np.concatenate([np.tile([1.0, 2.0, 3.0], 40), [90.0, 90.0, 1.0], np.ones(20), [90.0]])
    actors = np.concatenate([np.arange(120) + 5, [0, 0, 0], np.arange(20) + 200, [0]])
    p, notice, case = decided(scores, 0.01, actors)
    assert notice.tolist() == [False] * 120 + [True, False, False] + [False] * 20 + [True]
    assert case[120:123].tolist() == [0, 0, 0]
    assert case[-1] == 1
    assert p[120] < 0.001


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5), st.integers(-1, 2)), min_size=1, max_size=60))
def test_a_case_is_of_its_actor_and_of_the_entity_that_is_named(
    events: list[tuple[bool, int, int]],
) -> None:
    odd, actors, entities = (np.array(column) for column in zip(*events, strict=True))
    scores = np.concatenate([np.tile([1.0, 2.0, 3.0], 40), np.where(odd, 90.0, 1.0)])
    calm = np.arange(120)
    p, notice, case = decided(
        scores, 0.01, np.concatenate([calm + 100, actors]), 10, np.concatenate([np.full(120, -1), entities])
    )
    slow = oracles.cases(
        (p[120:] <= 0.01).tolist(), actors.tolist(), entities.tolist(), list(range(len(odd))), 10
    )
    assert (notice[120:].tolist(), case[120:].tolist()) == slow


def test_nothing_is_told_while_it_learns() -> None:
    assert not decided(np.concatenate([np.ones(40), [500.0]]), 0.01)[1].any()
