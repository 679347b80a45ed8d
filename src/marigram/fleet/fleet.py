"""Many keys, one detector design: :class:`Fleet`.

The way of a batch: columns are checked and copied (:mod:`~marigram.fleet.columns`), keys become numbers
(:mod:`~marigram.fleet.keys`), numbers become rows of the state table (:mod:`~marigram.fleet.residents`), and the
detector's kernel goes through the rows, stretch by stretch, each thread through its own share of the keys.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from marigram.detectors.default import Detector, new_columns, with_drifts
from marigram.detectors.forgiveness import forgive
from marigram.detectors.parameters import Parameters
from marigram.detectors.state import StateTable
from marigram.errors import ParameterError
from marigram.fleet import snapshot
from marigram.fleet.coded import CodeNumbers, as_codes
from marigram.fleet.columns import NO_TIME, id_column, time_column, value_columns
from marigram.fleet.feedback import Effect, Flagged, Label, label_code
from marigram.fleet.keys import key_index
from marigram.fleet.residents import Residents
from marigram.fleet.shares import Shares
from marigram.fleet.silence import silent_verdicts
from marigram.kinds import Kind
from marigram.verdicts import Verdicts

Array: TypeAlias = NDArray[Any]
Ints: TypeAlias = NDArray[np.int64]

STRETCH = 1 << 16
"""Rows that go through the kernel at a time: their columns stay in the cache."""
_NAMELESS = [""]
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B?\s*")


class Fleet:
    """Millions of keys, each with its own state of one detector design.

    Parameters
    ----------
    detector
        Whose parameters every key takes; what it has learned is not.
    keys
        ``str`` or ``int``.
    memory
        Bytes the keys may take in memory, or a text such as ``"512 MB"``.  Beyond it, the keys used longest ago
        go to disk and come back when they speak again; no verdict depends on it.  None: no cap.
    spill
        Folder for those keys; None: the system's temporary folder.  What lies there goes with the process.
    threads
        Threads among which the keys are shared out; no verdict depends on it.

    Examples
    --------
    >>> import numpy as np
    >>> fleet = Fleet(keys=str)
    >>> rng = np.random.default_rng(0)
    >>> table = fleet.update(["a", "b"] * 500, rng.normal(size=1000))
    >>> fleet.update(["b", "c"], [40.0, 40.0])["kind"].tolist()  # b has a norm, c is new
    [1, 4]
    >>> len(fleet), fleet.keys().tolist()
    (3, ['a', 'b', 'c'])
    """

    def __init__(
        self,
        detector: Detector | None = None,
        *,
        keys: type | str = str,
        memory: int | str | None = None,
        spill: str | os.PathLike[str] | None = None,
        threads: int = 1,
    ) -> None:
        if spill is not None and memory is None:
            raise ParameterError("spill= is where keys go beyond memory=, which was not given")
        if detector is not None and detector.joint:
            raise ParameterError(
                "a fleet is of default detectors: keep one joint detector for each key instead"
            )
        self.parameters: Parameters = (Detector() if detector is None else detector).parameters
        if self.parameters.pool and threads != 1:
            raise ParameterError(
                "pool=True lets keys share a tail in the order of their events: threads must be 1"
            )
        self._memory = None if memory is None else _bytes(memory)
        self._spill = None if spill is None else Path(spill)
        self._shares = Shares(threads)
        self._index = key_index(keys)
        self._codes = CodeNumbers(self._index)
        self._residents: Residents | None = None
        self._flagged: Flagged | None = None
        self._failure: str | None = None
        self.note: Any = None
        """Any JSON value of the caller's, saved and loaded with the fleet."""

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: object) -> bool:
        try:
            return self._number(key) >= 0
        except ParameterError:
            return False

    def __repr__(self) -> str:
        return f"Fleet({len(self)} keys of type {self._index.kind}, d={self.d})"

    @property
    def d(self) -> int:
        """Number of coordinates of an event, 1 before the first."""
        return 1 if self._residents is None else self._residents.table.d

    @property
    def bytes_per_key(self) -> int:
        """Bytes of state of one key."""
        return (
            StateTable(self.parameters) if self._residents is None else self._residents.table
        ).bytes_per_key

    def keys(self) -> Array:
        """Return all keys in the order of their first appearance, (len,) object or int64."""
        return self._index.names()

    def update(self, keys: Any, values: Any, times: Any = None, ids: Any = None) -> Verdicts:
        """Score and learn n events of many keys in their order: the same verdicts however they are cut in batches.

        Parameters
        ----------
        keys
            (n,) texts or integers: a list, a NumPy, pandas, polars or Arrow column, or a pair (codes, names) whose
            rows are ``names[code]``.  None: all events are of one key without a name.
        values
            (n,) numbers or (n, d); null and NaN are missing values.  Not mutated, nor kept.
        times
            (n,) int64 ns since 1970 UTC, datetime64, datetimes or timestamps, null for none; or None.
        ids
            (n,) the events' own ids, carried into the verdicts; or None.

        Raises
        ------
        ParameterError
            Columns of different length or wrong type; nothing is learned then.
        SnapshotError
            The disk beneath ``spill`` is full or failed; load the last snapshot.
        """
        self._refuse_if_broken()
        rows, when, own = value_columns(values), time_column(times), id_column(ids)
        value = rows[:, None] if rows.ndim == 1 else rows
        coded = (np.zeros(len(value), np.int64), _NAMELESS) if keys is None else as_codes(keys)
        column = self._index.read(keys) if coded is None else coded[0]
        self._check(len(column), value, when, own)
        if not len(value):
            return Verdicts(value=rows, kind=np.empty(0, np.uint8))
        if when is not None and np.all(when == NO_TIME):
            when = None
        if coded is None:
            numbers, names = self._index.number(column), _names_of(column)
        else:
            numbers, names = self._codes.look_up(*coded)
        residents = self._begun(value.shape[1], when is not None)
        try:
            columns = self._process(residents, numbers, value, when)
        except BaseException as error:
            self._failure = f"{type(error).__name__}: {error}"
            raise
        return Verdicts(value=rows, key=None if keys is None else names, id=own, time=when, **columns)

    def feedback(self, key: str | int, seq: int, label: Label) -> Effect:
        """Tell the fleet what became of a flagged verdict; returns what that changed.

        Parameters
        ----------
        key, seq
            The verdict: an ``anomaly``, ``undecided`` or ``drift`` among the last 65,536.
        label
            ``"true"``: confirmed, nothing changes.  ``"false"`` or ``"expected"``: the key learns it as normal,
            once; of a drift, which has moved the norm already, it is only noted.
        """
        self._refuse_if_broken()
        code = label_code(label)
        number = self._known(key)
        row = None if self._flagged is None else self._flagged.find(number, seq)
        if row is None or self._residents is None:
            raise ParameterError(f"no flagged verdict {seq} of {key!r} is remembered")
        wrong = code != label_code("true") and row["label"] in (0, label_code("true"))
        learn = wrong and row["kind"] != Kind.DRIFT
        slot = int(self._residents.place(np.array([number]))[0])
        table = self._residents.table
        before = after = float(table.heads["z_alpha"][slot])
        if learn:
            changed = forgive(table, slot, {name: row[name] for name in row.dtype.names})
            before, after = changed["before"], changed["after"]
        if wrong or row["label"] == 0:
            row["label"] = code
        return Effect(key, seq, Kind(int(row["kind"])), label, before, after)

    def silent(self, now: Any) -> Verdicts:
        """Return a ``missing`` row for each key that fell silent before ``now``; a silence is told once.

        ``now`` is int64 ns since 1970 UTC, or a datetime.  The rows are in the order of the keys' numbers.
        """
        self._refuse_if_broken()
        moments = time_column([now])
        moment = NO_TIME if moments is None else int(moments[0])
        if moment == NO_TIME:
            raise ParameterError("silent() needs a time to compare with")
        if self._residents is None:
            return silent_verdicts(
                self._index.names(), np.zeros(0, [("n", "i8"), ("episode", "i8")]), moment, 1
            )
        numbers = self._residents.silent(moment)
        heads = self._residents.fields_of(numbers)["heads"]
        return silent_verdicts(self._index.names(numbers), heads, moment, self.d)

    def state(self, key: str | int) -> dict[str, Any]:
        """Return what is known of a key as plain values: the head's fields, and ``coords``, one dict a coordinate."""
        number = np.array([self._known(key)])
        if self._residents is None:
            raise ParameterError(f"no key {key!r} is known")
        record = self._residents.fields_of(number)[0]
        plain = {name: _plain(record[name]) for name in record.dtype.names}
        return {"key": key, **plain.pop("heads"), **plain}

    def stats(self) -> dict[str, int]:
        """Return counts: keys, in memory, on disk; evictions and returns; bytes a key, of the table, on disk."""
        held = self._residents
        return {
            "keys": len(self),
            "in_memory": len(self) - (held.shelved if held else 0),
            "on_disk": held.shelved if held else 0,
            "evicted": held.evicted if held else 0,
            "restored": held.restored if held else 0,
            "bytes_per_key": self.bytes_per_key,
            "bytes_in_memory": held.table.capacity * self.bytes_per_key if held else 0,
            "bytes_on_disk": held.shelf_bytes if held else 0,
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole fleet, keys on disk and :attr:`note` included, to one checksummed file, all or nothing."""
        self._refuse_if_broken()
        held = self._residents
        meta = snapshot.Meta(
            version=snapshot.VERSION,
            parameters=self.parameters,
            keys=self._index.kind,
            count=len(self),
            d=0 if held is None else held.table.d,
            seasonal=held is not None and held.table.seasonal,
            memory=self._memory,
            threads=self._shares.threads,
            note=self.note,
        )
        snapshot.write(path, meta, self._index, held, self._flagged)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        memory: int | str | None = None,
        spill: str | os.PathLike[str] | None = None,
        threads: int | None = None,
    ) -> Self:
        """Return a fleet as :meth:`save` left it: its next verdicts are those it would have given, bit for bit.

        ``memory`` and ``threads`` not given are those it had.

        Raises
        ------
        SnapshotError
            The file is damaged, cut short, no fleet, or of another version.
        """
        saved = snapshot.read(path)
        meta = saved.meta
        fleet = cls(
            Detector.from_parameters(meta.parameters),
            keys=meta.keys,
            memory=meta.memory if memory is None else memory,
            spill=spill,
            threads=meta.threads if threads is None else threads,
        )
        fleet.note = meta.note
        if meta.d:
            residents, fleet._flagged = fleet._begun(meta.d, meta.seasonal), Flagged(meta.d)
            snapshot.fill(saved, fleet._index, residents, fleet._flagged)
        return fleet

    def _refuse_if_broken(self) -> None:
        if self._failure is not None:
            raise ParameterError(
                f"this fleet stopped inside a batch ({self._failure}): load its last snapshot"
            )

    def _number(self, key: Any) -> int:
        return int(self._index.number(self._index.read([key]), insert=False)[0])

    def _known(self, key: Any) -> int:
        number = self._number(key)
        if number < 0:
            raise ParameterError(f"no key {key!r} is known")
        return number

    def _check(self, keys: int, value: Array, times: Ints | None, ids: Array | None) -> None:
        """Refuse columns that do not fit together, or the events before."""
        n, d = value.shape
        for name, length in (("keys", keys), ("times", times), ("ids", ids)):
            found = length if isinstance(length, int) else n if length is None else len(length)
            if found != n:
                raise ParameterError(f"{n} values but {found} {name}")
        if n and d == 0:
            raise ParameterError("an event has at least one value")
        if n and self._residents is not None and d != self.d:
            raise ParameterError(f"values have {d} coordinates, the events before had {self.d}")

    def _begun(self, d: int, timed: bool) -> Residents:
        """Return the residents of a table for events like these."""
        if self._residents is None:
            table = StateTable(self.parameters, d)
            self._residents = Residents(table, self._index, self._memory, self._spill)
            self._flagged = Flagged(d)
        if timed and self.parameters.season == "auto" and not self._residents.table.seasonal:
            self._residents.with_seasons()
        return self._residents

    def _process(
        self, residents: Residents, numbers: Ints, value: Array, times: Ints | None
    ) -> dict[str, Any]:
        """Send the events through their keys' detectors; returns the kernel's columns, drifts sparse."""
        columns, drifts = new_columns(len(value), value.shape[1]), []
        start = 0
        while start < len(value):
            rows = residents.place(numbers[start : start + STRETCH])
            here = slice(start, start + len(rows))
            part = {name: None if column is None else column[here] for name, column in columns.items()}
            when = None if times is None else times[here]
            for found in self._shares.run(residents.table, rows, value[here], when, part):
                found["drift_rows"] += start
                drifts.append(found)
            if self._flagged is not None:
                self._flagged.note(numbers[here], value[here], part)
            start += len(rows)
        return with_drifts(columns, drifts)


def _names_of(column: Any) -> Array:
    """Return the keys of a read column as the verdicts carry them; a copy."""
    names: Array = column.copy() if isinstance(column, np.ndarray) else column.objects()
    return names


def _plain(record: Any) -> Any:
    """Return a record, an array of them or a scalar as dicts, lists and numbers."""
    if isinstance(record, np.void) and record.dtype.names:
        return {name: _plain(record[name]) for name in record.dtype.names}
    if isinstance(record, np.ndarray):
        return [_plain(item) for item in record] if record.dtype.names else record.tolist()
    return record.item()


def _bytes(memory: int | str) -> int:
    """Return a cap such as 1000000, "512 MB" or "2GiB" in bytes."""
    if isinstance(memory, int) and not isinstance(memory, bool):
        return memory
    match = _SIZE.fullmatch(memory) if isinstance(memory, str) else None
    if match is None:
        raise ParameterError(f"memory must be bytes or a size such as '512 MB' or '2 GiB', got {memory!r}")
    number, prefix, binary = match.groups()
    power = " kMGT".index(prefix or " ")
    return int(float(number) * (1024 if binary else 1000) ** power)


__all__ = ["Fleet"]
