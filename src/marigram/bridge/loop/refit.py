"""One refit: what is learned from the labels, how much better that is than less, and whether it may be used.

A quarter of the labels, chosen by a hash of the event, are judges: a trial model learns from the others, and is
promoted only where it finds the malicious among the judges as well as the trial of the version in use, and as
the streams alone. With fewer than :data:`FEWEST` judges of either kind nothing can be said; then it is promoted:
what is new in it is the labels' own surroundings. What is used in the end learns from all labels.

The gains that are reported are those of leave-one-out predictions, each label predicted from all others (Rasmussen and
Williams, 2006, eq. 5.12), with the interval of a paired bootstrap. From :data:`FEWEST_OF_EACH` labels of each kind on
trees with the augmentation gate grow beside the process, and join it where the judges show that they help.
"""

from __future__ import annotations

import importlib.util
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, final

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram.bridge.loop.described import Described
from marigram.bridge.loop.labels import Known
from marigram.bridge.loop.process import Process, ProcessSettings, Scale
from marigram.evaluate.metrics import average_precision
from marigram.graph.data import Columns, Graph, Part
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.detectors.verdict import Comparison

if TYPE_CHECKING:  # importing it needs the extra [graph]
    from marigram.graph.detectors.detector import NodeDetector

Doubles = NDArray[np.float64]

FEWEST: Final = 3
FEWEST_OF_EACH: Final = 20
TREES: Final = TreeSettings(rounds=150, patience=20, rate=0.08, boosters=1, forest=100, threads=1)
SCORE: Final = "stream score"


class Gain(msgspec.Struct, frozen=True):
    """Average precision with and without something on the same labels, with the 95 % interval of the difference."""

    over: str
    with_it: float | None
    without: float | None
    low: float | None
    high: float | None
    malicious: int
    fine: int

    @property
    def shown(self) -> bool:
        """Whether the whole interval lies above 0."""
        return self.low is not None and self.low > 0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a refit found."""

    at: int
    events: int
    labels: int
    malicious: int
    spent: float
    conflicts: tuple[str, ...]
    gains: tuple[Gain, ...]
    judges: int
    judged: tuple[float, float, float] | None
    """Average precision among the judges: of the trial, of the trial of the version in use, of the streams alone."""
    promoted: bool
    reason: str
    trees: str
    """What came of the trees and of the augmentation gate, in words."""
    uses_trees: bool = False


@final
@dataclass(frozen=True, eq=False)
class Fitted:
    """A refit's models and what is told of them."""

    model: Process
    trial: Process
    detector: NodeDetector | None
    report: Report


@final
@dataclass(frozen=True, eq=False)
class Material:
    """What a refit looks at: n events, described; their graph; the streams' score of each; ids to choose judges by."""

    events: Described
    graph: Graph
    event: str
    score: Doubles
    ids: Sequence[str]

    @cached_property
    def scale(self) -> Scale:
        """What is usual among these events."""
        return Scale.fit(self.events, self.score)

    @cached_property
    def bare(self) -> tuple[Described, Scale]:
        """The events without what their surroundings tell, and what is usual among them."""
        alone = self.events.alone()
        return alone, Scale.fit(alone, self.score)


def refit(
    material: Material,
    known: Known,
    *,
    at: int,
    before: Process | None = None,
    settings: ProcessSettings | None = None,
    synthesis: bool = True,
) -> Fitted:
    """Learn from labels.

    Parameters
    ----------
    material
        The events.
    known
        What the labels say of them.
    at
        Now, ns.
    before
        The trial of the version in use.
    settings
        Of the process.
    synthesis
        Whether trees may learn from augmented data.
    """
    scale = material.scale
    prior = scale.prior(material.score)
    points = scale.placed(material.events.take(known.rows))
    here = prior[known.rows]
    model = Process.fit(scale, points, here, known.labels, known.doubt, settings)
    judge = np.array([is_judge(material.ids[row]) for row in known.rows.tolist()], np.bool_)
    rest = ~judge
    trial = Process.fit(scale, points.take(rest), here[rest], known.labels[rest], known.doubt[rest], settings)
    judged = _judged(material, known, judge, trial, before)
    detector, told = _trees(material, known, judge, trial, synthesis) if _enough(known) else (None, _TOO_FEW)
    promoted, reason = _verdict(judged)
    report = Report(
        at=at,
        events=len(material.events),
        labels=len(known.rows),
        malicious=int((known.labels == 1).sum()),
        spent=known.spent,
        conflicts=known.conflicts,
        gains=_gains(material, known, model, here),
        judges=int(judge.sum()),
        judged=judged,
        promoted=promoted,
        reason=reason,
        trees=told,
        uses_trees=detector is not None,
    )
    return Fitted(model, trial, detector, report)


def is_judge(name: str) -> bool:
    """Whether the label of an event is kept to judge by; the same at every refit."""
    return zlib.crc32(f"judge {name}".encode("utf-8", "surrogatepass")) % 4 == 0


def left_out(model: Process, labels: NDArray[Any]) -> Doubles:
    """Return what the other labels say of each labelled event: (m,) logits."""
    target = np.where(np.asarray(labels) == 1, 1.0, -1.0) * model.settings.observed
    if not len(target):
        return np.zeros(0)
    inverse = np.linalg.inv(model.root @ model.root.T)
    return np.asarray(target - model.weights / np.diag(inverse))


def scored(process: Process, detector: NodeDetector | None, material: Material) -> Doubles:
    """Return the loop's logit of every event: the process, and the mean of it and the trees where these are used."""
    prior = process.scale.prior(material.score)
    logits = process.logits(process.scale.placed(material.events), prior)
    if detector is None:
        return logits
    return np.asarray((logits + _logit(detector.score(with_score(material, process)))[: len(logits)]) / 2)


# --- judging ---------------------------------------------------------------------------------------------------------

_TOO_FEW = (
    f"fewer than {FEWEST_OF_EACH} labels of each kind: trees and augmentation wait, the process learns alone"
)


def _judged(
    material: Material, known: Known, judge: NDArray[np.bool_], trial: Process, before: Process | None
) -> tuple[float, float, float] | None:
    labels = known.labels[judge]
    if min((labels == 1).sum(), (labels == 0).sum()) < FEWEST:
        return None
    events, score = material.events.take(known.rows[judge]), material.score[known.rows[judge]]

    def found(model: Process) -> float:
        return average_precision(labels, model.logits(model.scale.placed(events), model.scale.prior(score)))

    streams = average_precision(labels, score)
    return found(trial), streams if before is None else found(before), streams


def _verdict(judged: tuple[float, float, float] | None) -> tuple[bool, str]:
    if judged is None:
        return True, f"fewer than {FEWEST} held-out labels of a kind: nothing to judge by yet"
    new, old, streams = judged
    told = f"average precision on held-out labels {new:.3f}, in use {old:.3f}, streams alone {streams:.3f}"
    if new < old:
        return False, f"worse than the version in use: {told}"
    if new < streams:
        return False, f"worse than the streams alone: {told}"
    return True, told


def _gains(material: Material, known: Known, model: Process, prior: Doubles) -> tuple[Gain, ...]:
    alone, bare = material.bare
    points = bare.placed(alone.take(known.rows))
    other = Process.fit(bare, points, prior, known.labels, known.doubt, model.settings)
    ours = left_out(model, known.labels)
    return (
        gain_over("the streams alone", ours, prior, known.labels),
        gain_over("no graph", ours, left_out(other, known.labels), known.labels),
    )


def gain_over(name: str, ours: Doubles, theirs: Doubles, labels: NDArray[Any]) -> Gain:
    """Compare two scores of the same labelled events."""
    malicious, fine = int((labels == 1).sum()), int((labels == 0).sum())
    if not malicious or not fine:
        return Gain(name, None, None, None, None, malicious, fine)
    found = Comparison.of(ours, theirs, labels == 1, seed=0)
    return Gain(name, found.graph_ap, found.control_ap, found.gain_low, found.gain_high, malicious, fine)


# --- trees -----------------------------------------------------------------------------------------------------------


def _enough(known: Known) -> bool:
    return bool(min((known.labels == 1).sum(), (known.labels == 0).sum()) >= FEWEST_OF_EACH)


def _trees(
    material: Material, known: Known, judge: NDArray[np.bool_], trial: Process, synthesis: bool
) -> tuple[NodeDetector | None, str]:
    """Fit trees with the stream score as a column; return them where the judges show that they help."""
    if importlib.util.find_spec("lightgbm") is None:
        return None, "trees need the extra [graph], which is not installed"
    from marigram.graph.detectors.detector import NodeDetector

    graph = with_score(material, trial)
    parts = np.zeros((1, len(material.events)), np.int8)
    parts[0, known.rows] = np.where(judge, Part.VAL, Part.TRAIN)
    table = graph.nodes[material.event].with_labels(known.over(len(material.events))).with_splits(parts)
    data = graph.with_nodes(**{material.event: table})
    model = NodeDetector(hops=2, seed=0, node_type=material.event, trees=TREES)
    model.fit(data, augment="auto" if synthesis else None)
    rows = known.rows[judge]
    ours = trial.logits(
        trial.scale.placed(material.events.take(rows)), trial.scale.prior(material.score[rows])
    )
    both = (ours + _logit(model.score(data, "graph"))[rows]) / 2
    compared = Comparison.of(both, ours, known.labels[judge] == 1, seed=0)
    gate = "" if model.augmentation is None else f" {model.augmentation.reason}."
    figures = f"{compared.graph_ap:.3f} with trees, {compared.control_ap:.3f} without on {len(rows)} held-out labels"
    if compared.gain_low > 0:
        return model, f"trees help: {figures}.{gate}"
    return None, f"trees are not shown to help: {figures}.{gate}"


def with_score(material: Material, model: Process) -> Graph:
    """The graph, with what the streams say as one more column of the events."""
    table = material.graph.nodes[material.event]
    old = table.attributes
    score = model.scale.prior(material.score).astype(np.float32)[:, None]
    numbers = np.concatenate([np.asarray(old.numeric, np.float32), score], axis=1)
    columns = Columns(
        numeric=numbers, numeric_names=(*old.numeric_names, SCORE), codes=old.codes, code_names=old.code_names,
        vocabularies=old.vocabularies, text=old.text, text_names=old.text_names,
    )  # fmt: skip
    return material.graph.with_nodes(**{material.event: table.with_attributes(columns)})


def _logit(share: NDArray[Any]) -> Doubles:
    held = np.clip(np.asarray(share, float), 1e-4, 1 - 1e-4)
    return np.asarray(np.log(held / (1 - held)))


__all__ = [
    "FEWEST",
    "FEWEST_OF_EACH",
    "SCORE",
    "TREES",
    "Fitted",
    "Gain",
    "Material",
    "Report",
    "gain_over",
    "is_judge",
    "left_out",
    "refit",
    "scored",
    "with_score",
]
