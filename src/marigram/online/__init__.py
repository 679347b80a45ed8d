"""Estimators that learn one event at a time by clipped SGD: level, scale, regression, an ensemble of steps, context.

Public names are fetched when first asked for: a detector needs its own pieces of this room alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marigram.online.bounds import optimal_clip, optimal_step
    from marigram.online.ensemble import StepEnsemble
    from marigram.online.hashing import SparseRows, hash_features
    from marigram.online.linear import ClippedLinear
    from marigram.online.logistic import ClippedLogistic
    from marigram.online.mean import ClippedMean
    from marigram.online.spread import ClippedScale
    from marigram.online.table import EstimatorTable

_MODULE_OF = {
    "ClippedLinear": "linear",
    "ClippedLogistic": "logistic",
    "ClippedMean": "mean",
    "ClippedScale": "spread",
    "EstimatorTable": "table",
    "SparseRows": "hashing",
    "StepEnsemble": "ensemble",
    "hash_features": "hashing",
    "optimal_clip": "bounds",
    "optimal_step": "bounds",
}

__all__ = [
    "ClippedLinear",
    "ClippedLogistic",
    "ClippedMean",
    "ClippedScale",
    "EstimatorTable",
    "SparseRows",
    "StepEnsemble",
    "hash_features",
    "optimal_clip",
    "optimal_step",
]


def __getattr__(name: str) -> object:
    """Fetch a public name from its module and keep it."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value
