"""Figures that others published, in percent, under protocols that ours resembles; how far is said beside them.

"GADBench shares": random parts with the shares that GADBench (Tang et al., NeurIPS 2023) uses, under seeds of its own.
"upstream masks": the ten splits that the data set's publisher ships.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Labels = Literal["full", "100"]


class Published(NamedTuple):
    """A published row; a figure that the source does not give is None."""

    method: str
    auc: float | None
    ap: float | None
    recall: float | None
    source: str
    splits: str


_GODM = "Liu et al., LoG 2024, table 1"
_SPOT = "graphspot 0.1.0, README"
_SURVEY = "mala-lab survey of deep graph anomaly detection, table of supervised methods"

_FULL: dict[str, tuple[Published, ...]] = {
    "tolokers": (
        Published("GCN", 74.69, 42.88, 42.06, _GODM, "GADBench shares, 50/25/25"),
        Published("GraphSAGE", 79.42, 48.65, 46.42, _GODM, "GADBench shares, 50/25/25"),
        Published("GAT", 77.26, 43.14, 43.30, _GODM, "GADBench shares, 50/25/25"),
        Published("BWGNN", 80.15, 49.65, 47.35, _GODM, "GADBench shares, 50/25/25"),
        Published("GHRN", 79.80, 49.50, 48.29, _GODM, "GADBench shares, 50/25/25"),
        Published("GOVAE, best of 14 detectors", 83.42, 53.85, 52.49, _GODM, "GADBench shares, 50/25/25"),
        Published("GODM, best of 14 detectors", 83.46, 52.95, 52.96, _GODM, "GADBench shares, 50/25/25"),
        Published("XGBGraph", None, 57.34, None, _SPOT, "upstream masks, three of ten"),
        Published("RFGraph", None, 58.18, None, _SPOT, "upstream masks, three of ten"),
    ),
    "questions": (
        Published("GraphSAGE", 71.69, 17.63, 21.10, _GODM, "GADBench shares, 50/25/25"),
        Published("BWGNN", 69.47, 16.24, 18.63, _GODM, "GADBench shares, 50/25/25"),
        Published("GODM, best of 14 detectors", 76.84, 20.48, 24.66, _GODM, "GADBench shares, 50/25/25"),
        Published("XGBGraph", None, 22.05, None, _SPOT, "upstream masks, three of ten"),
        Published("RFGraph", None, 16.09, None, _SPOT, "upstream masks, three of ten"),
    ),
    "weibo": (
        Published("GCN", 98.11, 93.48, 89.34, _GODM, "GADBench shares, 40/20/40"),
        Published("GODM, best of 14 detectors", 99.57, 97.54, 93.08, _GODM, "GADBench shares, 40/20/40"),
    ),
    "elliptic": (
        Published("GAS", 87.81, 40.03, 44.78, _GODM, "steps to 25, to 34, then test"),
        Published("GODM, best of 14 detectors", 89.77, 43.92, 53.92, _GODM, "steps to 25, to 34, then test"),
    ),
    "reddit": (
        Published("BWGNN", 65.4, 6.9, None, _SURVEY, "GADBench shares, 40/20/40"),
        Published("GHRN", 66.0, 7.2, None, _SURVEY, "GADBench shares, 40/20/40"),
    ),
}


def published(name: str, labels: Labels) -> tuple[Published, ...]:
    """Return the published rows of a set, none for 100 labels: no source gives them set by set."""
    return _FULL.get(name.lower(), ()) if labels == "full" else ()


__all__ = ["Labels", "Published", "published"]
