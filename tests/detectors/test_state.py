"""The table of states: fixed records, of which rows can be moved about without anyone noticing."""

from __future__ import annotations

import numpy as np
import pytest

from marigram.detectors.default import process
from marigram.detectors.parameters import Parameters
from marigram.detectors.state import StateTable, record
from marigram.errors import ParameterError

X = np.random.default_rng(0).standard_t(3, size=(500, 1))
FIRST = np.zeros(500, np.int64)


def answers(table: StateTable, slots: np.ndarray, times: np.ndarray | None = None) -> bytes:
    """The p-values of 500 events, as bytes."""
    data: bytes = process(table, slots, X, times)["p_value"].tobytes()
    return data


def test_a_record_of_zeros_is_a_fresh_key() -> None:
    used = StateTable(Parameters(), 1, 3)
    fresh = answers(StateTable(Parameters(), 1, 1), FIRST)
    assert answers(used, FIRST + 1) == fresh
    assert answers(used, FIRST + 1) != fresh
    used.clear(np.array([1]))
    assert all(not np.frombuffer(a[1].tobytes(), np.uint8).any() for a in used.per_key().values())
    assert answers(used, FIRST + 1) == fresh


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("d", [1, 3])
def test_rows_can_be_moved(d: int, timed: bool) -> None:
    x = np.random.default_rng(1).normal(size=(500, d))
    times = np.arange(500) * 10**12 if timed else None
    here, there = StateTable(Parameters(), d, 2), StateTable(Parameters(), d, 5)
    process(here, FIRST + 1, x, times)
    there.grow(9)
    if timed:
        there.make_seasonal()
    there.put_rows(np.array([7]), here.copy_rows(np.array([1])))
    later = None if times is None else times + 10**15
    a, b = process(here, FIRST + 1, x, later), process(there, FIRST + 7, x, later)
    for name, column in a.items():
        if column is not None:
            assert column.tobytes() == b[name].tobytes(), name


def test_growing_keeps_what_is_there_and_never_shrinks() -> None:
    table = StateTable(Parameters(), 1, 1)
    answers(table, FIRST)
    before = table.heads[0].tobytes()
    table.grow(100)
    table.grow(10)
    assert table.capacity == 100
    assert table.heads[0].tobytes() == before
    assert not table.heads[1:].view(np.uint8).any()


def test_the_state_of_a_key_has_the_promised_size() -> None:
    table = StateTable(Parameters(), 1, 1)
    assert table.bytes_per_key <= 768
    table.make_seasonal()
    assert table.bytes_per_key <= 1536
    assert table.bytes_per_key == sum(a.nbytes for a in table.per_key().values())


def test_records_are_whole_cache_lines() -> None:
    for name, array in StateTable(Parameters(), 2, 1).arrays().items():
        assert array.dtype.itemsize % 64 == 0, name
        assert array.dtype.hasobject is False
    assert record([("a", "u1"), ("b", "f8")]).itemsize == 64


@pytest.mark.parametrize("d", [0, -1])
def test_a_value_has_a_coordinate_at_least(d: int) -> None:
    with pytest.raises(ParameterError):
        StateTable(Parameters(), d, 1)


def test_shards_do_the_work_of_one() -> None:
    """Each share of the keys by itself, in any order: the same states and answers."""
    from marigram.detectors.default import new_columns, process_shard, with_drifts

    rng = np.random.default_rng(2)
    slots = rng.integers(0, 10, 5000)
    x = rng.standard_t(3, size=(5000, 1))
    x[2500:] += 12
    whole, shared = StateTable(Parameters(), 1, 10), StateTable(Parameters(), 1, 10)
    expected = process(whole, slots, x)
    columns = new_columns(5000, 1)
    drifts = [process_shard(shared, slots, x, None, columns, share, 3) for share in (2, 0, 1)]
    found = with_drifts(columns, drifts)
    for name, column in expected.items():
        if column is not None:
            assert column.tobytes() == found[name].tobytes(), name
    assert whole.heads.tobytes() == shared.heads.tobytes()
    assert whole.coords.tobytes() == shared.coords.tobytes()


@pytest.mark.parametrize("d", [1, 3])
def test_every_record_begins_where_a_cache_line_begins(d: int) -> None:
    table = StateTable(Parameters(), d, 3)
    table.make_seasonal()
    table.grow(50)
    other = StateTable(Parameters(), d, 0)
    shifted = {
        name: np.frombuffer(b"?" + a.tobytes(), a.dtype, a.size, 1).reshape(a.shape)
        for name, a in table.arrays().items()
    }
    other.put_arrays(shifted)
    for held in (table, other):
        for name, array in held.arrays().items():
            assert array.itemsize % 64 == 0, name
            assert array.size == 0 or array.ctypes.data % 64 == 0, name
            assert array.flags.writeable, name
