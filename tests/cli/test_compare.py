"""What two configurations tell differently is counted event by event."""

import numpy as np

from marigram.cli._compare import Comparison, Side
from marigram.cli._options import Told
from marigram.kinds import Kind
from marigram.verdicts import Verdicts

DAY = 86_400_000_000_000


def table(notices: list[int], anomalies: tuple[int, ...] = ()) -> Verdicts:
    n = 10
    kind = np.zeros(n, np.uint8)
    kind[list(anomalies)] = Kind.ANOMALY
    notice = np.zeros(n, bool)
    notice[notices] = True
    key = np.array(["a", "b"] * 5, object)
    return Verdicts(value=np.zeros(n), kind=kind, notice=notice, key=key, time=np.arange(n) * DAY // 2)


def test_each_event_is_counted_on_its_side() -> None:
    comparison = Comparison(Told.NOTICES)
    found = list(comparison.differences(table([1, 2, 5]), table([2, 5, 8, 9])))
    assert [(side, verdict.seq) for side, verdict in found] == [
        (Side.FIRST, 1),
        (Side.SECOND, 8),
        (Side.SECOND, 9),
    ]
    told = comparison.as_object()
    assert told["alerts"] == {"both": 2, "only_first": 1, "only_second": 2}
    assert told["by_key"][0] == {"key": "b", "both": 1, "only_first": 1, "only_second": 1}
    assert told["by_day"][0] == {"day": "1970-01-01", "both": 0, "only_first": 1, "only_second": 0}
    assert sum(day["both"] for day in told["by_day"]) == 2


def test_anomalies_below_a_notice_count_when_asked() -> None:
    quiet, loud = table([]), table([], anomalies=(4,))
    assert not list(Comparison(Told.NOTICES).differences(quiet, loud))
    assert len(list(Comparison(Told.ALL).differences(quiet, loud))) == 1


def test_the_table_for_people_holds_every_day() -> None:
    comparison = Comparison(Told.NOTICES)
    list(comparison.differences(table([0, 9]), table([0])))
    lines = list(comparison.lines())
    assert lines[1].split() == ["alerts", "1", "1", "0"]
    assert [line.split()[0] for line in lines[2:]] == ["b", "a", "1970-01-01", "1970-01-05"]
