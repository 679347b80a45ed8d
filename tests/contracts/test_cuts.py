"""However events are cut, saved and repeated, the answers are the same, bit for bit."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.registry import every
from tests.contracts.streams import cuts, lively, seeds
from tests.contracts.subjects import Subject, difference, joined

N = 700
few = settings(max_examples=12)


@every
@few
@given(seed=seeds, where=cuts(N))
def test_any_split_gives_the_same(subject: Subject, seed: int, where: list[int]) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    whole, pieces = subject.fresh(), subject.fresh()
    expected = subject.feed(whole, stream)
    parts = [subject.feed(pieces, stream.part(a, b)) for a, b in pairwise(where) if a < b]
    assert difference(joined(parts), expected) is None
    assert subject.save(pieces) == subject.save(whole)


@every
@settings(max_examples=4)
@given(seed=seeds)
def test_one_by_one_gives_the_same(subject: Subject, seed: int) -> None:
    n = 300
    stream = lively(seed, n, subject.d, timed=subject.timed)
    whole, single = subject.fresh(), subject.fresh()
    expected = subject.feed(whole, stream)
    parts = [subject.feed_one(single, stream.part(i, i + 1)) for i in range(n)]
    assert difference(joined(parts), expected) is None


@every
@few
@given(seed=seeds, where=st.lists(st.integers(0, N), min_size=1, max_size=3))
def test_a_snapshot_in_mid_stream_resumes_as_if_never_stopped(
    subject: Subject, seed: int, where: list[int]
) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    whole = subject.fresh()
    expected = subject.feed(whole, stream)
    running, parts = subject.fresh(), []
    for a, b in pairwise([0, *sorted(where), N]):
        if a < b:
            parts.append(subject.feed(running, stream.part(a, b)))
        running = subject.load(subject.save(running))
    assert difference(joined(parts), expected) is None
    assert subject.save(running) == subject.save(whole)


@every
def test_saving_changes_nothing(subject: Subject) -> None:
    stream = lively(5, N, subject.d, timed=subject.timed)
    a, b = subject.fresh(), subject.fresh()
    for begin in range(0, N, 100):
        subject.feed(a, stream.part(begin, begin + 100))
        subject.feed(b, stream.part(begin, begin + 100))
        assert subject.save(a) == subject.save(a)
    assert subject.save(a) == subject.save(b)


@every
@few
@given(seed=seeds)
def test_the_same_events_give_the_same_bytes(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    a, b = subject.fresh(), subject.fresh()
    assert difference(subject.feed(a, stream), subject.feed(b, stream)) is None
    assert subject.save(a) == subject.save(b)


@every
def test_the_caller_keeps_its_arrays(subject: Subject) -> None:
    stream = lively(11, N, subject.d, timed=subject.timed)
    given_arrays = [array for array in stream if array is not None]
    before = [array.copy() for array in given_arrays]
    for array in given_arrays:
        array.flags.writeable = False
    running = subject.fresh()
    first = subject.feed(running, stream)
    kept = {name: column.copy() for name, column in first.items()}
    for array, copy in zip(given_arrays, before, strict=True):
        assert array.tobytes() == copy.tobytes()
    # what the caller does with its arrays later is no business of the verdicts
    for array in given_arrays:
        array.flags.writeable = True
    stream.values[:] = -1.0
    subject.feed(running, stream)
    assert difference(first, kept) is None, "a verdict was rewritten"


@every
def test_a_non_contiguous_batch_is_the_same_batch(subject: Subject) -> None:
    stream = lively(12, N, subject.d, timed=subject.timed)
    wide = np.zeros((2 * N, *stream.values.shape[1:]))
    wide[::2] = stream.values
    times = None if stream.times is None else np.repeat(stream.times, 2)[::2]
    strided = stream._replace(values=wide[::2], times=times)
    assert difference(subject.feed(subject.fresh(), strided), subject.feed(subject.fresh(), stream)) is None
