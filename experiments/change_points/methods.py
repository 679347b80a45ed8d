"""The tests compared: ours, and those of river, changepoint-online and ruptures, each with one form for all streams.

A method takes a stream (n,) or (n, d) and returns, for each change, the event that proved it and the estimate of the
first event of the new level.  What is not installed is said to be absent.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import marigram as mg

Floats = NDArray[np.float64]
Found = list[tuple[int, int]]
Method = Callable[[Floats], Found]

INSTALLED = {
    name: importlib.util.find_spec(name) is not None for name in ("river", "ruptures", "changepoint_online")
}


def of_test(make: Callable[[], Any]) -> Method:
    """One of our tests, fresh for each stream."""
    return lambda x: [(change.seq, change.changed_at) for change in make().update_many(x)]


def known(sigma: float, delta: float, G: float | None = None) -> dict[str, Method]:
    """Our tests where sigma bounds the standard deviation (for vectors: the root of the total variance)."""
    tests = {
        "CatoniChangePoint": of_test(lambda: mg.CatoniChangePoint(delta, sigma)),
        "ClippedChangePoint": of_test(lambda: mg.ClippedChangePoint(delta, sigma)),
    }
    return tests if G is None else tests | {"uai, theorem": uai("theorem", sigma, delta, G)}


def uai(constants: Any, sigma: float, delta: float, G: float) -> Method:
    """Algorithm 1 of the paper with the corrected test."""
    return of_test(
        lambda: mg.ClippedChangePoint(delta, sigma, variant="uai", constants=constants, diameter=G)
    )


def unknown(delta: float, seed: int = 0) -> dict[str, Method]:
    """Our tests that need nothing of the law."""
    return {
        "CatoniChangePoint, auto": of_test(lambda: mg.CatoniChangePoint(delta, "auto")),
        "RankChangePoint": of_test(lambda: mg.RankChangePoint(delta, seed=seed)),
        "CusumChangePoint": of_test(lambda: mg.CusumChangePoint(seed=seed)),
    }


def detector(x: Floats) -> Found:
    """The drifts of the default detector."""
    verdicts = mg.Detector().update_many(x)
    rows = np.flatnonzero(verdicts["kind"] == mg.Kind.DRIFT)
    return [(int(i), int(verdicts["changed_at"][i])) for i in rows]


def peers(delta: float) -> dict[str, Method]:
    """Online tests of other packages; those with a threshold on evidence get one for standardised values."""
    tests: dict[str, Method] = {}
    if INSTALLED["river"]:
        tests["river ADWIN, default"] = lambda x: _river("ADWIN", x)
        tests[f"river ADWIN, delta={delta:g}"] = lambda x: _river("ADWIN", x, delta=delta)
        tests["river PageHinkley, default"] = lambda x: _river("PageHinkley", x)
    if INSTALLED["changepoint_online"]:
        tests["changepoint-online Focus"] = _focus
        tests["changepoint-online NPFocus"] = _npfocus
    return tests


def offline() -> dict[str, Method]:
    """ruptures, which sees the whole series; penalty 2 log n for standardised values."""
    if not INSTALLED["ruptures"]:
        return {}
    return {
        "ruptures Pelt l2 (offline)": lambda x: _ruptures("Pelt", "l2", x),
        "ruptures Binseg l2 (offline)": lambda x: _ruptures("Binseg", "l2", x),
        "ruptures Pelt l1 (offline)": lambda x: _ruptures("Pelt", "l1", x),
    }


def absent() -> list[str]:
    """Packages that would have been compared."""
    return [name for name, there in INSTALLED.items() if not there]


def _river(name: str, x: Floats, **parameters: Any) -> Found:
    from river import drift

    test = getattr(drift, name)(**parameters)
    found = []
    for i, value in enumerate(np.asarray(x, float).tolist()):
        test.update(value)
        if test.drift_detected:
            found.append((i, max(0, i - int(getattr(test, "width", 0)) + 1)))
    return found


FOCUS = 0.5 * (2 * math.sqrt(math.log(1000))) ** 2
"""Threshold of the log likelihood ratio, the maximum of about 1,000 events of Gaussian noise; units of sigma."""


def _focus(x: Floats) -> Found:
    from changepoint_online import Focus, Gaussian

    found, begun, test = [], 0, Focus(Gaussian())
    for i, value in enumerate(np.asarray(x, float).tolist()):
        test.update(value)
        if test.statistic() >= FOCUS:
            found.append((i, begun + int(test.changepoint()["changepoint"])))
            begun, test = i + 1, Focus(Gaussian())
    return found


def _npfocus(x: Floats) -> Found:
    from changepoint_online import NPFocus

    found, begun = [], 0
    test, first = None, 32
    for i, value in enumerate(np.asarray(x, float).tolist()):
        if i < begun + first:
            test = None
            continue
        if test is None:
            test = NPFocus(np.quantile(x[begun:i], [0.1, 0.25, 0.5, 0.75, 0.9]).tolist())
        test.update(value)
        if max(test.statistic()) >= FOCUS:
            found.append((i, begun + first + int(test.changepoint()["changepoint"])))
            begun, test = i + 1, None
    return found


def _ruptures(name: str, model: str, x: Floats) -> Found:
    import ruptures

    values = np.asarray(x, float).reshape(len(x), -1)
    if len(values) < 6:
        return []
    jump = 1 if len(values) < 1000 else 5  # a place is known to five events in the well log
    search = getattr(ruptures, name)(model=model, jump=jump).fit(values)
    ends = search.predict(pen=2 * math.log(len(values)) * values.shape[1])
    return [(len(values) - 1, int(end)) for end in ends[:-1]]
