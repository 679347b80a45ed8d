"""SciPy and pandas, which others import without need and which cost a second at every start, are spared.

Numba imports SciPy's linear algebra to find out whether it is there, PyArrow imports pandas before it looks at the
first array.  A command that uses nothing but what marigram depends on hides both for good (:func:`hide`).  A service
may need them later, for the graph half: there both questions are answered without an import (:func:`spare_scipy`,
:func:`spare_pandas`), and whoever asks later has them all the same.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.util import find_spec
from types import ModuleType
from typing import Any


class _Absent:
    """A finder of modules that finds none of these."""

    NAMES = frozenset(("pandas", "scipy"))

    @classmethod
    def find_spec(cls, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG003 - the protocol
        """Refuse to find them; leave everything else to those who come after."""
        if name in cls.NAMES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hide() -> None:
    """Make the packages look absent, for as long as the process lives."""
    sys.meta_path.insert(0, _Absent)


def spare_scipy() -> None:
    """Let Numba look for SciPy without importing it; only before anything was compiled or loaded."""
    linalg: Any = importlib.import_module("numba.np.linalg")
    ensure = linalg.ensure_blas

    def found() -> None:
        if find_spec("scipy") is None:
            raise ImportError("SciPy is not installed")

    linalg.ensure_blas = found
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        linalg.ensure_blas = ensure


def spare_pandas() -> None:
    """Let PyArrow take pandas for too old to be used; this process hands it none."""
    if "pandas" in sys.modules:
        return
    import pyarrow as pa

    sys.modules["pandas"] = old = ModuleType("pandas")
    old.__dict__["__version__"] = "0"
    try:
        with warnings.catch_warnings(action="ignore"):
            pa.array([""])  # it looks once
    finally:
        del sys.modules["pandas"]


__all__ = ["hide", "spare_pandas", "spare_scipy"]
