"""The peers, each as its own documentation uses it: score an event, then learn it, one event at a time.

A peer that is not installed is left out; one that keeps a single stream is given one stream. Scalar peers that fit in a
dictionary of keys get one, as their users have to write it.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

__all__ = ["PEERS", "Peer", "Rows", "decode_json_lines", "installed"]

Rows = tuple[Sequence[Any], Sequence[Any]]
"""Keys and values of some events, in order; a value is a float, or a list of d floats."""


class Peer(Protocol):
    """A fresh competitor; `learn` scores and learns events in order."""

    def learn(self, rows: Rows) -> None:
        """Score, then learn, each event."""


class PlainLoop:
    """The least that anyone would write: mean and variance with exponential weights, z = residual / deviation.

    Floats in a dictionary when d = 1, NumPy vectors otherwise.
    """

    def __init__(self, d: int) -> None:
        self._d = d
        self._state: dict[Any, list[Any]] = {}

    def learn(self, rows: Rows) -> None:
        """Score, then learn, each event."""
        if self._d == 1:
            self._scalars(*rows)
        else:
            self._vectors(*rows)

    def _scalars(self, keys: Sequence[Any], values: Sequence[float]) -> None:
        for key, value in zip(keys, values, strict=True):
            state = self._state.get(key)
            if state is None:
                state = self._state[key] = [value, 1.0, 0.0]
            residual = value - state[0]
            state[2] = residual / state[1] ** 0.5
            state[0] += 0.01 * residual
            state[1] += 0.01 * (residual * residual - state[1])

    def _vectors(self, keys: Sequence[Any], values: Sequence[Sequence[float]]) -> None:
        for key, value in zip(keys, values, strict=True):
            vector = np.asarray(value)
            state = self._state.get(key)
            if state is None:
                state = self._state[key] = [vector.copy(), np.ones(self._d), vector]
            residual = vector - state[0]
            state[2] = residual / np.sqrt(state[1])
            state[0] += 0.01 * residual
            state[1] += 0.01 * (residual * residual - state[1])


class RiverGaussian:
    """river's GaussianScorer, one a key; no grace period, so that every event is scored."""

    def __init__(self) -> None:
        from river.anomaly import GaussianScorer

        self._make: Any = GaussianScorer
        self._scorers: dict[Any, Any] = {}

    def learn(self, rows: Rows) -> None:
        """Score, then learn, each event."""
        for key, value in zip(*rows, strict=True):
            scorer = self._scorers.get(key)
            if scorer is None:
                scorer = self._scorers[key] = self._make(grace_period=1)
            scorer.score_one(None, value)
            scorer.learn_one(None, value)


class RiverHalfSpaceTrees:
    """river's HalfSpaceTrees behind its MinMaxScaler, one stream."""

    def __init__(self, d: int) -> None:
        from river import anomaly, preprocessing

        self._model = preprocessing.MinMaxScaler() | anomaly.HalfSpaceTrees(seed=1)
        self._names = [f"x{j}" for j in range(d)]

    def learn(self, rows: Rows) -> None:
        """Score, then learn, each event."""
        single = len(self._names) == 1
        for value in rows[1]:
            x = {"x0": value} if single else dict(zip(self._names, value, strict=True))
            self._model.score_one(x)
            self._model.learn_one(x)


class _Pysad:
    """A model of pysad, one stream; it wants a NumPy vector."""

    def __init__(self, model: Any) -> None:
        self._model = model

    def learn(self, rows: Rows) -> None:
        """Score and learn each event, in pysad's one call."""
        for value in rows[1]:
            self._model.fit_score_partial(np.atleast_1d(np.asarray(value)))


def pysad_deviation() -> Peer:
    """pysad's StandardAbsoluteDeviation, the fastest of its models for scalars."""
    from pysad.models import StandardAbsoluteDeviation

    make: Any = StandardAbsoluteDeviation
    return _Pysad(make())


def pysad_loda() -> Peer:
    """pysad's LODA, for vectors."""
    from pysad.models import LODA

    make: Any = LODA
    return _Pysad(make())


class Rrcf:
    """rrcf as its page has it: 40 trees of 256 points, first in first out, scored by mean collusive displacement."""

    def __init__(self, trees: int = 40, size: int = 256) -> None:
        from rrcf import RCTree

        self._forest = [RCTree() for _ in range(trees)]
        self._size = size
        self._seen = 0

    def learn(self, rows: Rows) -> None:
        """Learn and score each event: rrcf scores what is in the tree."""
        for value in rows[1]:
            total = 0.0
            for tree in self._forest:
                if len(tree.leaves) >= self._size:
                    tree.forget_point(self._seen - self._size)
                tree.insert_point(np.atleast_1d(np.asarray(value)), index=self._seen)
                total += tree.codisp(self._seen)
            self._seen += 1


class Entry:
    """A peer: what must be installed, what it can do, how to make it."""

    def __init__(
        self, module: str, make: Callable[[int], Peer], *, scalars: bool, vectors: bool, keyed: bool
    ) -> None:
        self.module, self.make = module, make
        self._scalars, self._vectors, self._keyed = scalars, vectors, keyed

    def can(self, keys: int, d: int) -> bool:
        """Whether it is made for so many keys and coordinates."""
        return (self._scalars if d == 1 else self._vectors) and (self._keyed or keys == 1)


PEERS: Mapping[str, Entry] = {
    "plain Python loop": Entry("numpy", PlainLoop, scalars=True, vectors=True, keyed=True),
    "river.GaussianScorer": Entry(
        "river", lambda _: RiverGaussian(), scalars=True, vectors=False, keyed=True
    ),
    "river.HalfSpaceTrees": Entry("river", RiverHalfSpaceTrees, scalars=True, vectors=True, keyed=False),
    "pysad.StandardAbsoluteDeviation": Entry(
        "pysad", lambda _: pysad_deviation(), scalars=True, vectors=False, keyed=False
    ),
    "pysad.LODA": Entry("pysad", lambda _: pysad_loda(), scalars=False, vectors=True, keyed=False),
    "rrcf": Entry("rrcf", lambda _: Rrcf(), scalars=True, vectors=True, keyed=False),
}


def installed(entry: Entry) -> bool:
    """Whether the peer can be imported here."""
    return find_spec(entry.module) is not None


def decode_json_lines(lines: Sequence[bytes]) -> Rows:
    """Keys and values of JSON lines, as the standard library reads them."""
    rows = [json.loads(line) for line in lines]
    return [row["key"] for row in rows], [row["value"] for row in rows]
