"""A block of verdicts holds what was put in, and gives out one key's alone."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from marigram import Detector, Fleet, SnapshotError
from marigram.store.packing import pack_verdicts, unpack_verdicts


@pytest.mark.parametrize("d", [1, 3])
@pytest.mark.parametrize("ids", [False, True])
def test_a_block_gives_back_what_was_put_in(d: int, ids: bool) -> None:
    rng = np.random.default_rng(d)
    values = rng.normal(size=(900, d)) + 9.0 * (np.arange(900) > 500)[:, None]
    keys = [f"k{i}" for i in rng.integers(0, 3, 900)]
    own = [f"id-{i}" for i in range(900)] if ids else None
    times = 10**18 + np.arange(900) * 10**9
    verdicts = Fleet(Detector()).update(keys, values if d > 1 else values[:, 0], times, own)
    block, distinct = pack_verdicts(verdicts)
    assert sorted(distinct) == ["k0", "k1", "k2"]
    assert unpack_verdicts(block).json_lines() == verdicts.json_lines()
    mine = verdicts[np.flatnonzero(verdicts["key"] == "k1")]
    assert unpack_verdicts(block, "k1", of_key=True).json_lines() == mine.json_lines()
    assert len(unpack_verdicts(block, "other", of_key=True)) == 0
    assert np.count_nonzero(mine["resolves"] >= 0) > 0


def test_events_without_keys() -> None:
    verdicts = Fleet(Detector()).update(None, np.arange(10.0))
    block, _ = pack_verdicts(verdicts)
    assert unpack_verdicts(block, None, of_key=True).json_lines() == verdicts.json_lines()


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_block_that_is_cut_or_changed_is_refused(data: st.DataObject) -> None:
    block = bytearray(pack_verdicts(Fleet(Detector()).update(["a", "b"] * 20, np.arange(40.0)))[0])
    cut = data.draw(st.integers(0, len(block) - 1))
    with pytest.raises(SnapshotError):
        unpack_verdicts(bytes(block[:cut]))
    at = data.draw(st.integers(0, 8 * len(block) - 1))
    block[at // 8] ^= 1 << at % 8
    if at // 8 not in range(4, 8):
        with pytest.raises(SnapshotError):
            unpack_verdicts(bytes(block))
