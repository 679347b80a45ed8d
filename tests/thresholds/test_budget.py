"""AlertBudget: never more than was asked for, the most surprising first, and few false ones."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marigram as mg
from marigram.errors import ParameterError, SnapshotError

HOUR = 3600 * 10**9
DAY = 24 * HOUR
NAT = np.iinfo(np.int64).min
SETTINGS = {
    "by time": {"budget": 3, "per": "day"},
    "by events": {"budget": 2, "per": 40, "eager": 2.0, "memory": 1.5},
    "one an hour": {"budget": 1, "per": timedelta(hours=1), "eager": 30.0},
    "fdr": {"budget": 0.2, "mode": "fdr", "memory": 200.0},
}
every = pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS)
few = settings(max_examples=15)
seeds = st.integers(0, 10**6)
N = 400


def events(seed: int, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Scores, some no numbers, and times that stand still, jump, go back, or are none."""
    rng = np.random.default_rng(seed)
    scores = np.round(rng.exponential(size=n) * rng.choice([0.1, 1, 3]), 3)
    scores[rng.random(n) < 0.03] = np.nan
    scores[rng.random(n) < 0.01] = np.inf
    steps = rng.choice([0, 1, 5, -40, 60 * 24 * 2], n, p=[0.2, 0.4, 0.35, 0.03, 0.02])
    times = 1_700_000_000 * 10**9 + np.cumsum(steps) * 60 * 10**9
    times[rng.random(n) < 0.02] = NAT
    return scores, times


def naive(scores, times, budget, per, eager=5.0, memory=4.0):
    """The rule, with all events kept."""
    period = per if isinstance(per, int) else {"day": DAY}.get(per, HOUR)
    told, kept, given, now, begun, rows = [], [], [], None, None, 0
    for x, t in zip(scores, times, strict=True):
        time, rows = (rows if isinstance(per, int) else t), rows + 1
        if not abs(x) <= 1e300:
            told.append(False)
            continue
        if now is None:
            now = 0 if time == NAT else time
        now = now if time == NAT else max(now, time)
        begun = now if begun is None else begun
        ages = np.array([(now - a) / period for _, a in kept])
        near = [w for (y, _), w in zip(kept, 2.0 ** (-ages / memory), strict=True) if y >= x]
        watched = memory / np.log(2) * (1 - 2 ** (-min((now - begun) / period, 4 * memory) / memory))
        rate = (1 + sum(near)) / watched if watched > 0 else np.inf
        free = budget - sum(now - a < period for a in given)
        told.append(bool(free > 0 and rate <= eager * budget * np.sqrt(free / budget)))
        if told[-1]:
            given.append(now)
        kept.append((x, now))
    return told


@pytest.mark.parametrize(
    "options", [v for k, v in SETTINGS.items() if k != "fdr"], ids=[k for k in SETTINGS if k != "fdr"]
)
@few
@given(seed=seeds)
def test_it_is_what_the_rule_says(options: dict, seed: int) -> None:
    """While no event is old enough to be forgotten, a list of the most surprising does as well as all events."""
    scores, times = events(seed, 120)
    times[times != NAT] = times[times != NAT][0] + (times[times != NAT] - times[times != NAT][0]) // 500
    assert mg.AlertBudget(**options).update_many(scores, times).tolist() == naive(scores, times, **options)


@settings(max_examples=60)
@given(
    seed=seeds,
    budget=st.integers(1, 6),
    eager=st.floats(1, 1000),
    rising=st.booleans(),
    bursts=st.booleans(),
)
def test_no_stretch_of_a_period_holds_more_than_the_budget(
    seed: int, budget: int, eager: float, rising: bool, bursts: bool
) -> None:
    """Whatever the stream does: here scores that keep rising and events that come all at once."""
    rng = np.random.default_rng(seed)
    n = 2000
    scores = np.arange(n) * 1.0 if rising else rng.standard_cauchy(n)
    times = np.cumsum(
        rng.choice([0, 1, 3 * 24 * 60], n, p=[0.9, 0.09, 0.01]) if bursts else rng.integers(0, 30, n)
    )
    times = times * 60 * 10**9
    alert_budget = mg.AlertBudget(budget, per="day", eager=eager)
    told = times[alert_budget.update_many(scores, times)]
    assert alert_budget.alerts == len(told)
    assert (told[budget:] - told[:-budget] >= DAY).all()
    assert len(told) > 0 or not rising


@every
@few
@given(seed=seeds, where=st.lists(st.integers(0, N), max_size=4))
def test_any_split_gives_the_same(options: dict, seed: int, where: list[int]) -> None:
    scores, times = events(seed)
    whole, pieces = mg.AlertBudget(**options), mg.AlertBudget(**options)
    expected = whole.update_many(scores, times)
    cuts = [0, *sorted(where), N]
    said = np.concatenate([pieces.update_many(scores[a:b], times[a:b]) for a, b in pairwise(cuts)])
    np.testing.assert_array_equal(said, expected)
    assert pieces.to_bytes() == whole.to_bytes()


@every
def test_one_by_one_gives_the_same(options: dict) -> None:
    scores, times = events(7)
    scores *= 1e-3 if options.get("mode") == "fdr" else 1.0
    whole, single = mg.AlertBudget(**options), mg.AlertBudget(**options)
    expected = whole.update_many(scores, times.astype("datetime64[ns]"))
    assert expected.any()
    assert [single.update(s, t) for s, t in zip(scores, times, strict=True)] == expected.tolist()
    assert single.to_bytes() == whole.to_bytes()


@every
@few
@given(seed=seeds, at=st.integers(0, N))
def test_a_snapshot_resumes_as_if_never_stopped(options: dict, seed: int, at: int) -> None:
    scores, times = events(seed)
    whole, running = mg.AlertBudget(**options), mg.AlertBudget(**options)
    expected = whole.update_many(scores, times)[at:]
    running.update_many(scores[:at], times[:at])
    resumed = mg.AlertBudget.from_bytes(running.to_bytes())
    assert resumed.parameters == running.parameters
    np.testing.assert_array_equal(resumed.update_many(scores[at:], times[at:]), expected)
    assert resumed.to_bytes() == whole.to_bytes()


def test_only_the_order_of_scores_counts() -> None:
    scores, times = events(3, 2000)
    scores = scores[np.isfinite(scores)]
    times = times[: len(scores)]
    a = mg.AlertBudget(5, per="day").update_many(scores, times)
    np.testing.assert_array_equal(mg.AlertBudget(5, per="day").update_many(np.exp(scores), times), a)


def fleet_day(seed: int, anomalies: int, days: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores -log10 p of 5,000 normal events a day and of anomalies beyond 1e-4, in order of time."""
    rng = np.random.default_rng(seed)
    normal, odd = 5000 * days, rng.poisson(anomalies * days)
    scores = np.append(-np.log10(rng.random(normal)), 4 + rng.exponential(1.5, odd))
    times = (rng.random(normal + odd) * days * DAY).astype(np.int64)
    order = np.argsort(times)
    return scores[order], times[order], (np.arange(normal + odd) >= normal)[order]


def test_where_there_are_enough_anomalies_the_budget_goes_to_them() -> None:
    scores, times, true = fleet_day(0, anomalies=100)
    told = mg.AlertBudget(10, per="day").update_many(scores, times)
    late = times > 5 * DAY
    assert (told & true)[late].sum() >= 0.8 * 10 * 25
    assert (told & true)[late].sum() >= 0.95 * told[late].sum()


def test_a_drift_of_the_scores_is_followed() -> None:
    scores, times, _ = fleet_day(1, anomalies=0)
    scores[times > 15 * DAY] += 2.0
    budget = mg.AlertBudget(10, per="day")
    told = times[budget.update_many(scores, times)]
    per_day = np.bincount(told // DAY, minlength=30)
    assert per_day.max() <= 20  # two adjacent stretches of 24 hours
    assert per_day[20:].mean() > 7
    assert len(told) <= 10 * 30


def test_verdicts_of_a_fleet_go_in_as_they_are() -> None:
    rng = np.random.default_rng(0)
    n, keys = 40_000, 20
    values = rng.normal(size=n)
    values[rng.choice(np.arange(n // 4, n), 200, replace=False)] += 15
    times = np.arange(n) * 60 * 10**9
    verdicts = mg.Fleet(mg.Detector(), keys=int).update(np.arange(n) % keys, values, times)
    budget = mg.AlertBudget(3, per="day")
    told = budget.update_many(verdicts)
    assert told.shape == (n,)
    assert told.any()
    assert verdicts["notice"][told].all()
    assert (times[told][3:] - times[told][:-3] >= DAY).all()
    assert budget.n == verdicts["notice"].sum()
    fdr = mg.AlertBudget(0.1, mode="fdr").update_many(verdicts)
    assert (values[fdr] > 6).mean() > 0.8
    few_events = mg.AlertBudget(1, per=10_000, of="anomalies").update_many(verdicts)
    assert 1 <= few_events.sum() <= 4
    assert np.isin(verdicts["kind"][few_events], (mg.Kind.ANOMALY, mg.Kind.DRIFT)).all()


def test_verdicts_without_times_need_a_period_of_events() -> None:
    verdicts = mg.Detector().update_many(np.random.default_rng(0).normal(size=200))
    with pytest.raises(ParameterError, match="number of events"):
        mg.AlertBudget(3, per="day").update_many(verdicts)
    assert mg.AlertBudget(3, per=100, of="events").update_many(verdicts).sum() <= 6


def test_on_noise_the_test_levels_keep_the_share_of_false_alerts() -> None:
    """Decayed counts at the end of 400 streams of valid p-values: E[false]/E[max(1, alerts)], far within its error."""
    level, memory, n = 0.2, 500.0, 3000
    weights = (1 - 1 / memory) ** np.arange(n)[::-1]
    for share in (0.0, 0.02, 0.2):
        false = alerts = 0.0
        for seed in range(400):
            rng = np.random.default_rng(seed)
            true = rng.random(n) < share
            p = np.where(true, rng.random(n) * 1e-5, rng.random(n))
            told = mg.AlertBudget(level, mode="fdr", memory=memory).update_many(p)
            false += weights[told & ~true].sum() / 400
            alerts += max(1.0, weights[told].sum()) / 400
        assert false / alerts <= level * 1.15  # 0.2 with a standard error of about 0.01
        if share:
            assert told[true].mean() > 0.5


def test_p_values_that_are_none_are_rejected() -> None:
    budget = mg.AlertBudget(0.1, mode="fdr")
    assert not budget.update_many([np.nan, -0.1, 1.1, np.inf]).any()
    assert (budget.n, budget.rejected) == (0, 4)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"budget": 0, "per": "day"}, "budget"),
        ({"budget": 2.5, "per": "day"}, "budget"),
        ({"budget": 3}, "per is needed"),
        ({"budget": 3, "per": "fortnight"}, "per"),
        ({"budget": 3, "per": 1}, "per"),
        ({"budget": 3, "per": timedelta(days=400)}, "per"),
        ({"budget": 3, "per": "day", "eager": 0.5}, "eager"),
        ({"budget": 3, "per": "day", "memory": 0.0}, "memory"),
        ({"budget": 3, "per": "day", "of": "all"}, "of"),
        ({"budget": 3, "per": "day", "mode": "cap"}, "mode"),
        ({"budget": 0.7, "mode": "fdr"}, "budget"),
        ({"budget": 0.1, "mode": "fdr", "per": "day"}, "per is read by"),
        ({"budget": 0.1, "mode": "fdr", "memory": 2.0}, "memory"),
    ],
)
def test_settings_out_of_range_are_refused(options: dict, told: str) -> None:
    with pytest.raises(ParameterError, match=told):
        mg.AlertBudget(**options)


def test_times_that_do_not_fit_are_refused() -> None:
    budget = mg.AlertBudget(3, per="day")
    for times in (None, [1, 2], [1.5], ["now"]):
        with pytest.raises(ParameterError):
            budget.update_many([1.0], times)
    with pytest.raises(ParameterError):
        budget.update([1.0], 3)


def test_foreign_bytes_are_refused() -> None:
    with pytest.raises(SnapshotError):
        mg.AlertBudget.from_bytes(mg.QuantileTracker().to_bytes())
