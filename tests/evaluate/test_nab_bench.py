"""`bench nab` on small folders of our own, with stand-ins for the detector."""

import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marigram.errors import InputError
from marigram.evaluate.nab_bench import compare, rows_table
from marigram.evaluate.nab_corpus import load_corpus
from marigram.verdicts import Verdicts

START = np.datetime64("2014-04-01T00:00:00", "us")
MINUTE = np.timedelta64(60, "s")


def write_folder(folder, series, published=None):
    """Write series (name -> values, row windows), rows a minute apart, and published row scores (name -> column)."""
    times = {name: START + np.arange(len(values)) * MINUTE for name, (values, _) in series.items()}
    names = [name for name, (values, _) in series.items() for _ in values]
    table = {
        "series": names,
        "timestamp": np.concatenate(list(times.values())),
        "value": np.concatenate([values for values, _ in series.values()]).astype(float),
    }
    pq.write_table(pa.table(table), folder / "nab.parquet")
    windows = {
        name: [[str(times[name][a]), str(times[name][b])] for a, b in spans]
        for name, (_, spans) in series.items()
    }
    (folder / "windows.json").write_text(json.dumps(windows))
    if published:
        pq.write_table(pa.table({"series": names, **published}), folder / "published_row_scores.parquet")


def spikes(rows, *at):
    values = np.zeros(rows)
    values[list(at)] = 5.0
    return values


def stand_in(values, times):
    """Anything above 1 is told; severity is the value, also where nothing is told."""
    assert times.dtype == np.int64
    assert times.shape == values.shape
    return Verdicts(
        value=values, kind=(values > 1.0), severity=np.abs(values), notice=values > 1.0, time=times
    )


@pytest.fixture
def folder(tmp_path):
    values = {
        "b/second": (spikes(200, 100), [(100, 119)]),
        "a/first": (spikes(200, 60, 180), [(60, 79), (100, 110)]),
        "c/quiet": (spikes(100, 5), []),
    }
    scores = np.concatenate([one for one, _ in values.values()])
    write_folder(tmp_path, values, {"echo": scores, "absent": np.where(np.arange(500) < 400, scores, np.nan)})
    return tmp_path


def test_series_are_sorted_and_times_are_nanoseconds(folder):
    corpus = load_corpus(folder)
    assert [one.name for one in corpus.series] == ["a/first", "b/second", "c/quiet"]
    assert corpus.series[0].times[1] - corpus.series[0].times[0] == 60_000_000_000
    assert np.flatnonzero(corpus.series[1].layout.window == 0).tolist() == list(range(100, 120))


def test_figures_by_hand(folder):
    found = compare(load_corpus(folder), stand_in, stand_in, threads=2)
    # Two of three windows at their first row; one false alarm 7 window widths late, at its full cost of 0.11.
    assert found.ours["shipped"]["standard"] == pytest.approx(100 * (2 - 0.11 - 1 + 3) / 6)
    assert found.ours["shipped"]["low_fp"] == pytest.approx(100 * (2 - 0.22 - 1 + 3) / 6)
    assert found.ours["shipped"]["low_fn"] == pytest.approx(100 * (2 - 0.11 - 2 + 6) / 9)
    assert found.ours["in_sample"] == pytest.approx(found.ours["shipped"])
    assert found.thresholds == {"standard": 5.0, "low_fp": 5.0, "low_fn": 5.0}
    assert found.published["echo"]["standard"] == pytest.approx(found.ours["in_sample"]["standard"])
    assert "absent" not in found.published
    quiet = (200 - 30 - 31) + (200 - 30 - 20) + (100 - 15)
    assert found.ours["extra"]["quiet_rows"] == quiet
    assert found.ours["extra"]["severity_3_rate_outside_windows"] == pytest.approx(1 / quiet)


def test_cross_takes_the_threshold_of_the_other_parity(tmp_path):
    loud, faint = np.zeros(100), np.zeros(100)
    loud[40], loud[90], faint[40], faint[90] = 9.0, 4.0, 3.0, 2.0
    write_folder(tmp_path, {"a": (loud, [(40, 59)]), "b": (faint, [(40, 59)])})
    found = compare(load_corpus(tmp_path), stand_in, stand_in)
    # a at b's threshold 3 also tells its false alarm; b at a's threshold 9 is silent.
    late = 2 / (1 + math.exp(5 * (90 - 59) / 19)) - 1
    assert found.ours["cross"]["standard"] == pytest.approx(100 * (1 + 0.11 * late - 1 + 2) / 4)
    assert found.ours["in_sample"]["standard"] > found.ours["cross"]["standard"]
    assert found.published == {}


def test_json_object_has_the_promised_form(folder):
    printed = json.loads(
        json.dumps(compare(load_corpus(folder), stand_in, stand_in).as_dict(), allow_nan=False)
    )
    assert printed.keys() == {"series", "ours", "published"}
    assert printed["series"] == 3
    for how in ("shipped", "in_sample", "cross"):
        assert printed["ours"][how].keys() == {"standard", "low_fp", "low_fn"}
    assert printed["published"]["echo"].keys() >= {"standard", "low_fp", "low_fn", "cross"}


def test_a_folder_without_windows_has_no_figures_but_prints(tmp_path):
    write_folder(tmp_path, {"a": (spikes(50, 20), [])})
    found = compare(load_corpus(tmp_path), stand_in, stand_in).as_dict()
    assert found["ours"]["shipped"] == {"standard": None, "low_fp": None, "low_fn": None}
    assert found["ours"]["extra"]["shipped_alarm_rate_outside_windows"] == pytest.approx(1 / 43, rel=1e-4)


def test_rows_hold_thresholded_score_and_shipped_alarm(folder):
    def silent(values, times):
        return Verdicts(value=values, kind=np.zeros(len(values)), severity=values, notice=values > 9.0)

    rows = rows_table(compare(load_corpus(folder), silent, stand_in)).to_pydict()
    assert rows.keys() == {"series", "row", "score", "alarm"}
    assert rows["series"][199:201] == ["a/first", "b/second"]
    assert rows["row"][199:201] == [199, 0]
    assert [i for i, score in enumerate(rows["score"]) if score] == [60, 180, 300, 405]
    assert not any(rows["alarm"])


def test_what_is_missing_is_named(tmp_path, folder):
    with pytest.raises(InputError, match=r"no nab\.parquet"):
        load_corpus(tmp_path / "nowhere")
    (folder / "windows.json").write_text("{}")
    with pytest.raises(InputError, match="does not name the series"):
        load_corpus(folder)
