"""No verdict depends on the cap: keys on disk come back as they were, and damage on disk is found."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.errors import MarigramError, SnapshotError
from marigram.fleet import Fleet
from marigram.fleet.spill import FileArrays, Shelf
from marigram.verdicts import Verdicts

from .streams import MINUTE, START, same, stream


def cap(keys: int, *, d: int = 1, timed: bool = True) -> int:
    """Bytes that hold so many keys."""
    fleet = Fleet()
    fleet.update(["a"], np.zeros((1, d)), [START] if timed else None)
    return keys * (fleet.bytes_per_key + 96)


@settings(max_examples=40)
@given(
    st.integers(0, 1000),
    st.integers(8, 40),
    st.sampled_from([1, 2]),
    st.lists(st.integers(0, 500), max_size=4),
    st.sampled_from(["never", "always", "later"]),
)
def test_no_verdict_depends_on_the_cap(seed: int, room: int, d: int, cuts: list[int], timed: str) -> None:
    keys, values, times = stream(seed, rows=500, keys=60, d=d)
    free, capped = Fleet(), Fleet(memory=cap(room, d=d, timed=timed != "never"))
    for a, b in pairwise([0, *sorted(cuts), 500]):
        when = None if timed == "never" or (timed == "later" and a < 200) else times[a:b]
        assert same(capped.update(keys[a:b], values[a:b], when), free.update(keys[a:b], values[a:b], when))
    assert capped.stats()["evicted"] > 0 or timed == "later"
    assert capped.keys().tolist() == free.keys().tolist()
    assert all(capped.state(key) == free.state(key) for key in free.keys()[::7])
    late = START + 10**6 * MINUTE
    assert same(capped.silent(late), free.silent(late))
    assert len(capped.silent(late)) == 0


def test_a_flood_of_keys_stays_under_the_cap_and_known_keys_stay_as_they_were() -> None:
    free, capped = Fleet(keys=int), Fleet(keys=int, memory=cap(2000, timed=False))
    known, rng = np.arange(500), np.random.default_rng(0)
    for each in range(12):
        flood = 1000 + each * 5000 + np.arange(5000)
        keys = np.concatenate([known, flood, known])
        values = rng.normal(size=len(keys))
        assert same(capped.update(keys, values), free.update(keys, values))
    stats = capped.stats()
    assert stats["keys"] == 60_500
    assert stats["bytes_in_memory"] <= cap(2000, timed=False)
    assert stats["in_memory"] + stats["on_disk"] == 60_500
    assert stats["evicted"] - stats["restored"] == stats["on_disk"] > 58_000


def test_the_given_folder_is_used_and_left_clean(tmp_path: Path) -> None:
    keys, values, times = stream(0, rows=500, keys=60)
    fleet = Fleet(memory=cap(10), spill=tmp_path)
    fleet.update(keys, values, times)
    assert fleet.stats()["on_disk"] > 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(MarigramError, match="no file can be made"):
        Fleet(memory=cap(10), spill=tmp_path / "absent").update(keys, values, times)


def test_a_damaged_file_is_told_and_the_fleet_refuses_to_go_on() -> None:
    keys, values, times = stream(0, rows=500, keys=60)
    fleet = Fleet(memory=cap(10))
    fleet.update(keys, values, times)
    shelf = fleet._residents._shelf  # type: ignore[union-attr]
    assert shelf is not None
    os.pwrite(shelf._descriptor, bytes(shelf.nbytes), 0)
    with pytest.raises(SnapshotError, match="damaged by somebody else"):
        fleet.update(keys, values, times)
    for attempt in (
        lambda: fleet.update(keys, values, times),
        lambda: fleet.save("never"),
        lambda: fleet.silent(0),
    ):
        with pytest.raises(MarigramError, match="load its last snapshot"):
            attempt()


def test_the_shelf_returns_what_was_put_and_uses_places_again() -> None:
    rng = np.random.default_rng(0)
    shelf = Shelf(None, 5)
    held: dict[int, tuple[int, np.ndarray]] = {}
    for owner in range(0, 3000, 30):
        owners = np.arange(owner, owner + 30)
        records = rng.integers(0, 2**63, (30, 5)).astype(np.uint64)
        for place, one, record in zip(shelf.put(owners, records), owners, records, strict=True):
            assert place not in held
            held[int(place)] = (int(one), record)
        chosen = rng.permutation(list(held))[: rng.integers(1, 60)]
        found = shelf.get(chosen, np.array([held[p][0] for p in chosen.tolist()]))
        assert np.array_equal(found, [held[p][1] for p in chosen.tolist()])
        shelf.free(chosen)
        for place in chosen.tolist():
            del held[place]
        assert len(shelf) == len(held)
    assert shelf.nbytes < 3000 * 7 * 8 // 2


@settings(max_examples=50)
@given(st.data())
def test_every_flipped_bit_on_the_shelf_is_found(data: st.DataObject) -> None:
    shelf = Shelf(None, 4)
    owners, records = np.arange(6), np.arange(24, dtype=np.uint64).reshape(6, 4)
    places = shelf.put(owners, records)
    at = data.draw(st.integers(0, shelf.nbytes - 1))
    byte = os.pread(shelf._descriptor, 1, at)[0] ^ (1 << data.draw(st.integers(0, 7)))
    os.pwrite(shelf._descriptor, bytes([byte]), at)
    with pytest.raises(SnapshotError):
        shelf.get(places, owners)


def test_records_that_changed_places_are_found() -> None:
    shelf = Shelf(None, 4)
    records = np.arange(8, dtype=np.uint64).reshape(2, 4)
    places = shelf.put(np.array([1, 2]), records)
    with pytest.raises(SnapshotError):
        shelf.get(places, np.array([2, 1]))
    first, second = (os.pread(shelf._descriptor, 48, at) for at in (0, 48))
    os.pwrite(shelf._descriptor, second + first, 0)
    with pytest.raises(SnapshotError):
        shelf.get(places, np.array([2, 1]))


def test_arrays_in_files_hold_what_is_written_after_their_pages_are_let_go() -> None:
    files = FileArrays(None)
    array = files((300, 2), np.int64)
    assert not array.any()
    array[:] = 7
    files.release()
    assert (array == 7).all()
    assert files((0,), np.float64).shape == (0,)


def test_the_union_of_batches_under_a_cap_smaller_than_one_batch() -> None:
    keys, values, times = stream(5, rows=3000, keys=400)
    whole = Fleet().update(keys, values, times)
    capped = Fleet(memory=cap(8))
    parts = [capped.update(keys[:2999], values[:2999], times[:2999])]
    parts.append(capped.update(keys[2999:], values[2999:], times[2999:]))
    assert same(Verdicts.concat(parts), whole)
