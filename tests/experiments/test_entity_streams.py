"""How the experiment on streams of entities counts."""

from __future__ import annotations

import numpy as np
import pytest
from experiments.entity_streams.rival import midas
from experiments.entity_streams.run import Told, auc

from marigram.bridge import EventVerdicts


def test_the_statistic_of_midas_by_hand() -> None:
    """One pair: 2 edges in tick 1, none in tick 2, 4 in tick 3; a fades to 2 * .25 + 4, and s is 6."""
    zeros, ones = np.zeros(6, np.int32), np.ones(6, np.int32)
    scores = midas(zeros, ones, np.array([5, 5, 7, 7, 7, 7]))
    assert scores[:2].tolist() == [0, 0]
    assert scores[5] == pytest.approx((4.5 - 6 / 3) ** 2 * 9 / (6 * 2))


def test_area_counts_ties_half() -> None:
    assert auc(np.array([True, False, True, False]), np.array([2.0, 1.0, 1.0, 0.0])) == pytest.approx(3.5 / 4)


def test_a_case_without_an_attack_is_false_and_joining_finds_a_run() -> None:
    names = ("notice", "case", "action", "score")
    columns = (
        np.array([True, False, True, False, False]),
        np.array([0, 0, 1, -1, -1]),
        np.array(["a", "a", "b", "c", "DescribeAccountAttributes"], object),
        np.zeros(5),
    )
    verdicts = EventVerdicts(dict(zip(names, columns, strict=True)), ())
    attack = np.array([False, True, False, True, True])
    runs = np.array(["", "r1", "", "r2", "r3"], object)
    told = Told(verdicts, attack, runs, np.array([0, 1, 2, 3, 2 * 3600e9]))
    assert (told.notices, told.false, told.false_per_hour) == (2, 1, 0.5)
    assert (told.runs, told.found, told.own) == (3, 1, 0)
    assert (told.others, told.found_others) == (2, 1)
