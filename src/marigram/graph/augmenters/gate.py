"""The gate: synthetic data are used only where validation shows that they help.

Every augmenter and ratio is tried; the one with the best average precision on validation is taken if, over the same
resampled validation nodes, its gain over no augmentation and over duplicates both lie above 0 with their whole 95 %
interval. Otherwise nothing is added, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from marigram.graph.augmenters.kinds import Makers, extended
from marigram.graph.detectors.auto import Candidate, best, tried
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.detectors.verdict import FEWEST_POSITIVES, Comparison

AUTO: tuple[tuple[str, float], ...] = (
    ("pseudo", 10.0), ("pseudo+smote", 10.0), ("pseudo+perturb", 10.0), ("undersample", 10.0), ("perturb", 10.0),
    ("smote", 10.0),
)  # fmt: skip
"""What ``"auto"`` tries, kind and ratio."""
CONTROL = ("duplicate", 10.0)


@final
@dataclass(frozen=True)
class Augmentation:
    """What was added to the training data, and whether it helped on validation.

    Attributes
    ----------
    kind, ratio
        The augmenter that is used; ``"none"`` where the gate stayed shut.
    asked
        What was asked for.
    tried
        (kind, ratio, average precision on validation) of each, the first being ``"none"``.
    over_none, over_duplicate
        The best augmenter beside no augmentation and beside duplicates, on validation, with intervals: in their fields
        ``graph_ap`` is the augmenter's and ``control_ap`` the other's.
    """

    kind: str
    ratio: float
    asked: str
    tried: tuple[tuple[str, float, float], ...]
    over_none: Comparison
    over_duplicate: Comparison

    @property
    def helps(self) -> bool:
        """Whether both gains are above 0 with their whole interval."""
        return shown(self.over_none, self.over_duplicate)

    @property
    def reason(self) -> str:
        """What came of it, in a sentence."""
        found = max(self.tried[1:], key=lambda row: row[2], default=("none", 0.0, np.nan))
        gain = self.over_none
        figures = (
            f"average precision on validation {gain.graph_ap:.3f} against {gain.control_ap:.3f} without: "
            f"{gain.gain:+.3f}, 95 % interval {gain.gain_low:+.3f} to {gain.gain_high:+.3f}; over duplicates "
            f"{self.over_duplicate.gain:+.3f} ({self.over_duplicate.gain_low:+.3f} to "
            f"{self.over_duplicate.gain_high:+.3f})"
        )
        if gain.positives < FEWEST_POSITIVES:
            told = f"fewer than {FEWEST_POSITIVES} anomalies in validation: whether synthetic data help is unknown"
            return f"{told}; {found[0]} x{found[1]:g} was {'used as asked' if self.kind != 'none' else 'not used'}"
        if self.helps:
            return f"{found[0]} x{found[1]:g} helps: {figures}"
        used = "; used as asked" if self.kind != "none" else ""
        return f"synthetic data do not help here: the best, {found[0]} x{found[1]:g}, has {figures}{used}"

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        told = {name: _plain(value) for name, value in asdict(self).items()}
        return told | {"helps": self.helps, "reason": self.reason}

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Augmentation:
        """Return what :meth:`as_dict` was of."""
        trials = tuple((str(kind), float(ratio), _number(ap)) for kind, ratio, ap in told["tried"])
        over = (
            Comparison(**{name: _number(value) for name, value in told[gain].items()})
            for gain in ("over_none", "over_duplicate")
        )
        return cls(told["kind"], told["ratio"], told["asked"], trials, *over)


def _plain(value: Any) -> Any:
    """The same in what JSON has; NaN, which it does not have, as None."""
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if value != value else value


def _number(value: Any) -> Any:
    return np.nan if value is None else value


def shown(*gains: Comparison) -> bool:
    """Whether enough anomalies show each gain to be above 0."""
    return all(gain.positives >= FEWEST_POSITIVES and gain.gain_low > 0 for gain in gains)


def augmented(
    first: Candidate,
    asked: str,
    ratio: float,
    *,
    seed: int,
    tabular: bool,
    learning: SelfTraining | None = None,
    tell: Callable[[str], None] = lambda _: None,
    choices: Sequence[tuple[str, float]] = AUTO,
    makers: Makers | None = None,
) -> tuple[Candidate, Augmentation]:
    """Return the model to go on with, and why.

    Parameters
    ----------
    first
        The model without augmentation.
    asked
        ``"auto"``, which may stay with the first, or an augmenter, which is used whatever validation says of it.
    ratio
        New anomalies for each known one; ``"auto"`` has its own.
    seed
        Of everything random.
    tabular
        Whether the model is one of tables.
    learning
        How self-training goes.
    tell
        Called with the name of each step.
    choices
        What ``"auto"`` tries.
    makers
        Where new nodes come from.
    """
    makers = makers or Makers(seed, learning=learning)
    found = {}
    for kind, amount in choices if asked == "auto" else ((asked, ratio),):
        tell(f"{kind} x{amount:g}")
        job = extended(kind, first, makers, ratio=amount, tabular=tabular, learning=learning)
        found[kind, amount] = tried(first.kind, first.learner, job)
    tell("duplicate")
    job = extended(CONTROL[0], first, makers, ratio=CONTROL[1], tabular=tabular)
    control = tried(first.kind, first.learner, job)
    return gated(first, control, found, asked, seed=seed)


def gated(
    first: Candidate,
    control: Candidate,
    found: dict[tuple[str, float], Candidate],
    asked: str,
    *,
    seed: int,
) -> tuple[Candidate, Augmentation]:
    """Return the best of what was found, or the first where it does not clearly beat both the first and the control."""
    winner = best({str(name): candidate for name, candidate in found.items()})
    kind, ratio = next(name for name, candidate in found.items() if candidate is winner)
    truth = first.job.labels[first.job.valid] == 1
    over = [Comparison.of(winner.logits, other.logits, truth, seed=seed) for other in (first, control)]
    trials = (
        ("none", 0.0, first.average_precision),
        *((*name, candidate.average_precision) for name, candidate in found.items()),
    )
    shut = asked == "auto" and not shown(*over)
    told = Augmentation("none" if shut else kind, 0.0 if shut else ratio, asked, trials, *over)
    return (first if shut else winner), told


__all__ = ["AUTO", "CONTROL", "Augmentation", "augmented", "gated", "shown"]
