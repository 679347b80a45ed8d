"""``pool=True``: young keys are judged by the tail of all keys, and nothing else changes."""

import numpy as np
import pytest

import marigram as mg

KEYS, EVENTS = 120, 250


def events(seed):
    """Interleaved keys of Student t(3) noise, each with its own level and scale."""
    rng = np.random.default_rng(seed)
    keys = np.tile(np.arange(KEYS), EVENTS)
    return keys, 100.0 * np.sin(keys) + (1.0 + keys) * rng.standard_t(3.0, len(keys))


def test_a_young_key_keeps_the_promised_rate_better():
    alpha = 1e-2
    keys, values = events(1)
    settled = np.arange(len(keys)) >= 100 * KEYS  # every key has had 100 events, none has 500 residuals
    rates = {}
    for pool in (False, True):
        p = mg.Fleet(mg.Detector(alpha, pool=pool), keys=int).update(keys, values)["p_value"]
        rates[pool] = np.mean(p[settled] <= alpha) / alpha
    # 18,000 events: a rate of 1 has a standard deviation of .075
    assert 0.7 < rates[True] < 1.3
    assert abs(np.log(rates[True])) < abs(np.log(rates[False])) + 0.1


def test_the_pool_is_saved_and_any_split_is_the_same(tmp_path):
    keys, values = events(2)
    whole = mg.Fleet(mg.Detector(pool=True), keys=int).update(keys, values)
    fleet = mg.Fleet(mg.Detector(pool=True), keys=int)
    parts = []
    for cut in np.array_split(np.arange(len(keys)), 3):
        parts.append(fleet.update(keys[cut], values[cut])["p_value"])
        fleet.save(tmp_path / "fleet.mg")
        fleet = mg.Fleet.load(tmp_path / "fleet.mg")
    np.testing.assert_array_equal(np.concatenate(parts), whole["p_value"])


def test_old_keys_are_their_own():
    rng = np.random.default_rng(3)
    x = rng.normal(size=4000)
    alone, pooled = (mg.Detector(pool=pool).update_many(x)["p_value"] for pool in (False, True))
    np.testing.assert_array_equal(alone[1000:], pooled[1000:])


def test_where_it_is_refused():
    with pytest.raises(mg.ParameterError, match="threads must be 1"):
        mg.Fleet(mg.Detector(pool=True), keys=int, threads=2)
    with pytest.raises(mg.ParameterError, match="one number"):
        mg.Detector(pool=True).update([1.0, 2.0])
