"""Where the published benchmark is, for the tests that compare with it."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def nab_folder():
    root = os.environ.get("MARIGRAM_DATA")
    if not root or not (Path(root) / "nab" / "nab.parquet").is_file():
        pytest.skip("needs the shared data: MARIGRAM_DATA names no folder that holds nab/")
    return Path(root) / "nab"
