"""Where streams and graphs meet: one schema, the streams of every entity, the graph of the same events.

Importing this costs nothing: a name is fetched from its module when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marigram.bridge.edges import EdgeScores, EdgeStream
    from marigram.bridge.graphs import graph_of, graph_schema
    from marigram.bridge.loop.labels import Label
    from marigram.bridge.loop.loop import Loop
    from marigram.bridge.loop.refit import Report
    from marigram.bridge.presets import PRESETS, Preset, preset
    from marigram.bridge.streams import EntityStreams
    from marigram.bridge.verdicts import EventVerdict, EventVerdicts, Part

_MODULE_OF = {
    "EdgeScores": "edges",
    "EdgeStream": "edges",
    "EntityStreams": "streams",
    "EventVerdict": "verdicts",
    "EventVerdicts": "verdicts",
    "Label": "loop.labels",
    "Loop": "loop.loop",
    "PRESETS": "presets",
    "Part": "verdicts",
    "Preset": "presets",
    "Report": "loop.refit",
    "graph_of": "graphs",
    "graph_schema": "graphs",
    "preset": "presets",
}
"""Public name -> the module of this room that defines it (PEP 562: fetched when first asked for)."""

__all__ = [
    "PRESETS",
    "EdgeScores",
    "EdgeStream",
    "EntityStreams",
    "EventVerdict",
    "EventVerdicts",
    "Label",
    "Loop",
    "Part",
    "Preset",
    "Report",
    "graph_of",
    "graph_schema",
    "preset",
]


def __getattr__(name: str) -> object:
    """Fetch a public name from its module and keep it."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, fetched or not."""
    return sorted(__all__)
