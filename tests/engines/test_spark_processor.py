"""The stateful operator in Spark's own tester, which needs no Java."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import marigram as mg
from marigram.detectors.parameters import Parameters
from marigram.verdicts import Verdicts

pytest.importorskip("pyspark", reason="this machine lacks Spark")

from pyspark.sql.streaming.tws_tester import TwsTester

from marigram.engines.spark.design import Design
from marigram.engines.spark.packing import PACKED, REJECT, packed, unpacked
from marigram.engines.spark.processor import NAMES, PAGES, BucketProcessor

DESIGN = Design(Parameters(), "str", 1, False, 8, 16)


def cell(keys: list[str], values: np.ndarray, start: int) -> pd.DataFrame:
    table = pa.table({"key": keys, "value": values, "arrival": np.arange(start, start + len(keys))})
    return pd.DataFrame({PACKED: [packed(table)]})


def test_batch_after_batch_the_operator_says_what_a_fleet_says() -> None:
    tester, fleet = TwsTester(BucketProcessor(DESIGN)), mg.Fleet()
    rng = np.random.default_rng(0)
    for batch in range(3):
        keys = [f"k{i}" for i in rng.integers(0, 40, 500)]
        values = rng.normal(size=500)
        told = tester.testInPandas((3,), cell(keys, values, 500 * batch))
        want = fleet.update(keys, values)
        got = Verdicts.from_arrow(unpacked(told[PACKED][0]))
        for name in ("key", "seq", "p_value", "lower", "upper", "kind", "severity"):
            np.testing.assert_array_equal(got[name], want[name])
    assert tester.peekMapState(NAMES, (3,)).keys() == {(0,), (1,), (2,)}
    assert tester.peekMapState(PAGES, (3,)).keys() == {(0,), (1,), (2,)}
    assert not tester.peekMapState(PAGES, (4,))


def test_rejects_pass_through_beside_the_verdicts() -> None:
    rejects = pd.DataFrame({PACKED: [packed(pa.table({REJECT: [b"one", b"two"]}))]})
    events = cell(["a"], np.ones(1), 0)
    told = TwsTester(BucketProcessor(DESIGN)).testInPandas((0,), pd.concat([rejects, events]))
    assert unpacked(told[PACKED][0]).column(REJECT).to_pylist() == [b"one", b"two"]
    assert len(unpacked(told[PACKED][1])) == 1


def test_with_a_time_to_live_names_are_written_with_their_records() -> None:
    """Both expire together, so no name stays without its record."""
    for ttl, expected in ((None, 0), (1000, 1)):
        processor = BucketProcessor(DESIGN, ttl)
        tester = TwsTester(processor, timeMode="None" if ttl is None else "ProcessingTime")
        tester.testInPandas((0,), cell(["a"], np.ones(1), 0))
        tester.updateMapState(NAMES, (0,), {(0,): (tester.peekMapState(NAMES, (0,))[(0,)][0],)})
        before = tester.peekMapState(NAMES, (0,))[(0,)]
        tester.testInPandas((0,), cell(["a"], np.ones(1), 1))
        assert (tester.peekMapState(NAMES, (0,))[(0,)] is not before) == bool(expected)
