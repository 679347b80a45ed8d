"""The reorder buffer against its definition, one event at a time; cut anyhow, resumed anywhere."""

import json
from dataclasses import replace
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marigram.errors import ParameterError
from marigram.events import Schema, open_source
from marigram.events.batch import Batch, Offset, Reject
from marigram.events.keys import KeyNames
from marigram.events.lateness import reordered

CUTS = st.lists(st.integers(0, 60), max_size=8)
TIMES = st.lists(st.integers(0, 60), max_size=60)


def one_by_one(times, lateness, most):
    """Release (time, arrival) pairs as the module's docstring says, without cleverness."""
    held, out, mark = [], [], -(10**18)
    for arrival, time in enumerate(times):
        held.append((time, arrival))
        mark = max(mark, time - lateness)
        while True:
            due = sorted(event for event in held if event[0] <= mark)
            out += due
            held = [event for event in held if event[0] > mark]
            if len(held) <= most:
                break
            mark = min(held)[0]
    return out + sorted(held)


def batches_of(times, cuts, names=None, start=0, renew=False):
    """Batches of these times cut at these rows, value i for row i, and a reject before each batch but the first."""
    names = names or KeyNames()
    edges = [start, *sorted({cut for cut in cuts if start < cut < len(times)}), len(times)]
    for number, (a, b) in enumerate(pairwise(edges)):
        if renew and number % 3 == 2:
            names = KeyNames()
        keys = [f"k{i % 5}" for i in range(a, b)]
        yield Batch(
            values=np.arange(a, b, dtype=float),
            times=np.array(times[a:b], np.int64),
            key_codes=names.codes_of(keys),
            key_names=names,
            ids=np.array([str(i) for i in range(a, b)], object),
            rejects=[Reject("f", 1000 + a, "bad")] if a else [],
            lines=b,
            offset=msgspec.to_builtins(Offset(position=b)),
        )


def rows_of(batches):
    rows, rejects = [], []
    for batch in batches:
        rejects += [reject.line for reject in batch.rejects]
        for i, arrival in enumerate(batch.values.astype(int).tolist()):
            assert batch.keys[i] == f"k{arrival % 5}"
            assert batch.ids[i] == str(arrival)
            rows.append((int(batch.times[i]), arrival))
    return rows, rejects


@settings(max_examples=300)
@given(
    TIMES, st.integers(0, 30), st.lists(st.integers(0, 60), max_size=8), st.integers(1, 9), st.integers(1, 7)
)
def test_as_defined(times, lateness, cuts, most, rows):
    released = reordered(batches_of(times, cuts, renew=True), lateness, {}, rows=rows, most_held=most)
    got, _ = rows_of(released)
    assert got == one_by_one(times, lateness, most)


@settings(max_examples=150)
@given(
    TIMES.filter(len),
    st.integers(0, 30),
    st.lists(st.integers(0, 60), max_size=8),
    st.sampled_from([2, 1000]),
    st.data(),
)
def test_resumed_behind_any_batch(times, lateness, cuts, rows, data):
    whole = list(reordered(batches_of(times, cuts), lateness, {}, rows=rows))
    expected = rows_of(whole)
    stop = data.draw(st.integers(1, len(whole)))
    offset = json.loads(json.dumps(whole[stop - 1].offset))
    more_cuts = data.draw(CUTS)
    # the lines between two places of the source are the same, however they are cut
    again = batches_of(times, sorted({*cuts, *more_cuts}), start=offset.get("position", 0))
    resumed = rows_of(reordered((quiet(batch, cuts) for batch in again), lateness, offset, rows=rows))
    before = rows_of(whole[:stop])
    assert (before[0] + resumed[0], before[1] + resumed[1]) == expected


def quiet(batch, cuts):
    """A batch without the reject that only batches at ``cuts`` have."""
    return batch if len(batch) and int(batch.values[0]) in cuts else replace(batch, rejects=[])


def test_a_flood_of_equal_times_is_bounded():
    times = [5] * 5000
    released = list(reordered(batches_of(times, range(0, 5000, 100)), 10, {}, most_held=1000))
    assert rows_of(released)[0] == [(5, i) for i in range(5000)]
    assert sum(map(len, released[:-1])) >= 4000


def test_events_without_times_are_refused(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("v,w\n1,1\n2,2\n")
    with pytest.raises(ParameterError, match="no column is the time"):
        open_source(path, Schema(values=("v", "w")), lateness=5)
    with pytest.raises(ParameterError, match="negative"):
        open_source(path, Schema(time="v", time_unit="s", values=("w",)), lateness=-5)


def test_through_a_source(tmp_path):
    path = tmp_path / "in.jsonl"
    seconds = [10, 12, 11, 30, 5, 31, 29]
    path.write_text("".join(f'{{"ts":{1_700_000_000 + s},"value":{s}}}\n' for s in seconds))
    with open_source(path, lateness=3 * 10**9, batch_rows=2) as source:
        assert [x for batch in source for x in batch.values.tolist()] == [10, 11, 12, 5, 29, 30, 31]
