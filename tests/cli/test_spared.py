"""What a service does not import, it does not wait for; what it might compile later works all the same."""

from __future__ import annotations

import subprocess
import sys

from marigram.cli import _spared

SPARED = """
import sys
from marigram.cli._spared import spare_pandas, spare_scipy
spare_scipy()
spare_pandas()
import numpy as np
import pyarrow as pa
from numba import njit
column = pa.array(np.array(["a", None], object))
assert column.to_pylist() == ["a", None]
sys.stdout.write(" ".join(name for name in ("scipy.linalg", "pandas") if name in sys.modules))
if "ask" in sys.argv:
    assert njit(lambda x: np.dot(x, x))(np.full(2, 3.0)) == 18.0
"""


def test_neither_scipy_nor_pandas_is_imported_and_linear_algebra_compiles_afterwards() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPARED, "ask"], check=False, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_pandas_that_is_there_already_stays() -> None:
    import pandas as pd

    _spared.spare_pandas()
    assert sys.modules["pandas"] is pd


def test_what_is_hidden_is_absent_for_good() -> None:
    code = (
        "from marigram.cli._spared import hide; hide(); import pyarrow as pa; pa.array(['a']); import pandas"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 1
    assert "No module named 'pandas'" in done.stderr.splitlines()[-1]
