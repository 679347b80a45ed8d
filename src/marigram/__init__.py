"""Tell anomalies from drifts in streams of events, each with the range that was expected.

``import marigram as mg`` costs next to nothing: a public name is fetched from its room when it is first used.

>>> import marigram as mg
>>> mg.Kind.DRIFT.label
'drift'
"""

from importlib import import_module
from typing import TYPE_CHECKING

from marigram import _cache

if TYPE_CHECKING:
    from marigram.change.catoni import CatoniChangePoint
    from marigram.change.clipped import ClippedChangePoint
    from marigram.change.conformal import RankChangePoint
    from marigram.change.cusum import CusumChangePoint
    from marigram.change.found import Change
    from marigram.detectors.default import Detector
    from marigram.detectors.fitness import Fitness
    from marigram.detectors.joint.detector import JointDetector
    from marigram.errors import InputError, MarigramError, ParameterError, SnapshotError
    from marigram.fleet import Fleet
    from marigram.fleet.calendar import Calendar
    from marigram.fleet.event_policy import EventPolicy
    from marigram.kinds import Kind
    from marigram.online import (
        ClippedLinear,
        ClippedLogistic,
        ClippedMean,
        ClippedScale,
        EstimatorTable,
        SparseRows,
        StepEnsemble,
        hash_features,
        optimal_clip,
        optimal_step,
    )
    from marigram.service.client import Client
    from marigram.thresholds.budget import AlertBudget
    from marigram.thresholds.confidence import ConfidenceThreshold
    from marigram.thresholds.peaks import PeaksOverThreshold
    from marigram.thresholds.slices import SliceCalibrator
    from marigram.thresholds.spliced import SplicedBinnedPareto
    from marigram.thresholds.tracker import QuantileTracker
    from marigram.verdicts import Verdict, Verdicts

__version__ = "0.1.0"

_ROOM_OF = {
    "AlertBudget": "thresholds.budget",
    "Calendar": "fleet.calendar",
    "CatoniChangePoint": "change.catoni",
    "Change": "change.found",
    "Client": "service.client",
    "ClippedChangePoint": "change.clipped",
    "ClippedLinear": "online",
    "ClippedLogistic": "online",
    "ClippedMean": "online",
    "ClippedScale": "online",
    "ConfidenceThreshold": "thresholds.confidence",
    "CusumChangePoint": "change.cusum",
    "Detector": "detectors.default",
    "EstimatorTable": "online",
    "EventPolicy": "fleet.event_policy",
    "Fitness": "detectors.fitness",
    "Fleet": "fleet",
    "InputError": "errors",
    "JointDetector": "detectors.joint.detector",
    "Kind": "kinds",
    "MarigramError": "errors",
    "ParameterError": "errors",
    "PeaksOverThreshold": "thresholds.peaks",
    "QuantileTracker": "thresholds.tracker",
    "RankChangePoint": "change.conformal",
    "SliceCalibrator": "thresholds.slices",
    "SnapshotError": "errors",
    "SparseRows": "online",
    "SplicedBinnedPareto": "thresholds.spliced",
    "StepEnsemble": "online",
    "Verdict": "verdicts",
    "Verdicts": "verdicts",
    "hash_features": "online",
    "optimal_clip": "online",
    "optimal_step": "online",
}
"""Public name -> the module under ``marigram`` that defines it (PEP 562: fetched when first asked for)."""

__all__ = [
    "AlertBudget",
    "Calendar",
    "CatoniChangePoint",
    "Change",
    "Client",
    "ClippedChangePoint",
    "ClippedLinear",
    "ClippedLogistic",
    "ClippedMean",
    "ClippedScale",
    "ConfidenceThreshold",
    "CusumChangePoint",
    "Detector",
    "EstimatorTable",
    "EventPolicy",
    "Fitness",
    "Fleet",
    "InputError",
    "JointDetector",
    "Kind",
    "MarigramError",
    "ParameterError",
    "PeaksOverThreshold",
    "QuantileTracker",
    "RankChangePoint",
    "SliceCalibrator",
    "SnapshotError",
    "SparseRows",
    "SplicedBinnedPareto",
    "StepEnsemble",
    "Verdict",
    "Verdicts",
    "__version__",
    "hash_features",
    "optimal_clip",
    "optimal_step",
]

_cache.configure(__version__)


def __getattr__(name: str) -> object:
    """Fetch a public name from its room and keep it, so that the next use is an ordinary attribute."""
    room = _ROOM_OF.get(name)
    if room is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{room}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, fetched or not."""
    return sorted(__all__)
