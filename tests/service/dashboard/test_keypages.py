"""What a key's page says of its last event."""

from __future__ import annotations

import numpy as np

import marigram as mg
from marigram.service.dashboard.keypages import _last_event

MINUTE = 60 * 10**9


def test_a_key_that_fell_silent_still_has_a_last_event() -> None:
    fleet = mg.Fleet(mg.Detector(), keys=str)
    table = fleet.update(["a"] * 200, np.random.default_rng(0).normal(size=200), np.arange(200) * MINUTE)
    silent = fleet.silent(10**6 * MINUTE)
    assert len(silent) == 1
    before, after = dict(_last_event(table)), dict(_last_event(mg.Verdicts.concat([table, silent])))
    assert before["number"] == "199"
    assert after == before | {"since then": "silence"}
    assert _last_event(silent)[0][1].startswith("it fell silent")
