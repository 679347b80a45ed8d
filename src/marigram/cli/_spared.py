"""Packages that others import without need, spared: a service starts in half a second less.

Numba imports SciPy's linear algebra to find out whether it is there, PyArrow imports pandas before it looks at the
first array. Both are found out here without an import. Whoever compiles linear algebra later has it all the same.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from importlib.util import find_spec
from types import ModuleType
from typing import Any


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


__all__ = ["spare_pandas", "spare_scipy"]
