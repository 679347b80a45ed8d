"""Figures printed side by side."""

import io

from rich.console import Console

from marigram.evaluate.tables import print_table, side_by_side


def test_figures_stand_side_by_side():
    out = io.StringIO()
    rows = {
        "ours": {"score": 61.234, "rate": 0.00123, "n": 12_345},
        "theirs": {"score": float("nan"), "n": None},
    }
    print_table(
        side_by_side("A title", rows, ["score", "rate", "n"], emphasised="ours"), Console(file=out, width=80)
    )
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert lines[0] == ["A", "title"]
    assert lines[1:4] == [
        ["score", "rate", "n"],
        ["ours", "61.2", "0.00123", "12,345"],
        ["theirs", "-", "-", "-"],
    ]
