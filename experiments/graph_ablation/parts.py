"""Which parts are left out, one at a time, and of which fitted synthesizer that can be drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

WHOLE = "whole"
NONE = "none"


@dataclass(frozen=True)
class Variant:
    """The whole, or the whole without something.

    Attributes
    ----------
    name
        In the table.
    learning
        Settings that another synthesizer must be fitted with; those with equal ones share it.
    drawing
        What :meth:`marigram.graph.Synthesizer.without` leaves out of it.
    sampling
        Arguments of its ``sample``.
    """

    name: str
    learning: dict[str, Any] = field(default_factory=dict)
    drawing: dict[str, Any] = field(default_factory=dict)
    sampling: dict[str, Any] = field(default_factory=dict)


def variants(config: dict[str, Any]) -> list[Variant]:
    """The whole first, then all others; those of one synthesizer behind each other."""
    found = [
        Variant(WHOLE),
        Variant("without diffusion", drawing={"diffusion": False}),
        Variant("without the decoder of features", drawing={"decoders": ("structure", "time")}),
        Variant("without the decoder of structure", drawing={"decoders": ("features", "time")}),
        Variant("without edges to real nodes", drawing={"wired": False}),
        Variant("without any edge", drawing={"isolated": True}),
        Variant("from real nodes", sampling={"init": "real", "strength": config["strength"]}),
        *(Variant(f"guidance {w:g}", sampling={"guidance": w}) for w in config["guidances"]),
        Variant("without the transformer (means)", {"encoder": "sage"}),
        Variant("without the class", {"conditioned": False}),
        Variant("without suspects", {"suspects": False}),
    ]
    return found + [Variant(f"{n} hop{'s' * (n > 1)}", {"hops": n}) for n in config["reaches"]]


__all__ = ["NONE", "WHOLE", "Variant", "variants"]
