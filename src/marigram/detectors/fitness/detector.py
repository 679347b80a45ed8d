"""FITNESS: fine-tune on recent, similar samples, then score (Sankararaman et al., ICML 2022).

The paper's abstract states the idea; the algorithm here is our reconstruction of it.  At each event the samples of
the last W that are similar to it are looked up, a copy of the base model is adapted to them, the event is scored by
the copy, the copy is thrown away, and the event joins the window.  Robust, because far outliers are similar to
nothing; adaptive, because after a jump the old samples are not similar either and a few new ones suffice.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np
from numpy.typing import ArrayLike

from marigram import snapshots
from marigram.detectors.default import nanoseconds, numbers
from marigram.detectors.fitness.bases import Adapter, adapter, is_gaussian
from marigram.detectors.fitness.kernel import UNUSABLE, conclude, distance_score, look, run
from marigram.detectors.fitness.parameters import FitnessParameters
from marigram.detectors.fitness.state import (
    Answers,
    Buffer,
    new_answers,
    new_buffer,
    put_arrays,
    saved_arrays,
)
from marigram.errors import ParameterError, SnapshotError
from marigram.verdicts import Verdict, Verdicts

_NO_TIMES = np.zeros(0, np.int64)
_SNAPSHOT = "fitness"


class Fitness:
    """Makes an online detector of an offline one: adapts it to recent, similar samples before each score.

    A reference algorithm: its memory is the window, about 16 d + 33 bytes a sample, its time O(W d) an event.

    Parameters
    ----------
    base
        ``"gaussian"``: the mean of what is similar, and a calibrated distance from it. A model with ``update`` and
        ``score_one``, such as :class:`marigram.ClippedMean`: a copy takes one step for each similar sample. A detector
        with ``fit`` and ``score_samples`` or ``decision_function``, such as scikit-learn's ``IsolationForest``,
        ``LocalOutlierFactor(novelty=True)`` or PyOD's: a copy is fitted to what is similar.
    window
        Samples that are remembered, in [8, 10,000,000].
    radius
        Samples at most this far apart, in scales, are similar. None: sqrt(2) (sqrt(d) + sqrt(2 ln(20 W))), which
        leaves no sample of the same Gaussian regime out; or, with ``k``, no limit.
    k
        At most this many nearest samples count as similar, in [k_min, window]. Without a radius the nearest k are
        taken however far they are, and no event is novel.
    k_min
        With fewer similar samples an event is novel: judged by its distance from the nearest regime. The
        persistence that makes a drift of repeated anomalies; in [1, window/2].
    alpha
        Promised probability, in [1e-8, 0.1], that a normal event is called an anomaly.
    scale
        Standard deviation of the noise, one number or one for each coordinate. None: read from the window.
    orientation
        Whether higher scores of a fitted base are more ``"abnormal"`` or more ``"normal"``; ``"auto"`` knows
        scikit-learn's and PyOD's way.
    refresh
        Share of the similar samples, in [0, 1], that may change before a detector is fitted anew; 0 fits it at each.

    Raises
    ------
    ParameterError
        A parameter outside its range, or a base that can neither be tuned nor fitted.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> x = rng.normal(size=(1000, 2))
    >>> x[500:] += 20
    >>> import marigram as mg
    >>> table = mg.Fitness().update_many(x)
    >>> table[500].kind, table[503:]["kind"].max() <= 2
    (<Kind.ANOMALY: 1>, np.True_)
    """

    def __init__(
        self,
        base: Any = "gaussian",
        window: int = 200,
        *,
        radius: float | None = None,
        k: int | None = None,
        k_min: int = 3,
        alpha: float = 1e-3,
        scale: float | ArrayLike | None = None,
        orientation: str = "auto",
        refresh: float = 0.1,
    ) -> None:
        given: Any = scale if scale is None or np.ndim(scale) == 0 else np.asarray(scale).ravel().tolist()
        self.parameters = FitnessParameters(
            window=window,
            radius=radius,
            k=k,
            k_min=k_min,
            alpha=alpha,
            scale=given,
            orientation=orientation,
            refresh=refresh,
        )
        self._adapter: Adapter | None = None if is_gaussian(base) else adapter(base, orientation, refresh)
        self._buffer: Buffer | None = None

    def __repr__(self) -> str:
        return f"<Fitness: {self.n} samples seen, d={self.d}>"

    @property
    def d(self) -> int:
        """Number of coordinates, 1 before the first event."""
        return 1 if self._buffer is None else self._buffer.d

    @property
    def n(self) -> int:
        """Events learned."""
        return 0 if self._buffer is None else int(self._buffer.head["n"][0])

    def update(
        self,
        value: float | ArrayLike | None,
        time: Any = None,
        *,
        id: Any = None,  # noqa: A002 - the field is called so everywhere
        key: Any = None,
    ) -> Verdict:
        """Score one event, then learn it; the arguments are those of :meth:`marigram.Detector.update`.

        An event with a missing coordinate is missing as a whole.
        """
        row = numbers(np.nan if value is None else value)
        if row.ndim > 1 or not row.size:
            raise ParameterError(f"one event is a number or a vector, got an array of shape {row.shape}")
        return self._update(row.reshape(1, -1), None if time is None else nanoseconds([time]), id, key)[0]

    def update_many(self, values: ArrayLike, times: ArrayLike | None = None) -> Verdicts:
        """Score and learn n events in their order: the same verdicts as one by one.

        Parameters
        ----------
        values
            (n,) numbers, or (n, d); not mutated.
        times
            (n,) nanoseconds since 1970 UTC or datetime64, NaT for none; or None.
        """
        array = numbers(values)
        if array.ndim not in (1, 2):
            raise ParameterError(f"values must be (n,) or (n, d), got {array.ndim} dimensions")
        rows = array.reshape(len(array), -1 if array.size else self.d)
        return self._update(rows, None if times is None else nanoseconds(times), None, None)

    def _update(self, rows: np.ndarray, times: np.ndarray | None, id: Any, key: Any) -> Verdicts:  # noqa: A002
        n, d = rows.shape
        if times is not None and len(times) != n:
            raise ParameterError(f"{n} values but {len(times)} times")
        if self._buffer is None:
            if not n:
                return Verdicts(value=rows[:, 0] if d == 1 else rows, kind=np.zeros(0, np.uint8))
            self._buffer = new_buffer(self.parameters.window, self.parameters.scales(d))
        if d != self._buffer.d:
            raise ParameterError(f"values have {d} coordinates, the detector was begun with {self._buffer.d}")
        answers = new_answers(n, d)
        settings, when = self.parameters.settings(d), _NO_TIMES if times is None else times
        value = np.ascontiguousarray(rows)
        if self._adapter is None:
            run(self._buffer, settings, value, when, answers)
        else:
            self._judge(self._adapter, self._buffer, settings, value, when, answers)
        return _verdicts(value, times, id, key, answers)

    def _judge(
        self,
        model: Adapter,
        buffer: Buffer,
        settings: np.ndarray,
        rows: np.ndarray,
        times: np.ndarray,
        answers: Answers,
    ) -> None:
        """Send n events through a base that is Python."""
        for row in range(len(rows)):
            status, count, novel = look(buffer, settings, rows, times, row, answers)
            if status == UNUSABLE:
                continue
            t = math.nan
            if count and (novel or count < self.parameters.k_min):  # too few to adapt a base to
                t = distance_score(buffer, count)
            elif count:
                chosen = buffer.chosen[:count]
                seqs = buffer.seqs[chosen]
                order = np.argsort(seqs)
                t = model.score(buffer.rows[chosen[order]], seqs[order], rows[row])
            conclude(buffer, settings, rows, row, answers, status, count, novel, t, math.nan)

    def to_bytes(self) -> bytes:
        """The parameters and the window, checksummed; never pickle.

        Of a base other than the Gaussian only the samples it was last fitted to are kept: hand it to
        :meth:`from_bytes` again.
        """
        meta: dict[str, Any] = {
            "parameters": msgspec.to_builtins(self.parameters),
            "d": 0 if self._buffer is None else self._buffer.d,
            "gaussian": self._adapter is None,
        }
        arrays = {} if self._buffer is None else saved_arrays(self._buffer)
        if self._adapter is not None:
            arrays |= self._adapter.saved()
        return snapshots.pack(_SNAPSHOT, meta, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, base: Any = "gaussian") -> Fitness:
        """A detector as :meth:`to_bytes` left it; with the same, deterministic base it goes on as if never stopped.

        Raises
        ------
        SnapshotError
            Damaged bytes, or those of another version; or a Gaussian base where it had another, or the reverse.
        """
        meta, arrays = snapshots.unpack(data, _SNAPSHOT)
        try:
            given = msgspec.convert(meta["parameters"], FitnessParameters)
            gaussian, d = bool(meta["gaussian"]), int(meta["d"])
        except (KeyError, TypeError, msgspec.ValidationError, ParameterError) as error:
            raise SnapshotError(f"not a detector of this version: {error}") from error
        if gaussian != is_gaussian(base):
            had = "the Gaussian base" if gaussian else "a base of its own: hand it over again as base="
            raise SnapshotError(f"this detector had {had}")
        fitness = cls(base, **msgspec.to_builtins(given))
        if d:
            fitness._buffer = new_buffer(given.window, given.scales(d))
            put_arrays(fitness._buffer, arrays)
        if fitness._adapter is not None:
            fitness._adapter.put(arrays)
        return fitness


def _verdicts(rows: np.ndarray, times: np.ndarray | None, id: Any, key: Any, answers: Answers) -> Verdicts:  # noqa: A002
    """The answers as a table."""
    n, d = rows.shape
    columns: dict[str, Any] = answers._asdict()
    why = columns.pop("why")
    if d == 1:
        columns = {name: column.reshape(n) for name, column in columns.items()}
    given = {} if key is None else {"key": np.full(n, key, object)}
    if id is not None:
        given["id"] = np.full(n, id, object)
    value = rows[:, 0] if d == 1 else rows
    return Verdicts(value=value.copy(), time=times, why=why if d > 1 else None, **given, **columns)


__all__ = ["Fitness"]
