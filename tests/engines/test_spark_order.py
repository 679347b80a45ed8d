"""A stream cut into batches, tasks and buckets gives the verdicts of one fleet, late events among them; no JVM."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.engines.states import MemoryState, events, untimed

import marigram as mg
from marigram.detectors.parameters import Parameters
from marigram.events.batch import Batch
from marigram.events.keys import KeyNames
from marigram.events.lateness import reordered

pytest.importorskip("pyspark", reason="this machine lacks Spark")

from marigram.engines.spark import packing
from marigram.engines.spark.bucket import judged
from marigram.engines.spark.buckets import labels
from marigram.engines.spark.design import Design
from marigram.engines.spark.packing import packer, unpacked

SECOND = 1_000_000_000
BUCKETS, KEYS, EVENTS = 8, 40, 4000
FIELDS = (
    "seq",
    "n",
    "p_value",
    "expected",
    "lower",
    "upper",
    "kind",
    "severity",
    "episode",
    "notice",
    "late",
)


class Stream:
    """Events of a few keys, some out of order and some far too late."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        number = rng.integers(0, KEYS, EVENTS)
        self.bucket = (number % BUCKETS).astype(np.int32)
        self.keys = np.array([f"k{i}" for i in number], object)
        self.times = (np.arange(EVENTS) + rng.integers(-20, 20, EVENTS)) * SECOND
        self.times[rng.integers(0, EVENTS, 60)] -= 100 * SECOND
        self.times += 1_700_000_000 * SECOND
        self.values = rng.normal(size=EVENTS)
        self.values[rng.integers(0, EVENTS, 20)] = np.nan

    def embedded(self, lateness: int | None) -> dict[int, list[Any]]:
        """The verdicts of one fleet behind one reorder buffer, by event."""
        order = np.arange(EVENTS)
        if lateness is not None:
            batch = Batch(
                values=self.values, times=self.times, key_codes=None, key_names=KeyNames(), ids=order,
                rejects=[], lines=0, offset={}, notices=[],
            )  # fmt: skip
            parts = [part.ids for part in reordered([batch], lateness, {})]
            order = np.concatenate([part for part in parts if part is not None])
        found = mg.Fleet().update(self.keys[order], self.values[order], self.times[order])
        return {i: [found[name][row] for name in FIELDS] for row, i in enumerate(order.tolist())}

    def table(self, rows: np.ndarray, *, last: bool) -> pa.Table:
        """A task's rows as a source gives them, the end of the stream behind the last."""
        columns = {
            "key": pa.array(self.keys[rows], pa.string()),
            "time": pa.array(self.times[rows]),
            "value": pa.array(self.values[rows]),
            "id": pa.array([str(i) for i in rows], pa.string()),
            "order00": pa.array(rows),
            "bucket": pa.array(self.bucket[rows]),
            "ended": pa.array(np.zeros(len(rows), bool)),
        }
        table = pa.table(columns)
        nothing = {name: pa.nulls(1, table.schema.field(name).type) for name in columns}
        end = pa.table(nothing | {"ended": pa.array([True])})
        return pa.concat_tables([table, end]) if last else table


def cells(
    stream: Stream, start: int, stop: int, marked: bool, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[int, bytes]]:
    """The packed rows of a micro-batch that two tasks read."""
    half = (start + stop) // 2
    pack = packer(labels(BUCKETS), marked=marked, in_source_order=True)
    for task, rows in ((1, np.arange(half, stop)), (0, np.arange(start, half))):
        monkeypatch.setattr(packing, "task_number", lambda task=task: task)
        table = stream.table(rows, last=stop == EVENTS and task == 1)
        for batch in pack(iter(table.to_batches(max_chunksize=100))):
            yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


@pytest.mark.parametrize("lateness", [None, 0, 5, 30])
def test_verdicts_are_those_of_one_fleet(lateness: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "ROWS", 300)
    stream = Stream(0 if lateness is None else lateness)
    delay = None if lateness is None else lateness * SECOND
    design = Design(Parameters(), "str", 1, True, BUCKETS, 16, delay)
    states: dict[int, MemoryState] = {}
    got: dict[int, list[Any]] = {}
    cuts = [0, *np.sort(stream.rng.integers(1, EVENTS, 9)).tolist(), EVENTS]
    for start, stop in pairwise(cuts):
        batch = list(cells(stream, start, stop, delay is not None, monkeypatch))
        stream.rng.shuffle(batch)
        for label in {name for name, _ in batch}:
            parts = [unpacked(cell) for name, cell in batch if name == label]
            events = pa.concat_tables(parts, promote_options="default")
            told = judged(design, states.setdefault(label, MemoryState()), events)
            for row in range(0 if told is None else len(told)):
                assert told is not None
                got[int(told["id"][row])] = [told[name][row] for name in FIELDS]
    want = stream.embedded(delay)
    assert got.keys() == want.keys()
    for i, verdict in want.items():
        np.testing.assert_array_equal(np.array(got[i]), np.array(verdict), err_msg=str(i))
    assert any(verdict[-1] for verdict in want.values())


def test_a_checkpoint_begun_with_another_detector_is_refused() -> None:
    state = MemoryState()
    judged(untimed(), state, events(["a"], [1.0]))
    with pytest.raises(mg.ParameterError, match="another parameters"):
        judged(untimed(parameters=Parameters(alpha=0.01)), state, events(["a"], [1.0]))


def test_a_state_that_is_none_of_ours_is_told() -> None:
    state = MemoryState()
    state.about = b"{}"
    with pytest.raises(mg.SnapshotError, match="does not say"):
        judged(untimed(), state, events(["a"], [1.0]))


def test_a_damaged_page_is_told() -> None:
    state = MemoryState()
    judged(untimed(), state, events(["a"], [1.0]))
    state.pages[0] = state.pages[0][:-20]
    with pytest.raises(mg.SnapshotError, match="cannot be read"):
        judged(untimed(), state, events(["a"], [1.0]))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"page": 8}, "from 16 to 1024"),
        ({"parameters": Parameters(pool=True)}, "pool"),
        ({"lateness": 5}, "no column is the time"),
        ({"lateness": -5, "timed": True}, "negative"),
    ],
)
def test_a_design_out_of_range_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(mg.ParameterError, match=told):
        untimed(**changes)


def test_an_event_without_key_is_told() -> None:
    pack = packer(labels(8))
    table = pa.table({"key": ["a", None], "value": [1.0, 2.0], "bucket": pa.array([1, None], pa.int32())})
    with pytest.raises(mg.ParameterError, match="no key"):
        list(pack(iter(table.to_batches())))
