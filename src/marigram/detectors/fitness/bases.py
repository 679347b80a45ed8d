"""What FITNESS adapts to similar samples: a gradient model, or any detector with ``fit`` and a score.

An adapter is asked ``t = score(samples, seqs, x)``: how abnormal x is, higher for more, after adapting to the samples,
in robust units of the scores of these samples themselves:  t = (score(x) - median)/(1.4826 MAD).
"""

from __future__ import annotations

import copy
from typing import Any, Protocol

import numpy as np

from marigram.errors import ParameterError

Array = np.ndarray[Any, Any]


class Adapter(Protocol):
    """One kind of base."""

    def score(self, samples: Array, seqs: Array, x: Array) -> float:
        """t of x (d,) after adapting to ``samples`` (n, d), oldest first, whose numbers are ``seqs`` (n,)."""

    def saved(self) -> dict[str, Array]:
        """What a snapshot needs beside the base itself."""

    def put(self, arrays: dict[str, Array]) -> None:
        """Take over what :meth:`saved` gave."""


def adapter(base: Any, orientation: str, refresh: float) -> Adapter:
    """The adapter that fits what ``base`` can do.

    Raises
    ------
    ParameterError
        Neither ``update`` and ``score_one``, nor ``fit`` and ``score_samples`` or ``decision_function``.
    """
    if callable(getattr(base, "update", None)) and callable(getattr(base, "score_one", None)):
        return Tuned(base)
    if callable(getattr(base, "fit", None)):
        return Refitted(base, orientation, refresh)
    raise ParameterError(
        f"base must be 'gaussian', a model with update and score_one, or a detector with fit and a score; got {base!r}"
    )


def robust_t(score: float, scores: Array) -> float:
    """(score - median)/(1.4826 MAD) of ``scores``; their standard deviation stands in for a MAD of 0, then 1."""
    middle = float(np.median(scores))
    unit = 1.482602218505602 * float(np.median(np.abs(scores - middle))) or float(np.std(scores)) or 1.0
    return (score - middle) / unit


class Tuned:
    """A gradient model: a copy takes one step for each similar sample, oldest first, scores, and is thrown away.

    A model that knows its target takes the last coordinate of an event for it.
    """

    def __init__(self, base: Any) -> None:
        self._base = base
        self._paired = callable(getattr(base, "predict_one", None))

    def score(self, samples: Array, seqs: Array, x: Array) -> float:  # noqa: ARG002 - nothing is kept between events
        """See :class:`Adapter`."""
        model = copy.deepcopy(self._base)
        if callable(getattr(model, "update_many", None)):
            model.update_many(*((samples[:, :-1], samples[:, -1]) if self._paired else (samples,)))
        else:
            for sample in samples:
                model.update(*self._arguments(sample))
        own = np.array([model.score_one(*self._arguments(sample)) for sample in samples])
        return robust_t(float(model.score_one(*self._arguments(x))), own)

    def saved(self) -> dict[str, Array]:
        """See :class:`Adapter`: a model that is thrown away after each score leaves nothing."""
        return {}

    def put(self, arrays: dict[str, Array]) -> None:
        """See :class:`Adapter`."""

    def _arguments(self, sample: Array) -> tuple[Any, ...]:
        return (sample[:-1], float(sample[-1])) if self._paired else (sample,)


class Refitted:
    """A detector that is fitted: to the similar samples, anew when more than ``refresh`` of them have changed."""

    def __init__(self, base: Any, orientation: str, refresh: float) -> None:
        if not any(callable(getattr(base, name, None)) for name in ("score_samples", "decision_function")):
            raise ParameterError(
                f"base {base!r} cannot score new samples: it needs score_samples or decision_function "
                "(scikit-learn's LocalOutlierFactor has them with novelty=True)"
            )
        self._base, self._refresh = base, refresh
        self._sign = {"abnormal": 1.0, "normal": -1.0, "auto": 0.0}[orientation]
        self._model: Any = None
        self._samples, self._seqs, self._own = np.zeros((0, 0)), np.zeros(0, np.int64), np.zeros(0)

    def score(self, samples: Array, seqs: Array, x: Array) -> float:
        """See :class:`Adapter`."""
        if self._model is None or self._changed(seqs) > self._refresh:
            self.fit(samples, seqs)
        return robust_t(float(self._scores(x[None])[0]), self._own)

    def fit(self, samples: Array, seqs: Array) -> None:
        """Fit a fresh copy of the base to ``samples`` (n, d)."""
        self._model = copy.deepcopy(self._base)
        self._model.fit(samples)
        if self._sign == 0.0:
            self._sign = orientation_of(self._model)
        self._samples, self._seqs, self._own = samples.copy(), seqs.copy(), self._scores(samples)

    def saved(self) -> dict[str, Array]:
        """See :class:`Adapter`: the samples of the last fit, some of which may have left the window."""
        return {} if self._model is None else {"fit_samples": self._samples, "fit_seqs": self._seqs}

    def put(self, arrays: dict[str, Array]) -> None:
        """See :class:`Adapter`: fits the base to them again."""
        if "fit_samples" in arrays:
            self.fit(arrays["fit_samples"], arrays["fit_seqs"])

    def _changed(self, seqs: Array) -> float:
        """Share of the union of two sets that is in one of them alone."""
        common = len(np.intersect1d(seqs, self._seqs, assume_unique=True))
        return 1.0 - common / (len(seqs) + len(self._seqs) - common)

    def _scores(self, samples: Array) -> Array:
        method = getattr(self._model, "score_samples", None) or self._model.decision_function
        scores = np.asarray(method(samples), np.float64).reshape(len(samples))
        if not np.isfinite(scores).all():
            raise ParameterError(f"base {self._base!r} gave a score that is not finite")
        return self._sign * scores


def orientation_of(model: Any) -> float:
    """1 where higher scores of a fitted model are more abnormal (PyOD), -1 where they are more normal (scikit-learn).

    ``score_samples`` and ``offset_`` are scikit-learn's way, ``decision_scores_`` after ``fit`` is PyOD's.
    """
    if hasattr(model, "decision_scores_"):
        return 1.0
    if hasattr(model, "score_samples") or hasattr(model, "offset_"):
        return -1.0
    raise ParameterError(
        f"base {model!r} does not show whether higher scores are more abnormal: say orientation='abnormal' or 'normal'"
    )


def is_gaussian(base: Any) -> bool:
    """Whether the base is the Gaussian model."""
    return isinstance(base, str) and base == "gaussian"


__all__ = ["Adapter", "Refitted", "Tuned", "adapter", "is_gaussian", "orientation_of", "robust_t"]
