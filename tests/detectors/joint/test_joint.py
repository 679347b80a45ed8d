"""The joint detector against its definition, and what it promises of vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray
from tests.detectors.joint.twin import clip_levels, dense_distances, sparse_distances
from tests.numerics.pieces import callable_piece

import marigram as mg
from marigram import Kind
from marigram.detectors.joint.dense import top_shares
from marigram.detectors.joint.kernel import run_dense
from marigram.detectors.joint.verdicts import JointVerdicts
from marigram.errors import ParameterError, SnapshotError

Floats = NDArray[np.float64]
NOISE: dict[str, Callable[[np.random.Generator, tuple[int, int]], Floats]] = {
    "gaussian": lambda rng, shape: rng.normal(size=shape),
    "t3": lambda rng, shape: rng.standard_t(3, shape),
}
every_noise = pytest.mark.parametrize("noise", NOISE)


def joint(**parameters: object) -> mg.Detector:
    return mg.Detector(joint=True, **parameters)  # type: ignore[arg-type]


def words(rng: np.random.Generator, n: int, d: int = 2**18, mean: int = 20) -> scipy.sparse.csr_matrix:
    """Rows of words, Zipf distributed, hashed."""
    counts = rng.poisson(mean, n) + 1
    word = np.minimum(rng.zipf(1.25, counts.sum()), 100_000)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return scipy.sparse.csr_matrix((np.ones(len(word)), word * 2654435761 % d, ends), shape=(n, d))


@every_noise
def test_dense_distances_are_those_of_the_definition(noise: str) -> None:
    rng = np.random.default_rng(0)
    x = NOISE[noise](rng, (400, 7)) * 10.0 ** rng.uniform(-3, 3, 7)
    detector = joint()
    clips = clip_levels(detector, lambda i: x[i : i + 1], 400)
    table = joint().update_many(x)
    assert not (table["kind"] == Kind.DRIFT).any()
    step = -np.expm1(-np.log(2) / 140)
    np.testing.assert_allclose(table["value"], dense_distances(x, step, clips), rtol=1e-9)


def test_sparse_distances_are_those_of_the_definition() -> None:
    x = words(np.random.default_rng(1), 400, 50, 6)
    x.sum_duplicates()
    clips = clip_levels(joint(), lambda i: x[i], 400)
    table = joint().update_many(x)
    step = -np.expm1(-np.log(2) / 140)
    expected = sparse_distances(x.toarray(), step, clips)
    # the length of an empty row is followed to first order between the times it is formed anew
    np.testing.assert_allclose(table["value"], expected, rtol=0.05)
    assert not (table["kind"] == Kind.DRIFT).any()


def rates(make: Callable[[np.random.Generator], object], alpha: float, seeds: int) -> float:
    """Rate of p <= alpha over alpha, after 1,000 events."""
    tables = [joint().update_many(make(np.random.default_rng([seed, 11]))) for seed in range(seeds)]
    return float(np.mean([table["p_value"][1000:] <= alpha for table in tables]) / alpha)


@every_noise
@pytest.mark.parametrize("d", [10, 100])
def test_the_rate_of_small_p_is_the_promised_one(noise: str, d: int) -> None:
    """Pooled over 90,000 events, 90 expected at 1e-3, [.5, 2] is passed.

    A detector whose true rate is .8 to 1.4 times the promise fails with probability below 1e-3 (Poisson).
    """
    rate = rates(lambda rng: NOISE[noise](rng, (10_000, d)), 1e-3, 10)
    assert 0.5 <= rate <= 2.0


def test_the_rate_of_small_p_of_sparse_rows_is_the_promised_one() -> None:
    """As above; a true rate of .8 times the promise fails with probability below 1e-3."""
    assert 0.5 <= rates(lambda rng: words(rng, 10_000), 1e-3, 10) <= 2.0


@pytest.mark.slow
@every_noise
def test_the_rate_at_784_coordinates(noise: str) -> None:
    assert 0.5 <= rates(lambda rng: NOISE[noise](rng, (10_000, 784)), 1e-3, 8) <= 2.0


@pytest.mark.parametrize(("moved", "size"), [(1, 12.0), (5, 6.0), (100, 3.0)])
def test_a_shift_of_few_or_many_coordinates_is_told_once_with_its_levels(moved: int, size: float) -> None:
    """Once within 30 events in at least 18 of 20 streams: true at 98 %, chance fails this with probability .007."""
    good = levels = 0
    for seed in range(20):
        rng = np.random.default_rng([seed, 12])
        x = rng.normal(size=(1600, 100))
        which = rng.permutation(100)[:moved]
        x[1200:, which] += size
        table = joint().update_many(x)
        assert isinstance(table, JointVerdicts)
        told = np.flatnonzero(table["kind"] == Kind.DRIFT)
        good += len(told) == 1 and 1200 <= told[0] < 1230
        if table.shifts:
            shift = table.shifts[0]
            levels += int(shift.coordinates[0]) in which and abs(shift.after[0] - shift.before[0] - size) < 4
    assert good >= 18
    assert levels >= 16


@pytest.mark.parametrize("factor", [3.0, 1 / 3])
def test_a_change_of_scale_is_told_and_leaves_the_rate_alone(factor: float) -> None:
    rng = np.random.default_rng(13)
    x = rng.normal(size=(4000, 100))
    x[2000:] *= factor
    table = joint().update_many(x)
    told = np.flatnonzero(table["kind"] == Kind.DRIFT)
    assert len(told) in (1, 2)
    assert 2000 <= told[0] < 2060
    assert (table["p_value"][2100:] <= 1e-3).mean() < 5e-3


@pytest.mark.parametrize("d", [9, 784, 20_000])
def test_the_coordinate_that_moved_is_named(d: int) -> None:
    rng = np.random.default_rng(d)
    x = rng.normal(size=(300, d))
    x[-1, d // 2] += 40 * max(1.0, d / 784)
    detector = joint()
    detector.update_many(x[:-1])
    verdict = detector.update(x[-1])
    assert verdict.kind == Kind.ANOMALY
    assert verdict.coordinates[0] == d // 2  # type: ignore[attr-defined]
    assert verdict.why[0] == max(verdict.why) > 0.2


def test_a_hashed_field_is_named_with_its_value() -> None:
    rng = np.random.default_rng(14)
    records = [
        {"user": f"u{rng.integers(20)}", "verb": "GET", "size": float(rng.normal())} for _ in range(500)
    ]
    detector = joint()
    detector.update_many(mg.hash_features(records))
    strange = mg.hash_features([{"user": "mallory", "verb": "DELETE", "port": "31337", "size": 0.0}])
    verdict = detector.update(strange)
    assert verdict.kind == Kind.ANOMALY
    assert set(verdict.names[:3]) == {"user=mallory", "verb=DELETE", "port=31337"}  # type: ignore[attr-defined]


def test_a_low_rank_covariance_sees_what_leaves_the_common_directions() -> None:
    """Two factors drive 40 coordinates; the last event has the usual sizes, but not their pattern."""
    rng = np.random.default_rng(15)
    loadings = rng.normal(size=(2, 40)) * 3
    x = rng.normal(size=(4000, 2)) @ loadings + 0.3 * rng.normal(size=(4000, 40))
    x[-1] = rng.permuted(x[-2]) * 1.2
    plain, ranked = (joint(rank=rank).update_many(x) for rank in (0, 2))
    assert ranked["kind"][-1] == Kind.ANOMALY
    assert ranked["p_value"][-1] < 1e-2 * plain["p_value"][-1]


def test_sparse_forms_agree_and_dense_ones_are_refused_after_them() -> None:
    x = words(np.random.default_rng(16), 300)
    a, b = joint(), joint()
    first = a.update_many(x)
    second = b.update_many(mg.SparseRows.of(x))
    assert first["p_value"].tobytes() == second["p_value"].tobytes()
    assert a.to_bytes() == b.to_bytes()
    with pytest.raises(ParameterError, match="begun with sparse"):
        a.update_many(np.zeros((1, 2**18)))


def test_a_sparse_detector_survives_saving_and_any_cut() -> None:
    x = words(np.random.default_rng(17), 600, 5000)
    whole, pieces = joint(), joint()
    expected = whole.update_many(x)
    found = [pieces.update_many(x[:250])]
    pieces = mg.Detector.from_bytes(pieces.to_bytes())
    found.append(pieces.update_many(x[250:]))
    for name in ("p_value", "value", "kind", "why", "coordinates", "severity"):
        assert np.concatenate([part[name] for part in found]).tobytes() == expected[name].tobytes(), name
    assert pieces.to_bytes() == whole.to_bytes()


def test_verdicts_go_out_with_their_coordinates() -> None:
    x = np.random.default_rng(18).normal(size=(200, 3))
    x[150] = 25.0
    table = joint().update_many(x)
    arrow = table.to_arrow()
    assert len(arrow["coordinates"][150].as_py()) == 3
    line = table[150:151].json_lines()
    assert b'"coordinates":[' in line
    assert table[table["kind"] == Kind.ANOMALY][0].coordinates


@pytest.mark.parametrize(
    "wrong",
    [
        {"rank": -1},
        {"rank": 65},
        {"rank": 1.5},
        {"half_life": 5.0},
        {"half_life": True},
        {"alpha": 0.5},
        {"pool": True},
    ],
)
def test_bad_parameters_are_refused_at_construction(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterError):
        joint(**wrong)


def test_what_belongs_to_joint_detectors_is_refused_elsewhere() -> None:
    with pytest.raises(ParameterError, match="joint"):
        mg.Detector(rank=2)
    with pytest.raises(ParameterError, match="fleet"):
        mg.Fleet(joint())
    with pytest.raises(ParameterError, match="rank must be less"):
        joint(rank=3).update([1.0, 2.0, 3.0])
    with pytest.raises(ParameterError, match="rank must be 0"):
        joint(rank=3).update_many(scipy.sparse.csr_matrix((2, 9)))
    with pytest.raises(SnapshotError):
        mg.Detector.from_bytes(b"nothing")


def test_hundred_thousand_coordinates() -> None:
    rng = np.random.default_rng(19)
    detector = joint()
    detector.update_many(rng.normal(size=(100, 100_000)))
    assert detector.update(rng.normal(size=100_000)).kind == Kind.NORMAL
    assert detector.update(1.1 * rng.normal(size=100_000)).kind == Kind.ANOMALY


def test_arrays_that_cannot_be_written_to_have_no_kernel_of_their_own() -> None:
    """One costs seconds at the first use."""
    x, times = np.random.default_rng(2).normal(size=(100, 20)), np.arange(100)
    before = joint().update_many(x, times)
    kernels = len(run_dense.signatures)  # type: ignore[attr-defined]
    x.flags.writeable = times.flags.writeable = False
    after = joint().update_many(x, times)
    assert len(run_dense.signatures) == kernels  # type: ignore[attr-defined]
    np.testing.assert_array_equal(after["value"], before["value"])
    assert not x.flags.writeable


def test_verdicts_survive_arrow_and_joining() -> None:
    rng = np.random.default_rng(5)
    rows = [{"colour": str(c), "size": int(k)} for c, k in zip(*rng.integers(0, 4, (2, 400)), strict=True)]
    rows[300] = {"colour": "odd", "size": -1}
    detector = joint()
    table = detector.update_many(mg.hash_features(rows))
    back = JointVerdicts.from_arrow(table.to_arrow())
    for name in ("value", "p_value", "score", "kind", "seq", "why", "coordinates", "changed_at", "before"):
        np.testing.assert_array_equal(back[name], table[name], err_msg=name)
    assert table.named(300)
    assert [row.to_json() for row in back] == [row.to_json() for row in table]
    assert [back.named(i) for i in range(400)] == [table.named(i) for i in range(400)]
    with pytest.raises(ValueError, match="no column names"):
        JointVerdicts.from_arrow(table.to_arrow().drop_columns("names"))

    more = detector.update_many(mg.hash_features([{"colour": "0", "size": 0}, {"colour": "new", "size": 9}]))
    both = JointVerdicts.concat([table, more])
    assert len(both) == 402
    assert [both.named(i) for i in (300, 401)] == [table.named(300), more.named(1)]
    assert len(JointVerdicts.concat([]).to_arrow()) == 0


def test_joining_keeps_the_shifts() -> None:
    x = np.random.default_rng(6).normal(size=(900, 4))
    x[600:, 2] += 6.0
    detector = joint()
    parts = [detector.update_many(x[:450]), detector.update_many(x[450:])]
    told = parts[1].shifts
    assert told
    assert [shift.seq for shift in JointVerdicts.concat(parts).shifts] == [shift.seq for shift in told]


@pytest.mark.parametrize("distance", [0.0, 1e-30, 1e-18, 1.0])
def test_shares_add_up_where_single_precision_sees_no_distance(distance: float) -> None:
    x, zero, one = np.array([distance, 0.0, 0.0]), np.zeros(3), np.ones(3)
    coordinates, shares = np.full(8, -1), np.zeros(8, np.float32)
    callable_piece(top_shares)(x, zero, one, one, 100.0, coordinates, shares)
    assert sorted(coordinates[:3]) == [0, 1, 2]
    np.testing.assert_allclose(shares.sum(), 1, rtol=1e-5)
