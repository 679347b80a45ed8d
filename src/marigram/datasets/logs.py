"""The log inside the package: real calls of an AWS account under simulated attack, and which of them attacked."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

__all__ = ["EventLog", "cloudtrail", "cloudtrail_path"]

_FOLDER = Path(__file__).parent / "data"
_EVENTS, _LABELS = _FOLDER / "cloudtrail-attacks.parquet", _FOLDER / "cloudtrail-attacks-labels.parquet"


@dataclass(frozen=True, slots=True)
class EventLog:
    """A shipped log: its events, and the labels that nothing which scores them may read.

    ``labels`` (n,): 1 for a call of the attack simulator, 0 for others; ``runs`` (n,): number of the simulator's run
    that made the call, -1 for none.
    """

    events: pa.Table
    labels: NDArray[np.int8]
    runs: NDArray[np.int16]
    origin: str = "invictus-ir/aws_dataset, CloudTrail/*.json"
    licence: str = "MIT"


def cloudtrail_path() -> Path:
    """The Parquet file of the shipped CloudTrail events, as ``marigram watch --preset cloudtrail`` reads it."""
    return _EVENTS


def cloudtrail() -> EventLog:
    """Read the shipped CloudTrail events: 2,900 calls of an hour, 214 of them attacks, in 80 runs of a simulator.

    User agents, sessions and what else names the simulator are left out.

    Examples
    --------
    >>> log = cloudtrail()
    >>> log.events.num_rows, int(log.labels.sum()), int(log.runs.max()) + 1
    (2900, 214, 80)
    """
    events, attacks = pq.read_table(_EVENTS), pq.read_table(_LABELS)
    place = {ident: row for row, ident in enumerate(events["event_id"].to_pylist())}
    rows = np.array([place[ident] for ident in attacks["event_id"].to_pylist()])
    labels, runs = np.zeros(len(events), np.int8), np.full(len(events), -1, np.int16)
    labels[rows] = 1
    runs[rows] = attacks["run"].to_numpy()
    return EventLog(events, labels, runs)
