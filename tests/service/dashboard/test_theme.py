"""Charts are drawn on a canvas, so their colours are put in before."""

import re
from typing import Any

import numpy as np

from marigram import Detector
from marigram.service.dashboard.charts import rate_options, series_options
from marigram.service.dashboard.style import COLOURS
from marigram.service.dashboard.theme import painted


def colours(part: Any) -> set[str]:
    """Return all colours of options."""
    if isinstance(part, dict):
        return set().union(*map(colours, part.values()))
    if isinstance(part, (list, tuple)):
        return set().union(*map(colours, part))
    return {part} if isinstance(part, str) and re.fullmatch("#[0-9a-f]{6}", part) else set()


def brightness(colour: str) -> float:
    """Return the relative luminance of sRGB, 0 to 1."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((brightness(one), brightness(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def options() -> list[dict[str, Any]]:
    verdicts = Detector().update_many(np.random.default_rng(0).normal(size=200))
    counts = {hour: dict.fromkeys(COLOURS, 1) for hour in range(3)}
    return [series_options(verdicts), rate_options(counts, 0, 3)]


def test_every_colour_has_a_counterpart_that_can_be_seen_on_a_dark_ground() -> None:
    for light in options():
        bright, dark = painted(light, "light"), painted(light, "dark")
        assert not colours(bright) & colours(dark)
        assert len(colours(bright)) >= 4
        for kind in ("xAxis", "yAxis"):
            assert contrast(dark[kind]["axisLabel"]["color"], "#0d1117") > 4.5
            assert contrast(bright[kind]["axisLabel"]["color"], "#ffffff") > 4.5
        for one in dark["series"]:
            for found in colours(one.get("itemStyle", {})):
                assert contrast(found, "#0d1117") > 2.5, one["name"]


def test_what_a_chart_says_itself_stands_and_its_data_are_left_alone() -> None:
    for light in options():
        dark = painted(light, "dark")
        assert dark["xAxis"].items() >= {k: v for k, v in light["xAxis"].items() if k != "axisLabel"}.items()
        assert dark["xAxis"]["axisLabel"]["hideOverlap"] is True
        assert [one["data"] for one in dark["series"]] == [one["data"] for one in light["series"]]
