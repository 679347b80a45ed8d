"""A folder of the Numenta Anomaly Benchmark: its series and windows, and what others were measured at on them.

The folder holds `nab.parquet` (series, timestamp, value) and `windows.json`, and may hold `profiles.json` (the cost
profiles; the published ones otherwise), `published_row_scores.parquet` (the score each published detector gave each
row, rows in the order of `nab.parquet`) and `published_file_scores.parquet` (their results per series at their
published thresholds). Which series it holds does not matter.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marigram.errors import InputError
from marigram.evaluate.nab import PROFILES, Layout, Profile, window_rows

__all__ = ["Corpus", "FileScores", "Series", "load_corpus"]

_PUBLISHED_PROFILES = {"standard": "standard", "reward_low_FP_rate": "low_fp", "reward_low_FN_rate": "low_fn"}

FileScores = dict[str, dict[str, dict[str, float]]]
"""Unscaled published results: detector -> profile -> series -> score."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series: `times` (rows,) int64 ns, as they are in the file; `values` (rows,), NaN for a null."""

    name: str
    times: NDArray[np.int64]
    values: NDArray[np.float64]
    layout: Layout


@dataclass(frozen=True, slots=True)
class Corpus:
    """The series in order of their names; `row_scores` per detector and series, only detectors that cover all."""

    series: tuple[Series, ...]
    profiles: Mapping[str, Profile]
    row_scores: Mapping[str, tuple[NDArray[np.float64], ...]]
    file_scores: FileScores

    @property
    def layouts(self) -> list[Layout]:
        """The layouts in order of the series."""
        return [one.layout for one in self.series]


def load_corpus(folder: Path) -> Corpus:
    """Read a folder; InputError says which file is missing or does not fit."""
    for name in ("nab.parquet", "windows.json"):
        if not (folder / name).is_file():
            raise InputError(0, f"{folder} holds no {name}: not a folder of the Numenta Anomaly Benchmark")
    table = pq.read_table(folder / "nab.parquet", columns=["series", "timestamp", "value"])
    rows = _rows_of(table["series"])
    windows = json.loads((folder / "windows.json").read_text())
    times = pc.cast(table["timestamp"], pa.timestamp("ns")).to_numpy().astype(np.int64)
    values = pc.cast(table["value"], pa.float64()).to_numpy()
    series = tuple(_series(name, times[at], values[at], windows) for name, at in sorted(rows.items()))
    return Corpus(
        series=series,
        profiles=_profiles(folder / "profiles.json"),
        row_scores=_row_scores(folder / "published_row_scores.parquet", rows),
        file_scores=_file_scores(folder / "published_file_scores.parquet", set(rows)),
    )


def _rows_of(names: pa.ChunkedArray) -> dict[str, NDArray[np.int64]]:
    """Row numbers of each series, in the order of the file."""
    coded = pc.dictionary_encode(names.combine_chunks())
    codes = coded.indices.to_numpy(zero_copy_only=False)
    return {name: np.flatnonzero(codes == code) for code, name in enumerate(coded.dictionary.to_pylist())}


def _series(
    name: str, times: NDArray[np.int64], values: NDArray[np.float64], windows: Mapping[str, list[list[str]]]
) -> Series:
    if name not in windows:
        raise InputError(0, f"windows.json does not name the series {name}")
    limits = [(_nanoseconds(left), _nanoseconds(right)) for left, right in windows[name]]
    return Series(name, times, values, Layout(len(times), window_rows(times, limits)))


def _nanoseconds(text: str) -> int:
    return int(np.datetime64(text, "ns").astype(np.int64))


def _profiles(path: Path) -> Mapping[str, Profile]:
    if not path.is_file():
        return PROFILES
    costs = {name: entry["CostMatrix"] for name, entry in json.loads(path.read_text()).items()}
    missing = _PUBLISHED_PROFILES.keys() - costs.keys()
    if missing:
        raise InputError(0, f"{path} lacks the profiles {', '.join(sorted(missing))}")
    return {
        ours: Profile(
            found=costs[name]["tpWeight"], missed=costs[name]["fnWeight"], false=costs[name]["fpWeight"]
        )
        for name, ours in _PUBLISHED_PROFILES.items()
    }


def _row_scores(
    path: Path, rows: Mapping[str, NDArray[np.int64]]
) -> dict[str, tuple[NDArray[np.float64], ...]]:
    if not path.is_file():
        return {}
    table = pq.read_table(path)
    scored = _rows_of(table["series"])
    for name, at in rows.items():
        if len(scored.get(name, ())) != len(at):
            raise InputError(
                0, f"{path} has {len(scored.get(name, ()))} rows of {name}, nab.parquet {len(at)}"
            )
    found: dict[str, tuple[NDArray[np.float64], ...]] = {}
    for detector in table.column_names:
        if detector != "series":
            score = table[detector].to_numpy().astype(np.float64)
            parts = tuple(score[scored[name]] for name in sorted(rows))
            if not any(np.isnan(part).all() for part in parts):
                found[detector] = parts
    return found


def _file_scores(path: Path, names: set[str]) -> FileScores:
    """Published results of the detectors that have one for every series here."""
    if not path.is_file():
        return {}
    found: FileScores = {}
    columns = ["detector", "profile", "series", "score"]
    for row in pq.read_table(path, columns=columns).to_pylist():
        if row["series"] in names and row["profile"] in _PUBLISHED_PROFILES:
            profiles = found.setdefault(row["detector"], {ours: {} for ours in _PUBLISHED_PROFILES.values()})
            profiles[_PUBLISHED_PROFILES[row["profile"]]][row["series"]] = row["score"]
    return {d: p for d, p in found.items() if all(len(scores) == len(names) for scores in p.values())}
