"""The fast stream of edges."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.bridge import oracles

from marigram.bridge import EdgeStream, edges
from marigram.errors import ParameterError


def traffic(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """2,000 calm minutes between 20 hosts, then a flood on one."""
    rng = np.random.default_rng(seed)
    minute = np.concatenate([np.sort(rng.integers(0, 2000, 8000)), np.full(300, 2001)])
    source = np.concatenate([rng.integers(0, 20, 8000), rng.integers(0, 20, 300)])
    target = np.concatenate([rng.integers(0, 20, 8000), np.full(300, 7)])
    return source, target, minute


def test_a_flood_is_by_its_target_and_above_all_that_is_calm() -> None:
    found = EdgeStream(keys=int).update(*traffic())
    assert found.score[8100:].min() > np.quantile(found.score[4000:8000], 0.99)
    assert (found.strongest[8050:] == 1).mean() > 0.95


def test_a_flood_does_not_become_the_norm() -> None:
    """Half of the flood's height after it has lasted for 20 of 2,000 minutes: clipped steps learn it slowly."""
    source, target, minute = traffic()
    stream = EdgeStream(keys=int)
    stream.update(source, target, minute)
    heights = [
        float(stream.update(np.zeros(300, int), np.full(300, 7), np.full(300, 2002 + k)).score[-1])
        for k in range(20)
    ]
    assert heights[-1] > 0.5 * heights[0] > 1


@pytest.mark.parametrize("keys", [int, str])
def test_batches_names_and_saving_change_nothing(keys: type, tmp_path: Path) -> None:
    source, target, minute = traffic()
    whole = EdgeStream(keys=int).update(source, target, minute)
    if keys is str:
        source, target = (np.char.add("host-", column.astype(str)) for column in (source, target))
    stream = EdgeStream(keys=keys)
    first = stream.update(source[:3001], target[:3001], minute[:3001])
    stream.save(tmp_path / "edges.mg")
    stream = EdgeStream.load(tmp_path / "edges.mg")
    second = stream.update(source[3001:], target[3001:], minute[3001:])
    assert np.array_equal(np.concatenate([first.score, second.score]), whole.score)
    assert stream.pairs == len(set(zip(source.tolist(), target.tolist(), strict=True)))


def test_what_cannot_be_an_edge_is_refused() -> None:
    for settings in ({"tick": 0}, {"half_life": 5}, {"keys": float}, {"most_pairs": 10}):
        with pytest.raises(ParameterError):
            EdgeStream(**settings)
    stream = EdgeStream(keys=int)
    with pytest.raises(ParameterError, match="whole numbers"):
        stream.update([1], [2], [0.5])
    with pytest.raises(ParameterError, match="hosts for"):
        stream.update([1, 2], [2], [0])
    with pytest.raises(ParameterError, match="missing"):
        stream.update([-1], [2], [0])
    with pytest.raises(ParameterError, match="hosts are numbers"):
        stream.update(["a"], ["b"], [0])
    with pytest.raises(ParameterError, match="missing"):
        EdgeStream().update(["a", None], ["b", "c"], [0, 0])


def test_a_late_edge_counts_as_if_it_came_now() -> None:
    late = EdgeStream(keys=int).update([0, 0, 0], [1, 1, 1], [5, 3, 6])
    now = EdgeStream(keys=int).update([0, 0, 0], [1, 1, 1], [5, 5, 6])
    assert np.array_equal(late.score, now.score)


def many(n: int, hosts: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, hosts, n), rng.integers(0, hosts, n), np.arange(n) // 20


def test_past_the_cap_the_pairs_touched_longest_ago_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a slow stream with dictionaries; the cut into batches changes nothing there either."""
    monkeypatch.setattr(edges, "_STRETCH", 250)
    source, target, tick = many(6000, 60)
    stream, whole = EdgeStream(keys=int, most_pairs=1000), EdgeStream(keys=int, most_pairs=1000)
    cuts = [slice(0, 777), slice(777, 3210), slice(3210, 6000)]
    scores = np.concatenate([stream.update(source[c], target[c], tick[c]).score for c in cuts])
    assert np.array_equal(scores, whole.update(source, target, tick).score)
    slow = oracles.Edges(np.log(2) / 7000, 1000, 250)
    told = [
        slow.evidence(*edge) for edge in zip(source.tolist(), target.tolist(), tick.tolist(), strict=True)
    ]
    assert scores == pytest.approx(np.array(told))
    assert (stream.pairs, stream.forgotten) == (len(slow.rates[2]), slow.forgotten)
    assert stream.forgotten > 1000


def test_below_the_cap_nothing_changes_and_above_it_memory_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    source, target, tick = many(30_000, 400)
    capped, free = EdgeStream(keys=int, most_pairs=30_000), EdgeStream(keys=int)
    assert np.array_equal(capped.update(source, target, tick).score, free.update(source, target, tick).score)
    assert capped.forgotten == 0
    monkeypatch.setattr(edges, "_STRETCH", 1000)
    small, sizes = EdgeStream(keys=int, most_pairs=3000), []
    for start in range(0, 30_000, 1000):
        part = slice(start, start + 1000)
        small.update(source[part], target[part], tick[part])
        sizes.append(len(small._pairs.keys))
    assert len(set(zip(source.tolist(), target.tolist(), strict=True))) > 8 * 3000
    assert set(sizes[6:]) == {8192}
    assert small.pairs <= 4000
