"""Sparse rows teach what the same rows teach when they are dense, in time that the dimension does not enter."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import marigram as mg

N, D = 500, 40
REGRESSIONS = [
    (mg.ClippedLinear, {}),
    (mg.ClippedLinear, {"mu": 0.1, "clip": 0.5}),
    (mg.ClippedLinear, {"mu": 0.3, "ball": 0.5, "smoothness": 6.0, "step": 0.1}),
    (mg.ClippedLogistic, {"mu": 0.01}),
    (mg.ClippedLogistic, {"clip": None, "ball": 2.0}),
]
MEANS = [
    {"clip": 3.0, "start": 0.0},
    {"clip": None, "start": 0.5, "step": 0.05},
    {"clip": "2G", "ball": 0.4, "start": 0.0, "step": "doubling"},
]


def rows(seed: int = 0, n: int = N, d: int = D) -> sparse.csr_matrix:
    rng = np.random.default_rng(seed)
    made = sparse.random(n, d, 0.1, "csr", rng=rng, data_rvs=lambda size: rng.normal(size=size))
    made.data[rng.random(made.nnz) < 0.01] *= 1e3
    return made


def targets(X: sparse.csr_matrix, kind: type) -> np.ndarray:
    z = X @ np.linspace(-2, 2, X.shape[1])
    rng = np.random.default_rng(1)
    return (
        (rng.logistic(size=len(z)) < z).astype(float)
        if kind is mg.ClippedLogistic
        else z + rng.normal(size=len(z))
    )


@pytest.mark.parametrize(("kind", "options"), REGRESSIONS, ids=str)
def test_a_regression_is_the_dense_one(kind: type, options: dict) -> None:
    X = rows()
    y = targets(X, kind)
    lean, plain = kind(**options), kind(**options)
    np.testing.assert_allclose(lean.trace(X, y), plain.trace(X.toarray(), y), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(lean.value, plain.value, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(lean.predict(X[:9]), plain.predict(X[:9].toarray()), rtol=1e-6, atol=1e-9)
    assert lean.predict_one(X[:1]) == pytest.approx(plain.predict_one(X[:1].toarray()[0]))


@pytest.mark.parametrize("options", MEANS, ids=str)
def test_a_mean_is_the_dense_one(options: dict) -> None:
    X = rows()
    lean, plain = mg.ClippedMean(**options), mg.ClippedMean(**options)
    lean.update_many(X)
    plain.update_many(X.toarray())
    np.testing.assert_allclose(lean.value, plain.value, rtol=1e-6, atol=1e-9)
    assert lean.score_one(X[:1]) == pytest.approx(plain.score_one(X[:1].toarray()[0]))


@pytest.mark.parametrize("kind", [mg.ClippedMean, mg.ClippedLinear, mg.ClippedLogistic])
def test_any_split_and_a_snapshot_change_no_bit(kind: type) -> None:
    X = mg.SparseRows.of(rows())
    y = () if kind is mg.ClippedMean else (targets(rows(), kind),)
    whole, parts = kind(), kind()
    whole.update_many(X, *y)
    for a, b in ((0, 1), (1, 77), (77, 78), (78, N)):
        parts.update_many(X[a:b], *(v[a:b] for v in y))
        parts = kind.from_bytes(parts.to_bytes())
    assert parts.to_bytes() == whole.to_bytes()
    single = kind()
    for i in range(N):
        single.update(X[i : i + 1], *(v[i] for v in y))
    assert single.to_bytes() == whole.to_bytes()


def test_a_level_without_a_start_begins_at_nothing_and_one_event_does_not_throw_it() -> None:
    X = rows(2)
    X.data[:5] = 1e12
    mean = mg.ClippedMean().update_many(X)
    assert np.isfinite(mean.value).all()
    assert np.linalg.norm(mean.value) < 1.0
    mean.restart()
    assert not mean.value.any()
    mean.restart(np.ones(D), n=5)
    assert mean.value.tolist() == [1.0] * D
    mean.update_many(rows(3))
    assert np.linalg.norm(mean.value) < np.sqrt(D)


def test_what_is_not_finite_is_rejected() -> None:
    X = rows()
    X.data[0] = np.nan
    linear = mg.ClippedLinear().update_many(X[:10], np.r_[np.zeros(9), np.inf])
    assert (linear.n, linear.rejected) == (8, 2)
    assert np.isfinite(linear.value).all()


def test_hashed_events_are_learned_in_many_dimensions() -> None:
    rng = np.random.default_rng(4)
    hosts, errors = rng.integers(0, 50, 4000), rng.random(4000) < 0.3
    records = [
        {"host": f"h{h}", "msg": "disk failed" if e else "all is well", "load": float(rng.random())}
        for h, e in zip(hosts, errors, strict=True)
    ]
    X = mg.hash_features(records, text=["msg"])
    model = mg.ClippedLogistic(mu=1e-4)
    said = model.trace(X, errors)
    assert X.dimension == 2**18
    assert np.mean((said[2000:] > 0.5) == errors[2000:]) > 0.99
    assert X.names(int(np.argmax(np.abs(model.value))))[0].startswith("msg=")


def test_what_does_not_fit_is_refused() -> None:
    X = rows(n=3)
    with pytest.raises(mg.ParameterError, match="does not learn from sparse rows"):
        mg.StepEnsemble().update_many(X)
    with pytest.raises(mg.ParameterError, match="box has no sparse form"):
        mg.ClippedMean(box=(-1, 1)).update_many(X)
    with pytest.raises(mg.ParameterError, match="begun with sparse"):
        mg.ClippedMean().update_many(X).update_many(X.toarray())
    with pytest.raises(mg.ParameterError, match="begun with dense"):
        mg.ClippedLinear().update_many(X.toarray(), np.zeros(3)).update_many(X, np.zeros(3))
    with pytest.raises(mg.ParameterError, match="begun with 40"):
        mg.ClippedMean().update_many(X).update_many(rows(n=3, d=41))
    with pytest.raises(mg.ParameterError, match="3 rows of features"):
        mg.ClippedLinear().update_many(X, np.zeros(2))
    with pytest.raises(mg.ParameterError, match="one sparse row"):
        mg.ClippedMean().update(X)
