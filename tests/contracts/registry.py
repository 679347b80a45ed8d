"""The register of algorithms: a new one joins the battery of laws by a line here."""

from __future__ import annotations

import pytest
from tests.contracts.estimators import EstimatorSubject, RegressionSubject
from tests.contracts.subjects import DetectorSubject, FleetSubject, JointSubject, Subject

import marigram as mg

DECIDING: tuple[Subject, ...] = (
    DetectorSubject("detector"),
    DetectorSubject("detector timed", timed=True),
    DetectorSubject("detector d=3", d=3),
    DetectorSubject("detector d=3 timed", d=3, timed=True),
    DetectorSubject("detector season off", timed=True, season="off"),
    JointSubject("joint d=3", d=3),
    JointSubject("joint d=3 timed", d=3, timed=True),
    JointSubject("joint d=3 of rank 1", d=3, rank=1),
    FleetSubject("fleet of one", 1, timed=True),
    FleetSubject("fleet of many", 7),
    FleetSubject("fleet of many timed", 7, timed=True, kind=int),
    FleetSubject("fleet of many d=3", 7, d=3, timed=True, threads=2),
)
"""Algorithms that give verdicts."""

ESTIMATING: tuple[Subject, ...] = (
    EstimatorSubject(mg.ClippedMean),
    EstimatorSubject(mg.ClippedMean, 3),
    EstimatorSubject(mg.ClippedScale),
    EstimatorSubject(mg.ClippedScale, 3),
    EstimatorSubject(mg.StepEnsemble),
    EstimatorSubject(mg.StepEnsemble, 3),
    RegressionSubject(mg.ClippedLinear),
    RegressionSubject(mg.ClippedLinear, 3),
    RegressionSubject(mg.ClippedLogistic),
    RegressionSubject(mg.ClippedLogistic, 3),
)
"""Algorithms that give estimates."""


def over(*subjects: Subject) -> pytest.MarkDecorator:
    """Run a law against these."""
    return pytest.mark.parametrize("subject", subjects, ids=lambda s: s.name)


every = over(*DECIDING, *ESTIMATING)
"""Run a law against every algorithm."""
deciding = over(*DECIDING)
"""Against every algorithm that gives verdicts."""
alone = over(*(s for s in DECIDING if s.keys == 1))
"""Against those with one key, where rows are the events of that key."""
scalar = over(*(s for s in DECIDING if s.keys == 1 and s.d == 1))
"""The same for events of one coordinate."""
timed = over(*(s for s in DECIDING if s.timed))
"""Against every algorithm that is given times."""
