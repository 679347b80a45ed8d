"""What all thresholds share: scores come in one by one or many at a time, answers go out, the state can be saved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Self, TypeAlias, TypeVar, final

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from marigram import snapshots
from marigram.errors import ParameterError, SnapshotError
from marigram.kinds import Kind
from marigram.online.records import as_values, known

Array: TypeAlias = NDArray[Any]
Floats: TypeAlias = NDArray[np.float64]
P = TypeVar("P", bound=msgspec.Struct)

NORMAL, ANOMALY, DRIFT, UNDECIDED, LEARNING, MISSING, REJECTED = (
    np.uint8(kind)
    for kind in (
        Kind.NORMAL,
        Kind.ANOMALY,
        Kind.DRIFT,
        Kind.UNDECIDED,
        Kind.LEARNING,
        Kind.MISSING,
        Kind.REJECTED,
    )
)
"""The codes of the answers, as kernels write them."""


class Saved(ABC, Generic[P]):
    """Parameters, and a state of named arrays that goes into a snapshot and comes back."""

    PARAMETERS: ClassVar[type[msgspec.Struct]]

    def __init__(self, parameters: P) -> None:
        self.parameters = parameters

    @abstractmethod
    def _arrays(self) -> dict[str, Array]:
        """The state."""

    @abstractmethod
    def _restore(self, arrays: Mapping[str, Array]) -> None:
        """Take over a state; what does not fit is a ``SnapshotError``."""

    @final
    def to_bytes(self) -> bytes:
        """Parameters and state, checksummed; never pickle."""
        meta = {"parameters": msgspec.to_builtins(self.parameters)}
        return snapshots.pack(_kind(type(self)), meta, self._arrays())

    @final
    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """An object as :meth:`to_bytes` left it: it goes on bit for bit as if it had never stopped.

        Raises
        ------
        SnapshotError
            Damaged bytes, or those of another class or version.
        """
        meta, arrays = snapshots.unpack(data, _kind(cls))
        try:
            parameters = msgspec.convert(known(meta, "parameters", dict), cls.PARAMETERS)
        except msgspec.ValidationError as error:
            raise SnapshotError(f"not the parameters of a {cls.__name__}: {error}") from error
        made = cls.__new__(cls)
        cls._begin(made, parameters)
        made._restore(arrays)
        return made

    @abstractmethod
    def _begin(self, parameters: Any) -> None:
        """Set up a fresh state under these parameters."""


class Counted(Saved[P]):
    """A state whose numbers are one record, ``n`` and ``rejected`` among them."""

    _states: Array

    @property
    def n(self) -> int:
        """Scores taken in; those missing or not usable do not count."""
        return int(self._states["n"][0])

    @property
    def rejected(self) -> int:
        """Scores that were missing or not usable."""
        return int(self._states["rejected"][0])


class ScoreReader(Saved[P]):
    """A threshold that reads one score after the other."""

    @final
    def update(self, score: float) -> Kind:
        """Decide on one score, then learn it."""
        values = as_values(score)
        if values.ndim:
            raise ParameterError(f"one score is a number, got an array of shape {values.shape}")
        return Kind(int(self._decide(values.reshape(1))[0]))

    @final
    def update_many(self, scores: ArrayLike) -> NDArray[np.uint8]:
        """Decide on n scores in their order: (n,) codes of :class:`~marigram.Kind`.  The same as one by one.

        The array is not changed.  NaN is ``missing``, an infinity or a size beyond 1e300 ``rejected``; neither is
        learned.
        """
        return self._decide(as_scores(scores))

    @abstractmethod
    def _decide(self, scores: Floats) -> NDArray[np.uint8]:
        """Decide on (n,) scores, and learn each after its answer."""


def as_scores(scores: ArrayLike) -> Floats:
    """(n,) scores as contiguous float64 that kernels may read; ``ParameterError`` for anything else."""
    values = as_values(scores)
    if values.ndim != 1:
        raise ParameterError(f"scores must be (n,), got an array of shape {values.shape}")
    return read_only(values)


def read_only(array: Array) -> Array:
    """A contiguous view that cannot be written through, so that kernels are compiled for one type."""
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def taken(arrays: Mapping[str, Array], name: str, like: Array, *, any_length: bool = False) -> Array:
    """An array of a snapshot that has the dtype and shape of ``like``, but for its length where that may differ."""
    found = arrays.get(name)
    if found is None or found.dtype != like.dtype or found.ndim != like.ndim:
        raise SnapshotError(f"the snapshot lacks {name!r}, or holds another one")
    if not any_length and found.shape != like.shape:
        raise SnapshotError(f"{name!r} must be of shape {like.shape}, the snapshot's is {found.shape}")
    return found


def _kind(cls: type) -> str:
    return f"threshold {cls.__name__}"


__all__ = [
    "ANOMALY", "DRIFT", "LEARNING", "MISSING", "NORMAL", "REJECTED", "UNDECIDED", "Array", "Counted", "Floats", "Saved",
    "ScoreReader", "as_scores", "read_only", "taken",
]  # fmt: skip
