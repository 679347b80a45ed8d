"""The data that ship with the package, and the data that a folder of the user's holds."""

import hashlib
import re

import numpy as np
import pyarrow.parquet as pq
import pytest

from marigram import datasets
from marigram.errors import MarigramError, ParameterError


@pytest.mark.parametrize("name", datasets.names())
def test_a_shipped_series_is_what_its_page_says(name):
    series, about = datasets.load(name), datasets.info(name)
    assert series.values.shape == series.times.shape == series.truth.shape == (about.rows,)
    assert (np.diff(series.times) > 0).mean() > 0.99
    assert np.isfinite(series.values).all()
    assert 0.05 < series.truth.mean() < 0.15
    page = (datasets.path(name).parent / "README.md").read_text()
    digest = hashlib.sha256(datasets.path(name).read_bytes()).hexdigest()
    assert re.search(rf"`{name}\.parquet`.*`{digest}`", page)
    assert about.licence == "MIT"
    assert "Permission is hereby granted" in (datasets.path(name).parent / "NAB-LICENSE.txt").read_text()


def test_the_file_is_one_that_watch_reads():
    schema = pq.read_schema(datasets.path("rds-cpu"))
    assert schema.names == ["time", "key", "value"]
    assert str(schema.field("time").type) == "timestamp[ms, tz=UTC]"


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ParameterError, match="did you mean 'nyc-taxi'"):
        datasets.load("nyc_taxi")


def test_find_says_what_to_do(tmp_path):
    (tmp_path / "nab").mkdir()
    assert datasets.find("nab", {"MARIGRAM_DATA": str(tmp_path)}) == tmp_path / "nab"
    with pytest.raises(datasets.DatasetMissingError, match="set MARIGRAM_DATA to the folder that holds nab/"):
        datasets.find("nab", {})
    with pytest.raises(FileNotFoundError, match="it holds nab"):
        datasets.find("smd", {"MARIGRAM_DATA": str(tmp_path)})
    with pytest.raises(MarigramError, match="it holds no folder"):
        datasets.find("smd", {"MARIGRAM_DATA": str(tmp_path / "absent")})
