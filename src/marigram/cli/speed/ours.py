"""Our side: the default detector over arrays, and from a file to verdicts; the columns are read inside the clock."""

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import numpy as np

from marigram.cli.speed.clock import Rate, timed
from marigram.cli.speed.streams import Events, key_names, warm_rounds
from marigram.detectors.default import Detector
from marigram.events import open_source
from marigram.fleet import Fleet
from marigram.kinds import Kind
from marigram.verdicts import Verdicts

__all__ = ["WARM", "files", "fleet", "one_at_a_time", "one_key"]

WARM = 64
"""Events of a key before it leaves `learning`."""

_BATCH = 262_144


def _read(verdicts: Verdicts) -> int:
    """Read the columns that a program acts on, every row of them; returns the number of rows."""
    unusual = np.count_nonzero(verdicts["severity"] >= 3.0) + np.count_nonzero(
        verdicts["kind"] == Kind.ANOMALY
    )
    outside = np.count_nonzero(verdicts["lower"] > verdicts["upper"]) + np.count_nonzero(
        verdicts["p_value"] > 1.0
    )
    if outside:
        raise RuntimeError(
            f"{outside} of {len(verdicts)} verdicts ({unusual} unusual) hold an impossible value"
        )
    return len(verdicts)


def fleet(events: Events, keys: int, times: bool, seed: int) -> tuple[Rate, float]:
    """Rate of a fleet of `keys` integer keys past learning, and its bytes a key."""
    judged = Fleet(Detector(), keys=int)

    def judge(part: Events) -> int:
        return _read(judged.update(part.keys, part.values, part.times if times else None))

    timed(judge, warm_rounds(WARM, keys, 1, seed))
    return timed(judge, events.chunks(_BATCH)), float(judged.bytes_per_key)


def one_key(events: Events, times: bool, seed: int) -> Rate:
    """Rate of one detector over arrays, (n,) or (n, d)."""
    detector = Detector()
    d = 1 if events.values.ndim == 1 else events.values.shape[1]

    def judge(part: Events) -> int:
        return _read(detector.update_many(part.values, part.times if times else None))

    timed(judge, warm_rounds(WARM, 1, d, seed))
    return timed(judge, events.chunks(_BATCH))


def one_at_a_time(events: Events, seed: int) -> Rate:
    """Rate of a detector that is asked event by event, with times: every call returns one verdict."""
    detector = Detector()

    def judge(part: Events) -> int:
        for value, time in zip(part.values.tolist(), part.times.tolist(), strict=True):
            detector.update(value, time=time)
        return len(part)

    timed(judge, warm_rounds(WARM, 1, 1, seed))
    return timed(judge, events.chunks(1024))


def files(path: Path, lines: int, keys: int, seed: int) -> Rate:
    """Rate from a file on disk to verdicts, schema inferred, keys past learning."""
    judged = Fleet(Detector(), keys=str)
    for part in warm_rounds(WARM, keys, 1, seed):
        judged.update(key_names(part.keys), part.values, part.times)
    for _ in islice(_verdicts(Fleet(Detector(), keys=str), path), 3):
        pass  # the readers, too, are compiled before the clock starts

    def judge(source: Path) -> int:
        return sum(_verdicts(judged, source))

    rate = timed(judge, [path])
    if rate.events != lines:
        raise RuntimeError(f"{path} has {lines} lines, {rate.events} were judged")
    return rate


def _verdicts(judged: Fleet, path: Path) -> Iterator[int]:
    with closing(open_source(path)) as source:
        for batch in source:
            if len(batch):
                keys = (batch.key_codes, batch.key_names)
                yield _read(judged.update(keys, batch.values, batch.times, batch.ids))
