"""Samples of named series, as monitoring systems send them, to a batch: each series is a key.

A key is written as Prometheus writes a series: ``name{a="b",c="d"}``, labels in the order of their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from marigram.errors import ParameterError
from marigram.events import Batch, KeyNames, Reject, Schema

SCHEMA: Final = Schema(time="time", time_unit="ns", key=("series",), values=("value",), id="")
"""How samples are read; a tenant that takes them takes nothing else."""
_LARGEST: Final = 1e300


class Samples(NamedTuple):
    """Samples of one series."""

    key: str
    times: Sequence[int]
    """ns since 1970 UTC."""
    values: Sequence[float]


def series_name(name: str, labels: Mapping[str, str]) -> str:
    r"""Return the key of a series.

    >>> print(series_name("up", {"job": "web", "instance": 'a"b'}))
    up{instance="a\"b",job="web"}
    """
    told = ",".join(f'{label}="{_escaped(labels[label])}"' for label in sorted(labels))
    return f"{name}{{{told}}}" if told else name


def batch_of(samples: Iterable[Samples]) -> Batch:
    """Return the samples as a batch, in the order of their times; one beyond 1e300 in size is a reject."""
    names, keys, times, values = KeyNames(), list[str](), list[int](), list[float]()
    for series in samples:
        keys += [series.key] * len(series.times)
        times += series.times
        values += series.values
    value = np.array(values, np.float64)
    keep = ~(np.abs(value) > _LARGEST)
    rejects = [
        Reject("samples", int(row) + 1, f"{keys[row]}: {value[row]} is beyond 1e300 in size")
        for row in np.flatnonzero(~keep)
    ]
    order = np.argsort(np.array(times, np.int64)[keep], kind="stable")
    return Batch(
        values=value[keep][order],
        times=np.array(times, np.int64)[keep][order],
        key_codes=names.codes_of(keys)[keep][order],
        key_names=names,
        ids=None,
        rejects=rejects,
        lines=len(values),
        offset={},
    )


def check_schema(schema: Schema) -> None:
    """Refuse samples where other events are kept: they could not be told apart."""
    if schema.is_complete and schema != SCHEMA:
        raise ParameterError(
            "the events that are kept here are not samples of series; send them to a tenant of their own"
        )


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


__all__ = ["SCHEMA", "Samples", "batch_of", "check_schema", "series_name"]
