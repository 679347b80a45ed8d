"""The default detector on Apache Spark: byte for byte the verdicts of the embedded engine.

``detect`` turns a DataFrame of events into one of verdicts; ``session`` makes a Spark session that is set up for it;
``export_fleet`` brings a checkpoint's state back to a :class:`marigram.Fleet`; ``read_topic`` reads Kafka without jars;
``once`` writes a micro-batch where it can be written again.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marigram.engines.spark.detecting import detect
    from marigram.engines.spark.moving import export_fleet
    from marigram.engines.spark.schema import verdict_schema
    from marigram.engines.spark.sessions import session
    from marigram.engines.spark.sinks import once
    from marigram.engines.spark.topics import read_topic

_MODULE_OF = {
    "detect": "detecting",
    "export_fleet": "moving",
    "once": "sinks",
    "read_topic": "topics",
    "session": "sessions",
    "verdict_schema": "schema",
}

__all__ = ["detect", "export_fleet", "once", "read_topic", "session", "verdict_schema"]


def __getattr__(name: str) -> object:
    """Fetch a name when it is first asked for: a worker that only judges imports little."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{module}"), name)
