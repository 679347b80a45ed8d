"""The pieces of the command line by themselves: pipes given again, signals, silence, sentences, files."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer import Exit

from marigram.cli._again import PREFIX, Seen, unseen
from marigram.cli._errors import EXTRAS, ExitCode, code_of, guarded, sentence
from marigram.cli._outputs import Outputs
from marigram.cli._rejected import RejectTeller
from marigram.cli._stop import Stop
from marigram.cli._totals import Summary, Totals
from marigram.errors import InputError, ParameterError, SnapshotError
from marigram.events import Batch, KeyNames, Reject
from marigram.fleet import Fleet
from marigram.kinds import Kind
from marigram.store.silence import SilenceWatch
from marigram.verdicts import Verdicts

SECOND = 1_000_000_000


def batches(values: list[float], cuts: list[int], rejects: int = 0) -> Iterator[Batch]:
    """The values in pieces that end at the cuts; the first piece carries the rejects."""
    names = KeyNames()
    ends = [*sorted(cut for cut in set(cuts) if 0 < cut < len(values)), len(values)]
    for start, end in zip([0, *ends], ends, strict=False):
        yield Batch(
            values=np.array(values[start:end]),
            times=None,
            key_codes=None,
            key_names=names,
            ids=None,
            rejects=[Reject("-", i, "broken") for i in range(rejects)] if start == 0 else [],
            lines=end,
            offset={"line": end},
        )


def dealt_with(values: list[float], rejects: int = 0) -> Seen:
    seen = Seen()
    for batch in batches(values, [3], rejects):
        seen.add(batch)
    return seen


def rows(found: Iterator[Batch]) -> list[float]:
    return [value for batch in found for value in batch.values.tolist()]


def test_a_module_of_an_extra_that_lacks_is_no_defect(capsys: pytest.CaptureFixture[str]) -> None:
    def lacking(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    with pytest.raises(Exit) as ended:
        guarded(lambda: lacking("nicegui.ui"))
    assert ended.value.exit_code == ExitCode.USAGE
    assert capsys.readouterr().err == (
        "marigram: No module named 'nicegui.ui': the extra [serve] brings it: pip install 'marigram[serve]'\n"
    )
    with pytest.raises(Exit) as ended:
        guarded(lambda: lacking("marigram.nothing"))
    assert ended.value.exit_code == ExitCode.DEFECT


def test_every_package_of_an_extra_is_known_by_the_module_that_it_brings() -> None:
    modules: dict[str, set[str]] = {}
    for module, packages in metadata.packages_distributions().items():
        for package in packages:
            modules.setdefault(re.sub(r"[-_.]+", "-", package).lower(), set()).add(module)
    asked = [
        re.match(r"([\w.-]+).*extra == ['\"](\w+)", line) for line in metadata.requires("marigram") or []
    ]
    of_extras: dict[str, set[str]] = {}
    for found in asked:
        if found and found[2] not in {"all", "dev"}:
            of_extras.setdefault(found[1].lower(), set()).add(found[2])
    assert of_extras
    for package, extras in of_extras.items():
        known = modules.get(package)
        assert known is None or any(EXTRAS.get(module) in extras for module in known), package


varied = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=200, unique=True)
cuts = st.lists(st.integers(0, 200), max_size=5)


@given(varied, st.integers(0, 200), cuts, st.integers(0, 3))
def test_a_pipe_given_again_yields_what_is_new(
    values: list[float], known: int, at: list[int], rejects: int
) -> None:
    known = min(known, len(values))
    seen = dealt_with(values[:known], rejects) if known else Seen()
    found = list(unseen(batches(values, at, rejects), seen))
    assert rows(iter(found)) == values[known:]
    assert sum(len(batch.rejects) for batch in found) == (0 if known else rejects)


@given(varied, varied, cuts)
def test_another_pipe_is_judged_whole(before: list[float], values: list[float], at: list[int]) -> None:
    values = [value for value in values if value != before[0]] or [before[0] + 1.0]
    seen = dealt_with(before)
    assert rows(unseen(batches(values, at), seen)) == values
    assert (seen.rows, seen.rejects, seen.prefix) == (0, 0, [])


def test_equal_rows_prove_nothing() -> None:
    constant = [1.0] * 500
    assert rows(unseen(batches(constant, [100]), dealt_with(constant))) == constant


def test_missing_values_are_compared_too() -> None:
    values = [float("nan") if i % 3 == 0 else float(i) for i in range(2 * PREFIX)]
    assert rows(unseen(batches([*values, 7.0], [5]), dealt_with(values))) == [7.0]


def test_a_signal_in_the_middle_of_a_batch_waits_for_its_end() -> None:
    done = []
    with Stop() as stop:
        for number in stop.over(range(10)):
            if number == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            done.append(number)
    assert done == [0, 1, 2, 3]
    assert stop.code == 128 + signal.SIGTERM


def test_a_signal_while_waiting_ends_the_wait() -> None:
    def source() -> Iterator[int]:
        yield 0
        os.kill(os.getpid(), signal.SIGINT)
        yield 1

    with Stop() as stop:
        assert list(stop.over(source())) == [0]
    assert stop.code == 130


def test_a_second_signal_does_not_wait() -> None:
    with Stop():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    with Stop():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_the_present_moves_with_the_clock_from_the_newest_event() -> None:
    now = 0
    watch = SilenceWatch(lambda: now)
    fleet = Fleet()
    times = np.arange(100) * SECOND + 10**18
    fleet.update(["a"] * 100, np.arange(100.0) % 7, times)
    assert watch.due(fleet) is None
    watch.saw(times)
    assert not len(watch.due(fleet) or [])
    now = 2 * SECOND
    assert not len(watch.due(fleet) or [])
    now = 60 * SECOND
    found = watch.due(fleet)
    assert found is not None
    assert [(row.key, row.kind, row.notice) for row in found] == [("a", Kind.MISSING, True)]
    now = 120 * SECOND
    assert not len(watch.due(fleet) or [])


def test_rejected_lines_are_told_in_ranges() -> None:
    lines = [Reject("f", line, "broken JSON") for line in (3, 4, 5, 9)] + [Reject("f", 7, "no key")]
    assert list(RejectTeller().sentences(lines)) == ["f, lines 3-5, 9: broken JSON", "f, line 7: no key"]


def test_rejected_lines_are_told_up_to_a_bound_and_that_is_said() -> None:
    teller = RejectTeller(most=3)
    told = list(teller.sentences([Reject("f", line, "bad") for line in range(1, 20, 2)]))
    assert told[0] == "f, lines 1, 3, 5: bad"
    assert "only counted" in told[1]
    assert not list(teller.sentences([Reject("f", 99, "bad")]))


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ParameterError("alpha is 2"), ExitCode.USAGE, "alpha is 2"),
        (InputError(7, "broken\nJSON \x1b[31m"), ExitCode.BAD_INPUT, "line 7: broken JSON \\x1b[31m"),
        (SnapshotError("damaged"), ExitCode.BAD_INPUT, "damaged"),
        (FileNotFoundError(2, "No such file", "x.csv"), ExitCode.BAD_INPUT, "x.csv: No such file"),
        (OSError(28, "No space left on device", "out"), ExitCode.NOT_WRITTEN, "out: No space left on device"),
    ],
)
def test_an_error_is_one_line_and_a_code(error: Exception, code: ExitCode, text: str) -> None:
    assert (code_of(error), sentence(error)) == (code, text)


def table(n: int) -> Verdicts:
    return Verdicts(value=np.arange(float(n)), kind=np.zeros(n, np.uint8))


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # as a process that died, the first one closes nothing
@pytest.mark.parametrize("name", ["v.jsonl", "v.csv", "v.parquet"])
def test_files_go_on_where_they_stood(tmp_path: Path, name: str) -> None:
    whole, cut = tmp_path / f"whole-{name}", tmp_path / name
    for path, dies in ((whole, False), (cut, True)):
        outputs = Outputs(path, tmp_path / f"{path.name}.rejects", {}, resumable=True)
        outputs.write(table(3), [Reject("f", 1, "bad")])
        stood = outputs.settle()
        if dies:
            outputs.write(table(5), [Reject("f", 2, "bad")])
            outputs.settle()
            outputs = Outputs(path, tmp_path / f"{path.name}.rejects", stood, resumable=True)
        outputs.write(table(4), [])
        outputs.close()
    assert (tmp_path / f"{name}.rejects").read_bytes() == Reject("f", 1, "bad").to_json()
    if name.endswith(".parquet"):
        import pyarrow.parquet as pq

        assert pq.read_table(cut).equals(pq.read_table(whole))
    else:
        assert cut.read_bytes() == whole.read_bytes()


def test_a_file_of_another_name_begins_anew(tmp_path: Path) -> None:
    first = Outputs(tmp_path / "a.jsonl", None, {}, resumable=True)
    first.write(table(3), [])
    stood = first.settle()
    first.close()
    second = Outputs(tmp_path / "b.jsonl", None, stood, resumable=True)
    second.write(table(1), [])
    second.close()
    assert len((tmp_path / "b.jsonl").read_bytes().splitlines()) == 1


def test_a_slow_stream_can_be_read_while_it_is_written(tmp_path: Path) -> None:
    now = 0.0
    outputs = Outputs(tmp_path / "v.jsonl", None, {}, resumable=False, clock=lambda: now)
    outputs.write(table(2), [])
    outputs.show()
    assert (tmp_path / "v.jsonl").read_bytes() == b""
    now = 1.0
    outputs.show()
    assert len((tmp_path / "v.jsonl").read_bytes().splitlines()) == 2
    outputs.close()


def test_the_summary_counts_what_was_judged() -> None:
    totals = Totals()
    kinds: Any = [Kind.DRIFT, Kind.MISSING, Kind.NORMAL]
    totals.add(
        Verdicts(value=[1.0, 2.0, 3.0], kind=kinds, notice=[True, False, False], late=[False, True, False]), 1
    )
    told = Summary(totals, lines=4, keys=1, rows=3, seconds=2.0)
    assert str(told).startswith(
        "3 events, 1 key, 0 alerts, 1 drift, 1 rejected line, 1 missing, 1 late; 2.0 s"
    )
    assert told.as_object()["kinds"]["drift"] == told.as_object()["notices"] == 1
    assert Summary(Totals(), 0, 0, 0, 0.0).rate == 0.0
