"""The streams and the counts of the threshold experiment, on examples counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from experiments.thresholds import methods, run, streams

CONFIG = {"offline_sets": 3, "offline_size": 50, "gap": 40, "p": 0.9, "fixed_share": 0.3}
DAY = streams.DAY


def test_anomalies_lie_past_the_quantile_of_their_own_law() -> None:
    shares = [
        streams.appendix_g(seed, 4000, 0.9, CONFIG, shift=shift).anomalous.mean()
        for seed in range(5)
        for shift in (False, True)
    ]
    assert np.mean(shares) == pytest.approx(0.1, abs=0.01)


def test_without_a_shift_there_is_one_law() -> None:
    scores = streams.appendix_g(1, 4000, 0.9, CONFIG, shift=False)
    assert scores.x[scores.anomalous].min() > scores.x[~scores.anomalous].max()
    moving = streams.appendix_g(1, 4000, 0.9, CONFIG, shift=True)
    assert moving.x[moving.anomalous].min() < moving.x[~moving.anomalous].max()


def test_abstentions_are_no_mistakes() -> None:
    scores = streams.Scores(np.arange(5.0), np.array([False, False, True, True, True]), [])
    answers = np.array([1, -1, 0, -1, 1], np.int8)
    assert run.mistakes(answers, scores) == (40.0, 2.0, pytest.approx(1 / 3))


def test_the_fixed_quantile_abstains_first_and_the_running_one_never() -> None:
    scores = streams.Scores(np.arange(100.0), np.zeros(100, bool), [])
    fixed = methods.fixed(CONFIG)(scores)
    assert (fixed[:30] == methods.ABSTAINED).all()
    assert (fixed[30:] == 1).all()
    assert methods.running(CONFIG)(scores).tolist() == [0] + [1] * 99


@pytest.mark.parametrize(
    ("times", "most"),
    [([], 0), ([0], 1), ([0, DAY // 2, DAY], 2), ([0, 1, 2, DAY + 1], 3), ([0, DAY - 1], 2)],
)
def test_the_fullest_day(times: list, most: int) -> None:
    assert run.fullest_day(np.array(times, np.int64)) == most


@pytest.mark.parametrize("kind", ["steady", "jump", "ramp", "tide", "burst"])
def test_days_are_in_order_and_hold_what_was_asked(kind: str) -> None:
    stream = streams.days(0, 10, 500, 20.0, kind)
    assert (np.diff(stream.times) >= 0).all()
    assert (~stream.true).sum() == 5000
    assert 100 < stream.true.sum() < 300
    assert 0 <= stream.times.min() <= stream.times.max() < 10 * DAY
