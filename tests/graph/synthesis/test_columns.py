"""Mixed columns: what is drawn could have been seen, and is as frequent."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from marigram.graph.decoders import MixedColumns


def table(n: int = 2000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    colour = rng.integers(0, 3, n)
    shares = rng.dirichlet([1, 2, 3], n)
    amount = np.where(rng.random(n) < 0.3, 0.0, rng.exponential(size=n))
    count = rng.poisson(200, n).astype(float)
    gaps = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n))
    return np.column_stack([amount, colour[:, None] == np.arange(3), shares, count, gaps, np.full(n, 5.0)])


def test_every_kind_of_column_keeps_its_law() -> None:
    seen = table()
    mixed = MixedColumns.fit(seen)
    rng = np.random.default_rng(1)
    drawn = mixed.decode(mixed.encode(seen), rng)
    assert set(map(tuple, drawn[:, 1:4])) == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}  # one of three, always
    np.testing.assert_array_equal(drawn[:, 1:4], seen[:, 1:4])
    np.testing.assert_array_equal(drawn[:, 0] == 0, seen[:, 0] == 0)  # a frequent value is a class of its own
    np.testing.assert_allclose(drawn[:, 4:7].sum(1), 1, atol=1e-12)  # shares of a whole
    np.testing.assert_array_equal(np.isnan(drawn[:, 8]), np.isnan(seen[:, 8]))
    assert (drawn[:, 9] == 5).all()
    assert np.isin(drawn[:, 7], seen[:, 7]).all()  # counts repeat, so none is made up
    for column in (0, 4, 5, 6, 7, 8):
        a, b = (np.sort(x[~np.isnan(x[:, column]), column]) for x in (seen, drawn))
        gap = np.abs(np.searchsorted(a, a, "right") - np.searchsorted(b, a, "right")) / len(a)
        assert gap.max() < 0.05, column  # a Kolmogorov-Smirnov distance: the class decides but for its bin


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 30), st.integers(1, 5)),
        elements=st.sampled_from([0, 1, 2.5, -3, np.nan]),
    )
)
def test_few_values_come_back_as_they_were(seen: np.ndarray) -> None:
    mixed = MixedColumns.fit(seen, categorical=list(range(seen.shape[1])))
    codes = mixed.encode(seen)
    assert (codes < np.array(mixed.sizes)).all()
    drawn = mixed.decode(codes, np.random.default_rng(0))
    constant_gap = np.isnan(seen).all(0)
    np.testing.assert_array_equal(drawn[:, ~constant_gap], seen[:, ~constant_gap])


@given(
    arrays(
        np.float64, st.tuples(st.integers(1, 60), st.integers(1, 4)), elements=st.floats(-1e6, 1e6, width=32)
    )
)
def test_any_numbers_are_drawn_within_what_was_seen(seen: np.ndarray) -> None:
    mixed = MixedColumns.fit(seen)
    codes = mixed.encode(seen)
    assert (codes >= 0).all()
    assert (codes < np.array(mixed.sizes)).all()
    if not mixed.wholes:  # scaling shares to their sum may leave the range
        drawn = mixed.decode(codes, np.random.default_rng(0))
        assert (drawn >= seen.min(0)).all()
        assert (drawn <= seen.max(0)).all()


def test_values_never_seen_take_the_nearest_class() -> None:
    mixed = MixedColumns.fit(np.repeat([[0.0], [1.0], [4.0]], 20, axis=0))
    assert mixed.encode(np.array([[-5.0], [0.4], [0.6], [2.4], [99.0]]))[:, 0].tolist() == [0, 0, 1, 1, 2]


def test_wide_tables_get_few_classes() -> None:
    seen = np.random.default_rng(0).normal(size=(500, 1000))
    assert max(MixedColumns.fit(seen).sizes) <= 4


def test_saved_columns_draw_the_same() -> None:
    seen = table(300)
    mixed = MixedColumns.fit(seen)
    again = MixedColumns.unpacked(*mixed.packed())
    codes = mixed.encode(seen)
    np.testing.assert_array_equal(again.encode(seen), codes)
    one, other = (m.decode(codes, np.random.default_rng(3)) for m in (mixed, again))
    np.testing.assert_array_equal(one, other)
