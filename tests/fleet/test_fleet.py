"""A fleet is many detectors: the same answers, whoever else is there and however the events are cut."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marigram as mg
from marigram.errors import ParameterError
from marigram.fleet import Fleet
from marigram.verdicts import FIELDS, Verdicts

from .streams import MINUTE, START, same, stream


def test_a_key_is_answered_as_a_detector_of_its_own_would() -> None:
    keys, values, times = stream(7, rows=3000, keys=5)
    table = Fleet(mg.Detector(alpha=0.01)).update(keys, values, times)
    for key in np.unique(keys):
        mine = np.flatnonzero(keys == key)
        alone = mg.Detector(alpha=0.01).update_many(values[mine], times[mine])
        assert same(table[mine], alone, without=("key",))


@settings(max_examples=25)
@given(
    st.integers(0, 100),
    st.lists(st.integers(0, 600), max_size=4),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 2, 3]),
    st.booleans(),
)
def test_no_verdict_depends_on_how_events_are_cut_or_on_threads(
    seed: int, cuts: list[int], d: int, threads: int, timed: bool
) -> None:
    keys, values, times = stream(seed, rows=600, keys=9, d=d)
    when = times if timed else None
    whole = Fleet().update(keys, values, when)
    fleet = Fleet(threads=threads)
    bounds = [0, *sorted(cuts), 600]
    parts = [
        fleet.update(keys[a:b], values[a:b], None if when is None else when[a:b]) for a, b in pairwise(bounds)
    ]
    assert same(Verdicts.concat([part for part in parts if len(part)]), whole)


def test_threads_share_the_keys_of_a_long_batch() -> None:
    keys, values, times = stream(3, rows=150_000, keys=40)
    one, two = Fleet(), Fleet(threads=3)
    assert same(one.update(keys, values, times), two.update(keys, values, times))
    assert two._shares._pool is not None


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_keys_do_not_influence_each_other(seed: int) -> None:
    keys, values, times = stream(seed, rows=900, keys=6)
    others = values.copy()
    mine = keys == keys[0]
    others[~mine] = np.random.default_rng(seed).choice([np.nan, np.inf, 1e308, 0.0, -5.0], np.sum(~mine))
    a, b = Fleet().update(keys, values, times), Fleet().update(keys, others, times)
    assert same(a[mine], b[mine])


FORMS: list[tuple[Any, Any, Any]] = [
    (list, list, list),
    (pd.Series, pd.Series, lambda t: pd.Series(pd.to_datetime(t, utc=True))),
    (pl.Series, pl.Series, lambda t: pl.Series(t).cast(pl.Datetime("ns"))),
    (pa.array, pa.array, lambda t: pa.array(t, pa.timestamp("ns", "UTC"))),
    (lambda k: pa.array(k).dictionary_encode(), np.asfortranarray, lambda t: t.astype("M8[ns]")),
    (lambda k: pd.Series(k, dtype="category"), list, list),
    (lambda k: pl.Series(k, dtype=pl.Categorical), list, list),
    (lambda k: (np.unique(k, return_inverse=True)[1], np.unique(k).tolist()), list, list),
    (lambda k: (np.unique(k, return_inverse=True)[1].astype(np.uint8), np.unique(k)), list, list),
    (lambda k: k.astype("U"), np.array, np.array),
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_columns_gives_the_same(form: tuple[Any, Any, Any]) -> None:
    keys, values, times = stream(1, rows=300, keys=4)
    wanted = Fleet().update(keys, values, times)
    fleet = Fleet()
    assert same(fleet.update(form[0](keys), form[1](values), form[2](times)), wanted)
    assert fleet.keys().tolist() == list(dict.fromkeys(keys.tolist()))


def test_integer_keys_and_codes_of_integers() -> None:
    keys, values, _ = stream(1, rows=300, keys=4)
    numbers = np.unique(keys, return_inverse=True)[1] * 10
    wanted = Fleet().update(keys, values)
    plain = Fleet(keys=int).update(numbers, values)
    coded = Fleet(keys=int).update((numbers // 10, np.array([0, 10, 20, 30])), values)
    assert same(plain, wanted, without=("key",))
    assert same(plain, coded)
    assert plain["key"].dtype == np.int64


def test_a_growing_list_of_names_is_looked_up_once() -> None:
    names: list[str] = []
    fleet, plain = Fleet(), Fleet()
    rng = np.random.default_rng(0)
    for size in (3, 3, 4, 5, 7, 12, 13, 700, 5000):
        names.extend(f"k{i}" for i in range(len(names), size))
        codes, values = rng.integers(0, size, 500), rng.normal(size=500)
        assert same(fleet.update((codes, names), values), plain.update([names[c] for c in codes], values))
    assert fleet.keys().tolist() == plain.keys().tolist()


def test_events_without_keys_are_of_one_key() -> None:
    _, values, times = stream(1, rows=300, keys=1)
    fleet = Fleet()
    table = Verdicts.concat(
        [fleet.update(None, values[:100], times[:100]), fleet.update(None, values[100:], times[100:])]
    )
    assert same(table, mg.Detector().update_many(values, times))
    assert len(fleet) == 1


def test_verdicts_carry_what_was_given() -> None:
    keys, values, times = ["a", "b"], [1.0, 2.0], [START, START + MINUTE]
    table = Fleet().update(keys, values, times, ids=["x", None])
    assert [v.key for v in table] == keys
    assert [v.id for v in table] == ["x", None]
    assert table["time"].tolist() == times
    assert table["value"].tolist() == values
    assert set(FIELDS) == set(mg.Verdict.__struct_fields__)


def test_nothing_of_the_caller_is_changed_or_kept() -> None:
    keys, values, times = stream(2, rows=400, keys=3, d=2)
    mine = (keys.copy(), values.copy(), times.copy())
    table = Fleet().update(*mine)
    for ours, theirs in zip(mine, (keys, values, times), strict=True):
        assert np.array_equal(ours, theirs, equal_nan=ours.dtype != object)
    before = [table[name].copy() for name in ("key", "value", "time")]
    mine[0][:] = "other"
    mine[1][:] = 0.0
    mine[2][:] = 0
    for name, was in zip(("key", "value", "time"), before, strict=True):
        assert np.array_equal(table[name], was, equal_nan=was.dtype != object)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ((["a"], [1.0, 2.0]), "2 values but 1 keys"),
        ((["a", "b"], [1.0, 2.0], [1]), "2 values but 1 times"),
        ((["a", "b"], [1.0, 2.0], None, ["x"]), "2 values but 1 ids"),
        (([1, 2], [1.0, 2.0]), "integers"),
        ((["a", "b"], [True, False]), "booleans"),
        ((["a", "b"], np.zeros((2, 3))), "3 coordinates, the events before had 1"),
        ((["a", "b"], np.zeros((2, 0))), "at least one value"),
        ((["a", None], [1.0, 2.0]), "row 1 has no key"),
        (((np.array([0, 2]), ["a", "b"]), [1.0, 2.0]), "row 1 has no key: its code is 2"),
        (((np.array([0, -1]), ["a", "b"]), [1.0, 2.0]), "row 1 has no key: its code is -1"),
        (((np.array([0.0, 1.0]), ["a", "b"]), [1.0, 2.0]), "integers"),
        (((np.array([0, 1]), ["a", 7]), [1.0, 2.0]), "int"),
        ((pa.array(["a", None]).dictionary_encode(), [1.0, 2.0]), "row 1 has no key"),
    ],
)
def test_a_wrong_batch_is_refused_before_anything_is_learned(arguments: Any, reason: str) -> None:
    fleet, other = Fleet(), Fleet()
    for each in (fleet, other):
        each.update(["a"], [3.0])
    with pytest.raises(ParameterError, match=reason):
        fleet.update(*arguments)
    assert len(fleet) == 1
    assert same(fleet.update(["a", "b"], [1.0, 2.0]), other.update(["a", "b"], [1.0, 2.0]))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"keys": float}, "str or int"),
        ({"threads": 0}, "threads"),
        ({"threads": True}, "threads"),
        ({"memory": "many"}, "512 MB"),
        ({"memory": -1}, "at least 8 must fit"),
        ({"memory": "1 kB"}, "at least 8 must fit"),
        ({"spill": "/tmp"}, "memory="),  # noqa: S108 - nothing is written there
    ],
)
def test_wrong_settings_are_refused_in_words(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ParameterError, match=reason):
        Fleet(**settings).update(["a"] if settings.get("keys") is not int else [1], [1.0])


def test_an_empty_batch_is_a_batch() -> None:
    fleet = Fleet()
    assert len(fleet.update([], [])) == 0
    assert len(fleet.update(np.array([], object), np.zeros((0, 3)), [], [])) == 0
    assert len(fleet) == 0
    assert fleet.update(["a"], [[1.0, 2.0]])["value"].shape == (1, 2)
    assert len(fleet.update([], [])) == 0


def test_hostile_numbers_keep_every_state_finite() -> None:
    fleet = Fleet()
    hostile = [1e308, -1e308, np.inf, -np.inf, np.nan, 5e-324, 0.0, -0.0, 1.0, 1e300]
    rng = np.random.default_rng(0)
    fleet.update(rng.integers(0, 20, 4000).astype(str), rng.choice(hostile, 4000))
    known = fleet.keys()
    assert all(np.isfinite(number) for key in known for number in _numbers(fleet.state(key)))


def _numbers(plain: Any) -> list[float]:
    if isinstance(plain, dict):
        return [n for value in plain.values() for n in _numbers(value)]
    if isinstance(plain, list):
        return [n for value in plain for n in _numbers(value)]
    return [] if isinstance(plain, str) else [float(plain)]


def test_what_can_be_asked() -> None:
    fleet = Fleet()
    assert (len(fleet), fleet.d, fleet.keys().tolist(), "a" in fleet) == (0, 1, [], False)
    fleet.update(["b", "a", "b"], np.ones((3, 2)), [START] * 3)
    assert (len(fleet), fleet.d, fleet.keys().tolist(), "a" in fleet, 3 in fleet) == (
        2,
        2,
        ["b", "a"],
        True,
        False,
    )
    state = fleet.state("b")
    assert (state["key"], state["n"], state["time"], len(state["coords"])) == ("b", 2, START, 2)
    stats = fleet.stats()
    assert (stats["keys"], stats["in_memory"], stats["on_disk"], stats["evicted"]) == (2, 2, 0, 0)
    assert stats["bytes_per_key"] == fleet.bytes_per_key
    assert repr(fleet) == "Fleet(2 keys of type str, d=2)"
    with pytest.raises(ParameterError, match="no key 'c' is known"):
        fleet.state("c")
