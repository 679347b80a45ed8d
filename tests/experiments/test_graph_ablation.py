"""What is left out: every name once, and what shares a synthesizer stands together."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from experiments.common import read_config
from experiments.graph_ablation import run
from experiments.graph_ablation.parts import WHOLE, variants

from marigram import graph as mgg

CONFIG = read_config(Path(run.__file__).parent / "config.toml", "quick")


def test_each_variant_is_another_and_can_be_made() -> None:
    found = variants(CONFIG)
    assert found[0].name == WHOLE
    assert len({variant.name for variant in found}) == len(found)
    assert len({str((v.learning, v.drawing, v.sampling)) for v in found}) == len(found)
    for variant in found:
        mgg.Synthesizer(**{name: v for name, v in variant.learning.items() if name != "suspects"})


def test_what_shares_a_synthesizer_stands_together() -> None:
    runs = [key for key, _ in groupby(str(variant.learning) for variant in variants(CONFIG))]
    assert len(set(runs)) == len(runs)
