"""The memory of `--plot` stays bounded and keeps what a person would look for."""

import numpy as np

from marigram.cli._sample import Sample
from marigram.kinds import Kind
from marigram.verdicts import Verdicts


def batch(keys: list[str] | None, first: int, n: int, grave: dict[int, float] | None = None) -> Verdicts:
    kind = np.zeros(n, np.uint8)
    severity = np.zeros(n)
    notice = np.zeros(n, bool)
    for row, peak in (grave or {}).items():
        kind[row], severity[row], notice[row] = Kind.ANOMALY, peak, True
    key = None if keys is None else np.array([keys[i % len(keys)] for i in range(n)], object)
    seq = np.arange(first, first + n)
    return Verdicts(key=key, seq=seq, value=seq.astype(float), kind=kind, severity=severity, notice=notice)


def test_a_short_stream_is_kept_whole() -> None:
    sample = Sample()
    for first in range(0, 3000, 1000):
        sample.take(batch(None, first, 1000))
    assert sample.table()["seq"].tolist() == list(range(3000))


def test_a_long_stream_is_thinned_but_its_notices_stay() -> None:
    sample = Sample(rows=500)
    for first in range(0, 100_000, 1000):
        sample.take(batch(None, first, 1000, {17: 4.0}))
    kept = sample.table()
    assert len(kept) <= 1000
    assert np.flatnonzero(kept["notice"]).size == 100
    assert (np.diff(kept["seq"]) > 0).all()
    assert kept["seq"][-1] >= 99_000


def test_too_many_notices_keep_the_gravest() -> None:
    sample = Sample(rows=100)
    for first in range(0, 10_000, 1000):
        sample.take(batch(None, first, 1000, {row: 3.0 + row / 1000 + first for row in range(1000)}))
    kept = sample.table()
    assert len(kept) <= 200
    assert kept["severity"].max() == 3.0 + 0.999 + 9000


def test_grave_keys_displace_quiet_ones() -> None:
    sample = Sample(keys=4)
    sample.take(batch([f"quiet{i}" for i in range(50)], 0, 200))
    for first in range(10):
        sample.take(batch([f"late{i}" for i in range(10)], first, 10, {3: 7.0, 8: 5.0}))
    shown = sample.table(2)
    assert list(dict.fromkeys(shown["key"].tolist())) == ["late3", "late8"]
    assert len(shown) == 20
