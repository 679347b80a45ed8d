"""The real streams: three with drift and anomalies put in, SMD, SMAP and SKAB with their labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from marigram.datasets.local import find

SHARE = 0.005
SIZE = 8.0
DRIFTING = {
    "elec2": ["nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"],
    "noaa_weather": ["temperature", "dew_point", "sea_level_pressure", "visibility", "mean_wind_speed",
                     "max_sustained_wind", "max_temperature", "min_temperature"],
    "outdoor": [f"f{i}" for i in range(21)],
}  # fmt: skip


class Stream(NamedTuple):
    """One stream: events (n, d), labels (n,), and the row from which it is counted."""

    values: NDArray[np.float64]
    truth: NDArray[np.bool_]
    start: int


def drifting(name: str, seed: int, rows: int) -> Stream:
    """A stretch of a drifting stream with half a percent of rows moved by 8 scales in one random coordinate.

    The scale is that of the differences between neighbours (median, over .6745 and the root of 2), at least a hundredth
    of the standard deviation.
    """
    table = pq.read_table(find("drift_streams") / f"{name}.parquet", columns=DRIFTING[name]).to_pandas()
    rng = np.random.default_rng(seed)
    X = table.to_numpy(np.float64)
    begin = int(rng.integers(0, max(len(X) - rows, 0) + 1))
    X = X[begin : begin + rows].copy()
    scale = np.median(np.abs(np.diff(X, axis=0)), axis=0) / (0.6745 * 2**0.5)
    scale = np.maximum(scale, 0.01 * X.std(axis=0))
    truth = rng.random(len(X)) < SHARE
    at = np.flatnonzero(truth)
    coordinate = rng.integers(0, X.shape[1], len(at))
    X[at, coordinate] += SIZE * scale[coordinate] * rng.choice([-1.0, 1.0], len(at))
    return Stream(X, truth, 300)


def smd(config: dict[str, Any]) -> Iterator[Stream]:
    """The last rows of each machine's unlabelled half, then the first of its labelled half."""
    table = pq.read_table(find("smd") / "smd.parquet").to_pandas()
    for entity in sorted(table["entity"].unique())[: config["machines"]]:
        one = table[table["entity"] == entity]
        yield _halves(one, [f"m{i}" for i in range(1, 39)], config)


def smap(config: dict[str, Any]) -> Iterator[Stream]:
    """The telemetry value of each channel, without the commands."""
    table = pq.read_table(
        find("smap") / "smap.parquet", columns=["channel", "part", "value", "label"]
    ).to_pandas()
    for channel in sorted(table["channel"].unique())[: config["channels"]]:
        yield _halves(table[table["channel"] == channel], ["value"], config)


def _halves(one: Any, columns: list[str], config: dict[str, Any]) -> Stream:
    train, test = (
        one[one["part"] == "train"][-config["train"] :],
        one[one["part"] == "test"][: config["test"]],
    )
    values = np.concatenate([part[columns].to_numpy(np.float64) for part in (train, test)])
    truth = np.concatenate((np.zeros(len(train), bool), test["label"].to_numpy() == 1))
    return Stream(values, truth, len(train))


def skab(config: dict[str, Any]) -> Iterator[Stream]:
    """Each experiment by itself, counted from row 300."""
    table = pq.read_table(find("skab") / "skab.parquet").to_pandas()
    sensors = list(table.columns[2:10])
    labelled = [name for name in table["experiment"].unique() if "anomaly-free" not in name]
    step = max(1, len(labelled) // config["experiments"])
    for name in labelled[::step][: config["experiments"]]:
        one = table[table["experiment"] == name]
        yield Stream(one[sensors].to_numpy(np.float64), one["anomaly"].to_numpy() == 1, 300)


def collections(config: dict[str, Any]) -> Iterator[tuple[str, list[Stream]]]:
    """Every set by name."""
    for name in DRIFTING:
        yield name, [drifting(name, seed, config["rows"]) for seed in range(config["seeds"])]
    yield "SMD", list(smd(config))
    yield "SMAP", list(smap(config))
    yield "SKAB", list(skab(config))


__all__ = ["Stream", "collections"]
