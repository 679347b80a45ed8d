"""A Spark session that is set up for marigram, and a clear word when Java or the extra is absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marigram.errors import ParameterError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

OLDEST_JAVA = 17
SETTINGS = {
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "65536",
    "spark.sql.session.timeZone": "UTC",
    "spark.ui.enabled": "false",
    "spark.sql.streaming.metricsEnabled": "false",
}
"""What a query needs (the state store), and what makes it faster; a session of one's own takes them as well."""


def session(
    master: str | None = None,
    *,
    partitions: int | None = None,
    settings: Mapping[str, Any] | None = None,
) -> SparkSession:
    """Return a Spark session with the settings that :func:`~marigram.engines.spark.detect` needs.

    Parameters
    ----------
    master
        As Spark's own: ``"local[2]"``, ``"spark://…"``; None: what spark-submit said, else ``local[*]``.
    partitions
        Tasks that judge side by side; fixed by a checkpoint once it exists.  None: Spark's own number.
    settings
        More of Spark's settings: ``{"spark.driver.memory": "2g"}``.

    Raises
    ------
    ParameterError
        PySpark is not installed, or no Java 17 or newer is found.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ParameterError(f"Spark is not installed ({error}): pip install 'marigram[spark]'") from error
    require_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("marigram")
    if master is not None:
        builder = builder.master(master)
    if partitions is not None:
        builder = builder.config("spark.sql.shuffle.partitions", partitions)
    told = SETTINGS | {name: str(value) for name, value in (settings or {}).items()}
    for name, value in told.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def require_java() -> None:
    """Raise ``ParameterError`` unless Java 17 or newer is there, by ``JAVA_HOME`` or on the ``PATH``."""
    advice = "Spark runs on Java 17 or newer: install openjdk-17-jre-headless, or set JAVA_HOME"
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if not found or not os.access(found, os.X_OK):
        raise ParameterError(f"no java {'in JAVA_HOME=' + home if home else 'on the PATH'}: {advice}")
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = java_version(said)
    if version < OLDEST_JAVA:
        raise ParameterError(f"{found} is Java {version or 'of an unknown version'}: {advice}")


def java_version(said: str) -> int:
    """Return the major version in what ``java -version`` says, 0 when there is none."""
    quoted = said.split('"')
    numbers = quoted[1].replace("-", ".").split(".") if len(quoted) > 1 else []
    at = 1 if numbers[:1] == ["1"] else 0
    return int(numbers[at]) if len(numbers) > at and numbers[at].isdigit() else 0


__all__ = ["SETTINGS", "java_version", "require_java", "session"]
