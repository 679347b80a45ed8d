"""Small tables side by side on a terminal: one row a competitor, one column a figure."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

__all__ = ["print_table", "side_by_side"]

Cell = float | int | str | None


def side_by_side(
    title: str, rows: Mapping[str, Mapping[str, Cell]], columns: Sequence[str], emphasised: str = ""
) -> Table:
    """Table of `rows` (name -> figures) with the given `columns`; a figure that a row lacks is a dash.

    Rows whose name starts with `emphasised` are bold.
    """
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, figures in rows.items():
        style = "bold" if emphasised and name.startswith(emphasised) else None
        table.add_row(name, *(_cell(figures.get(column)) for column in columns), style=style)
    return table


def print_table(table: Table, console: Console | None = None) -> None:
    """Write the table, and an empty line."""
    out = console or Console()
    out.print(table)
    out.print()


def _cell(value: Cell) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return "-"
    if isinstance(value, float):
        return f"{value:,.1f}" if abs(value) >= 1.0 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else value
