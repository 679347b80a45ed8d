"""What `--plot` keeps of a stream that does not fit in memory: the keys worth a look, thinned where nothing happens.

A picture shows a few keys at a few thousand points each, so nothing more is held: the first keys seen, replaced by keys
with a graver notice. A key that enters late is drawn from the batch in which it was first notable. When a key's rows
outgrow its share, ordinary ones are kept at a doubled stride; anomalies, drifts and notices stay while there is room.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from marigram.kinds import Kind
from marigram.verdicts import Verdicts

_NOTABLE = [Kind.ANOMALY, Kind.DRIFT, Kind.UNDECIDED]


class _Series:
    """The rows kept of one key, at most `2 * limit` at any time: the notable ones, and every `stride`-th."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._stride = 1
        self._chunks: list[Verdicts] = []
        self._rows = 0
        self.peak = 0.0
        """Severity of the gravest notice so far; 0 when there was none."""

    def add(self, rows: Verdicts) -> None:
        told = rows["severity"][rows["notice"]]
        self.peak = max(self.peak, float(np.nanmax(told, initial=0.0)))
        self._keep([*self._chunks, self._thinned(rows)])
        while self._rows > 2 * self._limit:
            self._stride *= 2
            self._keep([self._thinned(self.table())])

    def table(self) -> Verdicts:
        return Verdicts.concat(self._chunks)

    def _keep(self, chunks: list[Verdicts]) -> None:
        self._chunks, self._rows = chunks, sum(map(len, chunks))

    def _thinned(self, rows: Verdicts) -> Verdicts:
        if self._stride == 1:
            return rows
        notable: NDArray[np.bool_] = np.isin(rows["kind"], _NOTABLE) | rows["notice"]
        if np.count_nonzero(notable) > self._limit:
            order = np.argsort(np.where(notable, np.nan_to_num(rows["severity"]), -1.0), kind="stable")
            notable[order[: -self._limit]] = False
        notable |= rows["seq"] % self._stride == 0
        return rows[notable]


class Sample:
    """A bounded memory of verdicts: `keys` series, each of at most `2 * rows` rows."""

    def __init__(self, keys: int = 32, rows: int = 4096) -> None:
        self._room = keys
        self._rows = rows
        self._series: dict[Any, _Series] = {}

    def take(self, verdicts: Verdicts) -> None:
        """Look at one batch and keep of it what a picture may need."""
        keys = verdicts["key"]
        if keys.dtype == object and len(keys) and keys[0] is None:
            self._admit(None, 0.0)
            self._series[None].add(verdicts)
            return
        self._choose(verdicts, keys)
        names = keys.tolist()
        mine = np.fromiter((name in self._series for name in names), np.bool_, len(names))
        rows = verdicts[mine]
        of_row: dict[Any, list[int]] = {}
        for number, name in enumerate(rows["key"].tolist()):
            of_row.setdefault(name, []).append(number)
        for name, numbers in of_row.items():
            self._series[name].add(rows[np.array(numbers)])

    def table(self, keys: int = 8) -> Verdicts:
        """The rows kept of the `keys` keys with the gravest notices, key after key, each in its order."""
        ranked = sorted(self._series.values(), key=lambda series: -series.peak)
        return Verdicts.concat(series.table() for series in ranked[:keys])

    def _choose(self, verdicts: Verdicts, keys: NDArray[Any]) -> None:
        """Admit the first keys seen while there is room, then those with a graver notice than the least of ours."""
        if len(self._series) < self._room:
            for name in dict.fromkeys(keys.tolist()):
                self._admit(name, 0.0)
        told = np.flatnonzero(verdicts["notice"])
        for name, severity in zip(keys[told].tolist(), verdicts["severity"][told].tolist(), strict=True):
            self._admit(name, severity)

    def _admit(self, name: Any, severity: float) -> None:
        if name in self._series:
            return
        if len(self._series) >= self._room:
            least = min(self._series, key=lambda key: self._series[key].peak)
            if not severity > self._series[least].peak:
                return
            del self._series[least]
        self._series[name] = _Series(self._rows)
        self._series[name].peak = severity


__all__ = ["Sample"]
