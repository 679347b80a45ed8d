"""What may be given to a detector, and what is refused with a word about it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

import marigram as mg
from marigram import Kind
from marigram.detectors.default import Parameters, nanoseconds
from marigram.errors import ParameterError, SnapshotError

X = np.random.default_rng(0).normal(size=300)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (1, Kind.NORMAL),
        (True, Kind.NORMAL),
        (np.float32(0.5), Kind.NORMAL),
        (np.int64(1), Kind.NORMAL),
        (np.array(0.5), Kind.NORMAL),
        ([0.5], Kind.NORMAL),
        (None, Kind.MISSING),
        (float("nan"), Kind.MISSING),
        (float("inf"), Kind.REJECTED),
        (-1e301, Kind.REJECTED),
        (10**400, Kind.REJECTED),
        (-(10**400), Kind.REJECTED),
        (2**70, Kind.ANOMALY),
    ],
)
def test_a_number_of_any_sort_is_an_event_alone_and_in_a_batch(value: Any, kind: Kind) -> None:
    one, many = mg.Detector(), mg.Detector()
    one.update_many(X)
    many.update_many(X)
    assert one.update(value).kind == kind
    batch = [value] if np.ndim(value) == 0 else value
    assert many.update_many(batch)["kind"].tolist() == [kind]
    assert one.to_bytes() == many.to_bytes()


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, lambda x: np.array(x, object)])
def test_any_column_of_numbers_is_a_batch(container: Any) -> None:
    expected = mg.Detector().update_many(X)["p_value"]
    assert (mg.Detector().update_many(container(X.tolist()))["p_value"] == expected).all()


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64, np.uint8, bool])
def test_numbers_of_any_width_are_taken_as_doubles(dtype: type) -> None:
    x = (X > 0).astype(dtype)
    expected = mg.Detector().update_many(x.astype(np.float64))["p_value"]
    assert (mg.Detector().update_many(x)["p_value"] == expected).all()


@pytest.mark.parametrize("value", ["x", "1.5", object(), 1j, {}, np.zeros((2, 2)), b"1"])
def test_what_is_no_number_is_refused(value: Any) -> None:
    detector = mg.Detector()
    before = detector.to_bytes()
    with pytest.raises(ParameterError):
        detector.update(value)
    with pytest.raises(ParameterError):
        detector.update_many([value])
    assert detector.to_bytes() == before


def test_nothing_is_learned_from_columns_that_do_not_fit() -> None:
    detector = mg.Detector()
    detector.update_many(X)
    before = detector.to_bytes()
    for values, times in (
        (np.zeros((3, 2)), None),
        (np.zeros((2, 2, 2)), None),
        (X, np.arange(3)),
        (X, ["no time"] * len(X)),
        (X, np.zeros(len(X))),
    ):
        with pytest.raises(ParameterError):
            detector.update_many(values, times)
    with pytest.raises(ParameterError):
        detector.update([1.0, 2.0])
    assert detector.to_bytes() == before


def test_an_empty_batch_is_no_event() -> None:
    detector = mg.Detector()
    assert len(detector.update_many([])) == 0
    detector.update_many(X)
    before = detector.to_bytes()
    assert len(detector.update_many(np.zeros(0))) == 0
    assert len(detector.update_many(np.zeros((0, 1)))) == 0
    assert detector.to_bytes() == before


@pytest.mark.parametrize(
    "times",
    [
        ["2024-01-01T00:00", "2024-01-01T00:01", None],
        np.array(["2024-01-01T00:00", "2024-01-01T00:01", "NaT"], "datetime64[s]"),
        [datetime(2024, 1, 1), datetime(2024, 1, 1, 0, 1), None],
        np.array([1704067200 * 10**9, 1704067260 * 10**9, np.iinfo(np.int64).min]),
    ],
)
def test_times_of_any_sort(times: Any) -> None:
    assert nanoseconds(times).tolist() == [1704067200 * 10**9, 1704067260 * 10**9, np.iinfo(np.int64).min]


@pytest.mark.parametrize("alpha", [0, 1, -1e-3, 0.11, 1e-9, float("nan"), float("inf"), "x", None, True])
def test_alpha_is_checked(alpha: Any) -> None:
    with pytest.raises(ParameterError, match="alpha"):
        mg.Detector(alpha=alpha)


@pytest.mark.parametrize(
    ("name", "value"), [("season", "yes"), ("season", True), ("pool", 1), ("pool", None)]
)
def test_other_parameters_are_checked(name: str, value: Any) -> None:
    with pytest.raises(ParameterError, match=name):
        mg.Detector(**{name: value})


def test_parameters_are_frozen_and_travel() -> None:
    detector = mg.Detector(alpha=1e-4, season="off", pool=True)
    with pytest.raises(AttributeError):
        detector.parameters.alpha = 0.1  # type: ignore[misc]
    assert mg.Detector.from_bytes(detector.to_bytes()).parameters == detector.parameters
    assert (
        mg.Detector.from_parameters(Parameters(alpha=1e-4, season="off", pool=True)).parameters
        == detector.parameters
    )


def test_a_damaged_snapshot_is_refused() -> None:
    detector = mg.Detector()
    detector.update_many(X)
    data = detector.to_bytes()
    rng = np.random.default_rng(1)
    for place in (0, 20, len(data) - 1, *rng.integers(0, len(data), 30)):
        broken = bytearray(data)
        broken[place] ^= 1 << int(rng.integers(8))
        with pytest.raises(SnapshotError):
            mg.Detector.from_bytes(bytes(broken))
    for length in (0, 5, len(data) // 2, len(data) - 1):
        with pytest.raises(SnapshotError):
            mg.Detector.from_bytes(data[:length])
    with pytest.raises(SnapshotError):
        mg.Detector.from_bytes(data + b"x")


def test_id_and_key_are_carried_into_the_verdict() -> None:
    verdict = mg.Detector().update(1.0, id="a7", key="host 1")
    assert (verdict.id, verdict.key) == ("a7", "host 1")
