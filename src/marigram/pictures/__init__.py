"""Pictures of verdicts: the series, the range that was expected, anomalies, and drifts with their levels.

SVG and HTML are written here and need nothing; PNG needs the extra ``plot``.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from marigram.errors import ParameterError
from marigram.pictures.figure import figure
from marigram.pictures.page import page_of
from marigram.pictures.panels import Table
from marigram.pictures.png import png_of
from marigram.pictures.svg import svg_of

__all__ = ["SUFFIXES", "Picture", "draw"]

SUFFIXES = (".html", ".svg", ".png")
"""Files that a picture can be written to."""


class Picture:
    """A picture of verdicts; a notebook shows it when it is the last thing in a cell.

    Parameters
    ----------
    table
        Verdicts of one key or of several, with events of one number or of d.  At most six panels are drawn, those
        of the most notable keys and coordinates; the line under the title says so.
    title
        The line above; without one the key.
    names
        Names of the d coordinates.
    """

    def __init__(self, table: Table, title: str | None = None, names: Sequence[str] | None = None) -> None:
        self._table = table
        self._scene = figure(table, title, names)

    @property
    def svg(self) -> str:
        """The picture as one ``<svg>`` element; equal tables give equal texts."""
        return svg_of(self._scene)

    @property
    def html(self) -> str:
        """The picture as a page of its own, with a table of the notices; it makes no request."""
        return page_of(self._scene, self._table)

    @property
    def png(self) -> bytes:
        """The picture as PNG; needs the extra ``plot``."""
        return png_of(self._scene)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the picture as what the suffix of ``path`` says.

        Raises :class:`ParameterError` for a suffix that is not in ``SUFFIXES``, :class:`MarigramError` for ``.png``
        without the extra ``plot``.
        """
        file = Path(path)
        suffix = file.suffix.lower()
        if suffix not in SUFFIXES:
            raise ParameterError(
                f"a picture is written as {', '.join(SUFFIXES)}, not as {file.suffix or file.name!r}"
            )
        data = self.png if suffix == ".png" else (self.svg if suffix == ".svg" else self.html).encode()
        file.write_bytes(data)

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return f'<div style="max-width:1200px">{self.svg}</div>'


def draw(
    table: Table, path: str | PathLike[str], title: str | None = None, names: Sequence[str] | None = None
) -> None:
    """Draw verdicts into a file, ``.html``, ``.svg`` or ``.png`` by its suffix; see :class:`Picture`."""
    Picture(table, title, names).save(path)
