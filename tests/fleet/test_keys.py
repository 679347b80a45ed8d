"""Keys are numbered by first appearance, whatever the column's form and however it is cut."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.fleet.keys import KeyIndex, key_index

TEXTS = ["b", "a", "", "b", "grün", "a" * 40, "x\0", "a" * 40, "x"]


def numbered_by_dict(keys: list[Any]) -> list[int]:
    known: dict[Any, int] = {}
    return [known.setdefault(key, len(known)) for key in keys]


def numbers(index: KeyIndex, keys: Any, cuts: list[int] | None = None) -> list[int]:
    bounds = [0, *sorted(cuts or []), len(keys)]
    parts = [index.number(index.read(keys[a:b])) for a, b in itertools.pairwise(bounds)]
    return [int(n) for n in np.concatenate(parts)]


@settings(max_examples=60)
@given(st.lists(st.text(max_size=20)), st.lists(st.integers(0, 20), max_size=3))
def test_texts_are_numbered_as_a_dictionary_would(keys: list[str], cuts: list[int]) -> None:
    index = key_index(str)
    keys = [key.encode("utf-8", "replace").decode() for key in keys]
    assert numbers(index, keys, [min(c, len(keys)) for c in cuts]) == numbered_by_dict(keys)
    assert index.names().tolist() == list(dict.fromkeys(keys))


@settings(max_examples=60)
@given(st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3)))
def test_integers_are_numbered_as_a_dictionary_would(keys: list[int]) -> None:
    index = key_index(int)
    assert numbers(index, np.array(keys, np.int64)) == numbered_by_dict(keys)
    assert index.names().tolist() == list(dict.fromkeys(keys))


@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda keys: np.array(keys, dtype=object),
        lambda keys: np.array(keys, dtype=np.dtypes.StringDType()),
        pd.Series,
        lambda keys: pd.Series(keys, dtype="string[pyarrow]"),
        pl.Series,
        pa.array,
        lambda keys: pa.array(["cut off", *keys]).slice(1),
        lambda keys: pa.chunked_array([keys[:2], [], keys[2:]]),
        lambda keys: pa.array(keys, pa.large_string()),
        lambda keys: pa.array(keys, pa.string_view()),
    ],
)
def test_every_form_of_texts(form: Any) -> None:
    index = key_index("str")
    assert index.number(index.read(form(TEXTS))).tolist() == numbered_by_dict(TEXTS)


def test_fixed_width_texts_and_short_integers() -> None:
    texts, ints = key_index(str), key_index(int)
    assert texts.number(texts.read(np.array(["ab", "a", "ab"]))).tolist() == [0, 1, 0]
    for form in ([5, -1, 5], np.array([5, -1, 5], np.int8), pd.Series([5, -1, 5]), pl.Series([5, -1, 5])):
        assert ints.number(ints.read(form)).tolist() == [0, 1, 0]
    assert ints.number(ints.read(np.array([5], np.uint64))).tolist() == [0]


@pytest.mark.parametrize(
    ("kind", "keys", "reason"),
    [
        (str, [1, 2], "integers"),
        (str, ["a", None], "row 1 has no key"),
        (str, ["a", 1], "int and str"),
        (str, [b"a"], "binary"),
        (str, ["a", float("nan")], "float and str"),
        (str, "abc", "a column"),
        (str, [["a"]], "list"),
        (str, np.array([["a"]]), "2 dimensions"),
        (str, ["\ud800"], "no valid Unicode"),
        (str, pa.array([1]), "int64"),
        (str, pd.Series(["a", None]), "row 1 has no key"),
        (int, ["a"], "str"),
        (int, [1.5], "float"),
        (int, np.array([1.0]), "floats"),
        (int, np.array([True]), "booleans"),
        (int, [True, False], "booleans"),
        (int, np.array([2**63], np.uint64), "64 bits"),
        (int, [2**70], "beyond 64 bits"),
        (int, pl.Series([1, None]), "row 1 has no key"),
        (int, 7, "a column"),
    ],
)
def test_wrong_keys_are_refused_in_words(kind: type, keys: Any, reason: str) -> None:
    index = key_index(kind)
    with pytest.raises(ParameterError, match=reason):
        index.read(keys)
    assert len(index) == 0


def test_an_unknown_kind_of_keys_is_refused() -> None:
    with pytest.raises(ParameterError, match="str or int"):
        key_index(float)


@pytest.mark.parametrize("kind", [str, int])
def test_many_keys_growth_saving_and_moving(kind: type) -> None:
    wanted = np.random.default_rng(1).permutation(20_000)
    keys = [kind(k) for k in np.concatenate([wanted, wanted[::-1]]).tolist()]
    index = key_index(kind)
    assert index.number(index.read(keys[:30_000])).tolist() == numbered_by_dict(keys[:30_000])
    index.move(np.zeros)
    assert index.number(index.read(keys)).tolist() == numbered_by_dict(keys)
    again = key_index(kind)
    again.number(again.column_of(index.arrays()))
    assert again.names().tolist() == keys[:20_000]
    assert again.names(np.array([19_999, 3])).tolist() == [keys[19_999], keys[3]]


def test_looking_up_does_not_insert() -> None:
    index = key_index(str)
    index.number(index.read(["a"]))
    assert index.number(index.read(["b", "a"]), insert=False).tolist() == [-1, 0]
    assert len(index) == 1
