"""The regret's growth as a picture."""

from __future__ import annotations

from pathlib import Path

from experiments.common import Figure


def draw(curves: dict[str, tuple[list[float], dict[str, list[Figure]]]], out: Path) -> None:
    """Write ``regret.svg``: one panel for each thing that is varied, on log-log axes."""
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(11, 3.6), layout="constrained")
    panels = canvas.subplots(1, len(curves))
    for panel, (what, (points, methods)) in zip(panels, curves.items(), strict=True):
        for name, found in methods.items():
            middle, half = [f.value for f in found], [f.half for f in found]
            panel.errorbar(points, middle, yerr=half, label=name, marker="o", markersize=3, capsize=2)
        panel.set(xscale="log", yscale="log", xlabel=what, ylabel="regret")
    panels[0].legend(fontsize="small")
    out.mkdir(parents=True, exist_ok=True)
    canvas.savefig(out / "regret.svg", metadata={"Date": None})
