"""Pooling over seeds, and the table as Markdown."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from benchmarks.quality.metrics import Counts
from benchmarks.quality.rows import Row, Target

Figure = dict[str, float]


def pool(parts: Sequence[Counts]) -> dict[str, Figure]:
    """Each figure over all seeds: pooled (Σ numerators / Σ denominators), spread of the seeds' ratios.

    A seed whose denominator is 0 has no ratio; a figure without any ratio is NaN.
    """
    figures: dict[str, Figure] = {}
    for name in parts[0]:
        pairs = np.array([part[name] for part in parts], float)
        pairs = pairs[pairs[:, 1] > 0]
        if len(pairs) == 0:
            figures[name] = dict.fromkeys(("pooled", "mean", "sd", "min", "max"), math.nan)
            continue
        ratios = pairs[:, 0] / pairs[:, 1]
        figures[name] = {
            "pooled": float(pairs[:, 0].sum() / pairs[:, 1].sum()),
            "mean": float(ratios.mean()),
            "sd": float(ratios.std(ddof=1)) if len(ratios) > 1 else 0.0,
            "min": float(ratios.min()),
            "max": float(ratios.max()),
        }
    return figures


def number(value: float) -> str:
    """Three significant digits, readable."""
    if math.isnan(value):
        return "-"
    if value == 0 or 0.01 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{value:.2g}"


def bounds(pair: tuple[float, float]) -> str:
    """[a, b], ≤ b or ≥ a."""
    if math.isinf(pair[0]):
        return f"≤ {number(pair[1])}"
    return f"≥ {number(pair[0])}" if math.isinf(pair[1]) else f"[{number(pair[0])}, {number(pair[1])}]"


def cell(figure: Figure | None, target: Target | None = None) -> str:
    """Pooled figure, its range over seeds and the mark."""
    if figure is None:
        return ""
    text = number(figure["pooled"])
    if figure["min"] < figure["max"]:
        text += f" ({number(figure['min'])} to {number(figure['max'])})"
    return text if target is None else f"{text} {target.mark(figure['pooled'])}"


def markdown(row: Row, results: dict[str, dict[str, Figure]], seeds: Sequence[int]) -> str:
    """One Markdown table: floors, reaches, then a line a family; targets first, others after."""
    heads = [target.figure for target in row.targets] + list(row.also)
    blank = [""] * len(row.also)
    lines = [
        f"### {row.name}: {row.title} (seeds {seeds[0]} to {seeds[-1]})",
        "",
        "| | " + " | ".join(heads) + " |",
        "|---|" + "---|" * len(heads),
        "| *at least* | " + " | ".join([bounds(t.floor) for t in row.targets] + blank) + " |",
        "| *reach* | " + " | ".join([bounds(t.reach) for t in row.targets] + blank) + " |",
    ]
    for family, figures in results.items():
        cells = [cell(figures.get(t.figure), t) for t in row.targets]
        cells += [cell(figures.get(name)) for name in row.also]
        lines.append(f"| {family} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def misses(row: Row, results: dict[str, dict[str, Figure]]) -> list[str]:
    """Every family and figure below its floor."""
    return [
        f"{row.name} / {family}: {target.figure} {number(value)}, floor {bounds(target.floor)}"
        for family, figures in results.items()
        for target in row.targets
        if target.mark(value := figures[target.figure]["pooled"]) == "LOW"
    ]
