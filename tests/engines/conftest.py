"""One Spark session for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from marigram import ParameterError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SETTINGS = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",  # a short life: the second compiler does not pay
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.host": "localhost",
}


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Spark with two tasks in this process's own Java."""
    pytest.importorskip("pyspark", reason="this machine lacks Spark")
    from marigram.engines.spark import session
    from marigram.engines.spark.sessions import require_java

    try:
        require_java()
    except ParameterError as error:
        pytest.skip(f"this machine lacks Java: {error}")
    made = session("local[2]", partitions=2, settings=SETTINGS)
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()
