"""An alert as one line: what it says, and what it never does."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marigram.kinds import Kind
from marigram.verdicts import Verdicts, alert_line
from marigram.wording import cells, number, odds

ESCAPES = re.compile("\x1b\\[[0-9;]*m")
MIDDAY = 1_709_294_700_000_000_000  # 2024-03-01 12:05 UTC


def verdict(kind=Kind.ANOMALY, value=93.1, **more):
    columns = {
        "key": ["web-7"],
        "seq": [512],
        "time": [MIDDAY],
        "p_value": [2.5e-5],
        "lower": [40.2],
        "upper": [61.7],
    }
    return Verdicts(value=[value], kind=[kind], **(columns | more))[0]


def test_an_anomaly_tells_when_who_what_the_band_the_odds_and_why():
    line = alert_line(verdict())
    assert line.split("  ")[0] == "2024-03-01T12:05:00Z"
    for part in (
        "web-7 #512",
        "anomaly",
        "93.1",
        "expected 40.2 to 61.7",
        "1 in 40,000",
        "31.4 above the range",
    ):
        assert part in line
    assert "15.2 below the range" in alert_line(verdict(value=25.0))
    assert str(verdict()) == line


def test_a_drift_tells_the_levels_since_when_and_what_it_withdraws():
    line = alert_line(verdict(Kind.DRIFT, changed_at=[508], before=[50.3], after=[71.9], resolves=[509]))
    assert "level 50.3 -> 71.9 since #508, withdraws the alerts since #509" in line
    same = alert_line(verdict(Kind.DRIFT, changed_at=[508], before=[50.3], after=[71.9], resolves=[508]))
    assert "since #508, withdraws the alerts since then" in same
    assert "withdraws" not in alert_line(verdict(Kind.DRIFT, changed_at=[508], before=[50.3], after=[71.9]))


def test_a_drift_of_the_spread_does_not_speak_of_a_level_that_moved():
    line = alert_line(verdict(Kind.DRIFT, changed_at=[508], before=[50.31], after=[50.31]))
    assert "spread changed, level still 50.31 since #508" in line
    assert "->" not in line


def test_a_notice_within_the_promised_rate_says_why_it_is_told():
    notice = verdict(Kind.NORMAL, value=55.0, p_value=[0.03], severity=[3.3], notice=[True])
    line = alert_line(notice)
    assert "unusual" in line
    assert "severity 3.3" in line
    assert "1 in" not in line
    assert "inside the range, yet rare for this key" in line
    quiet = alert_line(verdict(Kind.NORMAL, value=55.0, p_value=[0.03], severity=[3.3]))
    assert "normal" in quiet
    assert "1 in 30" in quiet
    assert "rare" not in quiet


def test_a_vector_tells_its_largest_shares_by_name():
    v = Verdicts(value=[[1.0, 9.0, 3.0, 0.0]], kind=[1], p_value=[1e-6], lower=[[0.0] * 4], upper=[[4.0] * 4],
                 why=[[0.25, 0.7, 0.05, 0.0]], drift_rows=[0], changed_at=[3], before=[[1.0, 2, 3, 4]],
                 after=[[1.0, 8, 3, 4]], resolves=[-1])  # fmt: skip
    assert "x1 = 9  expected 0 to 4  1 in a million  x1 70 %, x0 25 %, x2 5 %" in alert_line(v[0], 100)
    assert "cpu = 9" in alert_line(v[0], names=["mem", "cpu", "disk", "net"])
    drift = Verdicts(
        **{name: v[name] for name in ("value", "why", "changed_at", "before", "after")}, kind=[2]
    )
    assert "level 2 -> 8 since #3" in alert_line(drift[0])


def test_what_is_not_there_is_not_told():
    bare = Verdicts(value=[np.nan], kind=[Kind.MISSING])[0]
    assert alert_line(bare) == "#0                missing    none      no value came"
    assert "not a usable number" in alert_line(Verdicts(value=[np.inf], kind=[Kind.REJECTED])[0])
    assert alert_line(verdict(late=[True])).endswith("late")


@given(
    key=st.none() | st.text(),
    kind=st.sampled_from(Kind),
    width=st.integers(20, 200),
    value=st.floats(),
    p=st.floats(0, 1),
    colour=st.booleans(),
)
def test_a_line_is_one_line_within_its_width_whatever_the_key(key, kind, width, value, p, colour):
    v = verdict(
        kind, value, key=np.array([key], object), p_value=[p], changed_at=[3], before=[value], after=[1.0]
    )
    line = alert_line(v, width, colour)
    assert cells(ESCAPES.sub("", line) if colour else line) <= width
    assert (ESCAPES.sub("", line) if colour else line).isprintable()
    if width >= 60:
        assert kind.label in line


def test_colour_changes_nothing_but_colour():
    assert ESCAPES.sub("", alert_line(verdict(), 100, colour=True)) == alert_line(verdict(), 100)
    assert "\x1b[" in alert_line(verdict(), 100, colour=True)


@given(st.floats(1e-300, 0.7))
def test_odds_are_within_a_rounding_of_the_truth(p):
    told = odds(p).removeprefix("1 in ").replace("a ", "1 ").replace(",", "")
    for word, size in (("million", "e6"), ("billion", "e9"), ("trillion", "e12")):
        told = told.replace(" " + word, size)
    assert float(told) * p == pytest.approx(1.0, rel=0.35)


@given(st.floats(-1e300, 1e300))
def test_numbers_stay_short_and_near(x):
    assert len(number(x)) <= 12
    assert float(number(x).replace(",", "")) == pytest.approx(x, rel=1e-3)
