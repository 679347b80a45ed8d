"""Our detector beside the published ones on a folder of the Numenta Anomaly Benchmark.

NAB lets a detector choose its one threshold on the labels it is scored on. That figure is given (`in_sample`), and two
that are honest: `shipped`, the alarms as a user gets them with no threshold at all, and `cross`, the threshold of one
half of the series scored on the other half, both ways, summed; the halves are the parities of the sorted names.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from marigram.evaluate.nab import Layout, Profile, best_threshold, normalise, score_alarms
from marigram.evaluate.nab_corpus import Corpus, Series
from marigram.verdicts import Verdicts

__all__ = ["Comparison", "Detect", "compare", "cross", "in_sample", "rows_table", "shipped"]

Detect = Callable[[NDArray[np.float64], NDArray[np.int64]], Verdicts]
"""A fresh detector over one series: values (n,) and times (n,) int64 ns -> n verdicts."""

Scores = Sequence[NDArray[np.float64]]
Figures = dict[str, float]
"""Profile -> score on the scale 0 (silence) to 100 (perfection)."""

_UNUSUAL = 3.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """What `marigram bench nab` found; per series, in order: shipped alarms and thresholded scores of every row."""

    corpus: Corpus
    alarms: tuple[NDArray[np.bool_], ...]
    scores: tuple[NDArray[np.float64], ...]
    ours: dict[str, Figures]
    thresholds: Figures
    published: dict[str, dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """The object that `--json` prints; a figure that does not exist (no windows) is None."""
        found = {"series": len(self.corpus.series), "ours": self.ours, "published": self.published}
        return _plain(found)  # type: ignore[no-any-return]


def compare(
    corpus: Corpus, shipped_detector: Detect, default_detector: Detect, threads: int = 1
) -> Comparison:
    """Run both detectors over every series and score them and the published ones.

    An alarm is a row with `notice`. `shipped_detector` gives the shipped alarms; `default_detector` the scores: the
    severity of a row with notice, 0 elsewhere.
    """
    with ThreadPoolExecutor(threads) as pool:
        sent = list(pool.map(lambda one: shipped_detector(one.values, one.times), corpus.series))
        table = list(pool.map(lambda one: default_detector(one.values, one.times), corpus.series))
    alarms = tuple(np.asarray(v["notice"], bool) for v in sent)
    scores = tuple(np.where(v["notice"], v["severity"], 0.0) for v in table)
    figures, thresholds = in_sample(scores, corpus.layouts, corpus.profiles)
    ours = {
        "shipped": shipped(alarms, corpus.layouts, corpus.profiles),
        "in_sample": figures,
        "cross": cross(scores, corpus.layouts, corpus.profiles),
        "extra": _quiet_stretches(corpus.series, table, alarms),
    }
    return Comparison(corpus, alarms, scores, ours, thresholds, _published(corpus))


def shipped(
    alarms: Sequence[NDArray[np.bool_]], layouts: Sequence[Layout], profiles: Mapping[str, Profile]
) -> Figures:
    """Figures of alarms as they are."""
    return {name: normalise(_total(alarms, layouts, p), layouts, p) for name, p in profiles.items()}


def in_sample(
    scores: Scores, layouts: Sequence[Layout], profiles: Mapping[str, Profile]
) -> tuple[Figures, Figures]:
    """Figures at the best threshold over all series, and those thresholds."""
    best = {name: best_threshold(scores, layouts, p) for name, p in profiles.items()}
    figures = {name: normalise(best[name][1], layouts, p) for name, p in profiles.items()}
    return figures, {name: threshold for name, (threshold, _) in best.items()}


def cross(scores: Scores, layouts: Sequence[Layout], profiles: Mapping[str, Profile]) -> Figures:
    """Figures at the best threshold of the other half; the series are given in the order of their names."""
    found = {}
    for name, profile in profiles.items():
        total = 0.0
        for fold in (0, 1):
            threshold, _ = best_threshold(scores[1 - fold :: 2], layouts[1 - fold :: 2], profile)
            told = [score >= threshold for score in scores[fold::2]]
            total += _total(told, layouts[fold::2], profile)
        found[name] = normalise(total, layouts, profile)
    return found


def rows_table(found: Comparison) -> pa.Table:
    """Every row that was judged: series, row (number within it, from 0), score, alarm (as shipped)."""
    series = found.corpus.series
    lengths = [one.layout.rows for one in series]
    names = pa.array([one.name for one in series])
    which = pa.array(np.repeat(np.arange(len(series), dtype=np.int32), lengths))
    return pa.table(
        {
            "series": pa.DictionaryArray.from_arrays(which, names).cast(pa.string()),
            "row": np.concatenate([np.arange(rows) for rows in lengths]),
            "score": np.concatenate(found.scores),
            "alarm": np.concatenate(found.alarms),
        }
    )


def _total(alarms: Sequence[NDArray[np.bool_]], layouts: Sequence[Layout], profile: Profile) -> float:
    return sum(
        score_alarms(told, layout, profile).score for told, layout in zip(alarms, layouts, strict=True)
    )


def _quiet_stretches(
    series: Sequence[Series], table: Sequence[Verdicts], alarms: Sequence[NDArray[np.bool_]]
) -> Figures:
    """What is said where nothing is labelled: after probation, outside the windows."""
    rows = unusual = told = 0
    for one, verdicts, alarm in zip(series, table, alarms, strict=True):
        quiet = one.layout.window < 0
        quiet[: one.layout.start] = False
        rows += int(quiet.sum())
        unusual += int((quiet & (verdicts["severity"] >= _UNUSUAL)).sum())
        told += int((quiet & alarm).sum())
    share = 1.0 / rows if rows else float("nan")
    return {
        "quiet_rows": rows,
        "severity_3_rate_outside_windows": unusual * share,
        "shipped_alarm_rate_outside_windows": told * share,
    }


def _published(corpus: Corpus) -> dict[str, dict[str, Any]]:
    """Published detectors on the same series.

    With row scores: figures at the best threshold of these series, as `in_sample`, and `cross`. Figures of their
    published results, whose thresholds were chosen on the whole benchmark, are `as_published`; a detector without row
    scores has only those.
    """
    layouts, profiles = corpus.layouts, corpus.profiles
    found: dict[str, dict[str, Any]] = {}
    for detector, results in corpus.file_scores.items():
        given = {
            name: normalise(sum(results[name].values()), layouts, profile)
            for name, profile in profiles.items()
        }
        found[detector] = {**given, "threshold": "published", "as_published": given}
    for detector, scores in corpus.row_scores.items():
        entry = found.setdefault(detector, {})
        entry.update(in_sample(scores, layouts, profiles)[0], threshold="in_sample")
        entry["cross"] = cross(scores, layouts, profiles)
    return dict(sorted(found.items(), key=lambda item: -_or_least(item[1]["standard"])))


def _or_least(figure: float) -> float:
    return -np.inf if np.isnan(figure) else figure


def _plain(value: Any) -> Any:
    """Figures rounded for print, NaN as None."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, float):
        return None if np.isnan(value) else float(f"{value:.6g}")
    return value
