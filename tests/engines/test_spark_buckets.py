"""How keys become groups, numbers and pages; no JVM."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram import ParameterError, SnapshotError

pytest.importorskip("pyspark", reason="this machine lacks Spark")

from marigram.engines.spark.buckets import check_buckets, labels, murmur3
from marigram.engines.spark.roster import Roster, names_of


@pytest.mark.parametrize(("number", "hashed"), [(0, 933211791), (1, -559580957), (42, 29417773)])
def test_the_hash_is_that_of_spark(number: int, hashed: int) -> None:
    """The numbers are what ``SELECT hash(n)`` gives."""
    assert murmur3(number) == hashed % 2**32


@pytest.mark.parametrize("buckets", [1, 2, 64, 256])
def test_every_partition_gets_the_same_number_of_buckets(buckets: int) -> None:
    names = labels(buckets)
    assert len(set(names.tolist())) == buckets
    for partitions in (2**k for k in range(buckets.bit_length())):
        shares = np.bincount([murmur3(int(name)) % partitions for name in names], minlength=partitions)
        assert set(shares.tolist()) == {buckets // partitions}


@pytest.mark.parametrize("buckets", [0, 3, 8192, 2.0, True])
def test_a_number_of_buckets_that_is_no_power_of_two_is_refused(buckets: int) -> None:
    with pytest.raises(ParameterError, match="power of two"):
        check_buckets(buckets)


names = st.text(st.characters(codec="utf-8"), max_size=5)


@given(st.lists(st.lists(names, max_size=40), max_size=6), st.integers(1, 7))
def test_keys_keep_the_numbers_of_their_first_appearance(batches: list[list[str]], size: int) -> None:
    """The oracle is a dict; after each batch the roster is made anew from its pages."""
    known: dict[str, int] = {}
    pages: dict[int, bytes] = {}
    for batch in batches:
        roster = Roster("str", size, pages.items())
        before = len(roster)
        assert before == len(known)
        for name in batch:
            known.setdefault(name, len(known))
        assert roster.numbers(batch).tolist() == [known[name] for name in batch]
        for page in range(-(-len(known) // size)):
            if roster.ends(np.array([page]))[0] > before:
                pages[page] = roster.page(page)
    listed = [name for page in sorted(pages) for name in names_of("str", pages[page]).objects()]
    assert listed == list(known)


def test_integers_are_kept_as_they_are() -> None:
    roster = Roster("int", 4)
    assert roster.numbers(np.array([7, -1, 7, 2**62])).tolist() == [0, 1, 0, 2]
    again = Roster("int", 4, [(0, roster.page(0))])
    assert again.numbers(np.array([2**62, 5])).tolist() == [2, 3]


def test_a_page_that_was_forgotten_leaves_the_others_their_numbers() -> None:
    roster = Roster("int", 2)
    roster.numbers(np.arange(6))
    rest = Roster("int", 2, [(page, roster.page(page)) for page in (2, 0)])
    assert rest.numbers(np.array([4, 1, 2, 3])).tolist() == [4, 1, 6, 7]


def test_a_name_on_two_pages_is_a_damage() -> None:
    roster = Roster("str", 2)
    roster.numbers(["a", "b"])
    with pytest.raises(SnapshotError, match="twice"):
        Roster("str", 2, [(0, roster.page(0)), (1, roster.page(0))])
