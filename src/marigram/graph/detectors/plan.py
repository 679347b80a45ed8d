"""What a node detector is asked for: the kind, how far it looks, how it learns. Plain values, kept with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self, final

from marigram.errors import ParameterError
from marigram.graph.detectors.auto import AUTO, KINDS, learner_of
from marigram.graph.detectors.jobs import Learner
from marigram.graph.detectors.selftrain import SelfTraining
from marigram.graph.detectors.trees import TreeSettings
from marigram.graph.hops import MOST_HOPS

if TYPE_CHECKING:
    from marigram.graph.networks import NetworkSettings, TrainingSettings


@final
@dataclass(frozen=True)
class Plan:
    """The parameters of :class:`marigram.graph.NodeDetector`, under the same names.

    Raises
    ------
    ParameterError
        One is outside its range.
    """

    kind: str
    hops: int
    seed: int
    self_train: bool | SelfTraining
    trees: TreeSettings
    network: NetworkSettings | None
    training: TrainingSettings | None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ParameterError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if type(self.hops) is not int or not 1 <= self.hops <= MOST_HOPS:
            raise ParameterError(f"hops must be an integer from 1 to {MOST_HOPS}, got {self.hops!r}")
        if type(self.seed) is not int or not 0 <= self.seed < 2**31:
            raise ParameterError(f"seed must be an integer from 0 to {2**31 - 1}, got {self.seed!r}")
        if not isinstance(self.self_train, bool | SelfTraining):
            raise ParameterError(f"self_train must be True, False or a SelfTraining, got {self.self_train!r}")

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds to try."""
        return AUTO if self.kind == "auto" else (self.kind,)

    @property
    def self_training(self) -> SelfTraining | None:
        """How nodes without a label join; None when they do not."""
        if isinstance(self.self_train, SelfTraining):
            return self.self_train
        return SelfTraining() if self.self_train else None

    @property
    def seeded_trees(self) -> TreeSettings:
        """How trees grow, with the seed of the detector."""
        return replace(self.trees, seed=self.seed)

    def learner(self, kind: str) -> Learner:
        """Return the learner of one of the :attr:`kinds`."""
        return learner_of(
            kind,
            hops=self.hops,
            seed=self.seed,
            trees=self.seeded_trees,
            network=self.network,
            training=self.training,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """Build what :meth:`as_dict` described; torch is not asked for when there is nothing of networks.

        Raises
        ------
        KeyError, TypeError, ParameterError
            A name is missing or unknown, or a value outside its range.
        """
        self_train = told["self_train"]
        return cls(
            kind=told["kind"],
            hops=told["hops"],
            seed=told["seed"],
            self_train=SelfTraining(**self_train) if isinstance(self_train, Mapping) else self_train,
            trees=TreeSettings(**told["trees"]),
            **_of_networks(told),
        )


def _of_networks(told: Mapping[str, Any]) -> dict[str, Any]:
    if told["network"] is None and told["training"] is None:
        return {"network": None, "training": None}
    from marigram.graph.networks import NetworkSettings, TrainingSettings

    made = {"network": NetworkSettings, "training": TrainingSettings}
    return {name: None if told[name] is None else make(**told[name]) for name, make in made.items()}


__all__ = ["Plan"]
