"""The picture of the article: events around the switches with the anomalies framed, and AUC over time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from experiments.mnist.streams import Floats, Play
from sklearn.metrics import roc_auc_score

BESIDE = 9
"""Pictures shown on each side of a switch."""
WINDOW = 400
"""Events of one point of the curves."""


def draw(name: str, stream: Play, shape: tuple[int, ...], curves: dict[str, Floats], out: Path) -> None:
    """Write ``<name>.png``."""
    from matplotlib.figure import Figure as Canvas

    switches = stream.switches[:3]
    canvas = Canvas(figsize=(11, 2.0 + 1.0 * len(switches) + 2.6), layout="constrained")
    above, below = canvas.subfigures(2, 1, height_ratios=[len(switches) + 0.4, 2.6])
    panels = above.subplots(len(switches), 2 * BESIDE, squeeze=False)
    for row, switch in zip(panels, switches, strict=True):
        for panel, event in zip(row, range(switch - BESIDE, switch + BESIDE), strict=True):
            frame(panel, stream, event, event == switch, shape)
        row[0].set_ylabel(f"event {switch}", fontsize="small")
    above.suptitle(f"{name}: events around the switches (dashed); anomalies framed in red", fontsize="medium")
    axes = below.subplots()
    for label, scores in curves.items():
        axes.plot(*over_time(stream, scores), label=label)
    for switch in stream.switches:
        axes.axvline(switch, color="0.4", linestyle="--", linewidth=1)
    axes.set(xlabel="event", ylabel=f"AUC of the last {WINDOW} events", ylim=(0.3, 1.02))
    axes.legend(fontsize="small", loc="lower right")
    out.mkdir(parents=True, exist_ok=True)
    canvas.savefig(out / f"{name}.png", dpi=110)


def frame(panel, stream: Play, event: int, switch: bool, shape: tuple[int, ...]) -> None:
    """One picture of the stream."""
    panel.imshow(stream.events[event].reshape(shape), cmap="gray_r", vmin=0, vmax=1)
    panel.set(xticks=[], yticks=[])
    anomaly = bool(stream.anomaly[event])
    for side in panel.spines.values():
        side.set(color="red" if anomaly else "0.85", linewidth=2.5 if anomaly else 0.5)
    if switch:
        panel.axvline(-0.5, color="black", linestyle="--", linewidth=2.5)


def over_time(stream: Play, scores: Floats) -> tuple[Floats, Floats]:
    """AUC over a running window, where it holds anomalies."""
    ends = np.arange(WINDOW // 2, len(scores) + 1, 20)
    found = []
    for end in ends:
        part = slice(max(0, end - WINDOW), end)
        both = stream.anomaly[part].any() and not stream.anomaly[part].all()
        found.append(roc_auc_score(stream.anomaly[part], scores[part]) if both else np.nan)
    return ends.astype(float), np.array(found)
