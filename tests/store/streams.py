"""Batches for the tests of the store, and what a fleet is, as text."""

from collections.abc import Sequence

import numpy as np

from marigram.events.batch import Batch, Reject
from marigram.events.keys import KeyNames
from marigram.fleet import Fleet

SECOND = 10**9
START = 1_700_000_000 * SECOND


def batches(
    count: int, rows: int = 40, keys: int = 7, seed: int = 0, timed: bool = True, rejects: int = 0
) -> list[Batch]:
    """Return batches of one stream, cut evenly: noise, a spike now and then, one shift."""
    rng = np.random.default_rng(seed)
    names = KeyNames()
    codes = names.codes_of([f"key-{i}" for i in range(keys)])
    made = []
    for number in range(count):
        values = rng.normal(size=rows) + (8.0 if number > count // 2 else 0.0)
        values[rng.random(rows) < 0.01] += 30.0
        times = START + (number * rows + np.arange(rows)) * SECOND if timed else None
        lines = [Reject("request", i + 1, "no number", b"x") for i in range(rejects)]
        made.append(batch_of(values, times, codes[rng.integers(0, keys, rows)], names, lines))
    return made


def batch_of(
    values: np.ndarray,
    times: np.ndarray | None,
    codes: np.ndarray,
    names: KeyNames,
    rejects: Sequence[Reject] = (),
) -> Batch:
    """Return a batch."""
    return Batch(
        values=values,
        times=times,
        key_codes=codes,
        key_names=names,
        ids=None,
        rejects=list(rejects),
        lines=len(values) + len(rejects),
        offset={},
    )


def told(fleet: Fleet) -> dict[str, str]:
    """Return the state of every key, as text: equal exactly when every bit is."""
    return {str(key): repr(fleet.state(key)) for key in sorted(fleet.keys().tolist())}
