"""Who is told, and when: episodes and notices follow from severities and drifts alone."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from tests.contracts.registry import deciding
from tests.contracts.streams import lively, seeds
from tests.contracts.subjects import Columns, Subject

from marigram import Kind

N = 3000
few = settings(max_examples=12)
GAP = 200
UNUSUAL = 3.0


def episodes(columns: Columns) -> tuple[list[int], list[bool]]:
    """Episode and notice of each scored event of one key, from its severities and drifts.

    An event of severity 3 or more, or a drift, belongs to the running episode when fewer than 200 scored events lie
    between it and the last one.
    """
    number, quiet, peak = 0, GAP, 0.0
    told: list[tuple[int, bool]] = []
    for severity, kind in zip(columns["severity"].tolist(), columns["kind"].tolist(), strict=True):
        if not (severity >= UNUSUAL or kind == Kind.DRIFT):
            quiet += 1
            told.append((0, False))
            continue
        fresh = quiet >= GAP
        number += fresh
        higher = severity >= peak + 1.0
        if fresh or higher:
            peak = severity
        quiet = 0
        told.append((number, fresh or higher))
    return [e for e, _ in told], [n for _, n in told]


@deciding
@few
@given(seed=seeds)
def test_episodes_and_notices_follow_from_severities_and_drifts(subject: Subject, seed: int) -> None:
    stream = lively(seed, N, subject.d, timed=subject.timed)
    columns = subject.feed(subject.fresh(), stream)
    for key in range(subject.keys):
        mine = (stream.keys % subject.keys == key) & (columns["kind"] < Kind.MISSING)
        mine &= columns["n"] >= 8
        rows = {name: column[mine] for name, column in columns.items()}
        # the snapshot keeps peaks in single precision
        rows["severity"] = rows["severity"].astype(np.float32).astype(np.float64)
        episode, notice = episodes(rows)
        assert rows["episode"].tolist() == episode
        assert rows["notice"].tolist() == notice


@deciding
@few
@given(seed=seeds)
def test_a_notice_is_worth_telling(subject: Subject, seed: int) -> None:
    columns = subject.feed(subject.fresh(), lively(seed, N, subject.d, timed=subject.timed))
    notice, drift = columns["notice"], columns["kind"] == Kind.DRIFT
    assert ((columns["severity"][notice] >= UNUSUAL) | drift[notice]).all()
    assert (columns["episode"][notice] > 0).all()
    assert (columns["severity"][drift] >= 4.0).all()
    unscored = columns["kind"] >= Kind.MISSING
    assert (columns["episode"][unscored] == 0).all()
