"""Graphs of events: data, and what learns from them. ``from marigram import graph as mgg``.

Importing this costs nothing: a name is fetched from its module when it is first used, and torch is imported only by
what computes with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marigram.graph.augmenters.augment import augment
    from marigram.graph.augmenters.gate import Augmentation
    from marigram.graph.csr import CSR
    from marigram.graph.data import Columns, EdgeTable, Graph, NodeTable, Part
    from marigram.graph.data.anything import as_graph
    from marigram.graph.data.building import from_tables
    from marigram.graph.data.events import from_events, infer_events
    from marigram.graph.data.lifted import edges_as_nodes
    from marigram.graph.data.loading import load
    from marigram.graph.data.publishers import PUBLISHED, read_published
    from marigram.graph.data.schema import EventSchema, GraphSchema, TableSchema
    from marigram.graph.data.splits import GADBENCH_SEEDS, as_of, by_group, by_time, few_labels, stratified
    from marigram.graph.detectors.detector import NodeDetector
    from marigram.graph.detectors.edges import EdgeDetector
    from marigram.graph.detectors.explain import Explanation
    from marigram.graph.detectors.selftrain import SelfTraining
    from marigram.graph.detectors.trees import TreeSettings
    from marigram.graph.detectors.verdict import Comparison
    from marigram.graph.fidelity.fidelity import Fidelity
    from marigram.graph.leakage import Leak, find_leaks
    from marigram.graph.metrics import Interval, bootstrap, delong, figures, over_splits, recall_at
    from marigram.graph.outofcore.building import build_mapped, node_activity
    from marigram.graph.outofcore.ranges import RangeScores
    from marigram.graph.relations import relations_of
    from marigram.graph.report import Report
    from marigram.graph.sampler import NeighbourSampler
    from marigram.graph.sampler_pyg import PygSampler
    from marigram.graph.synthesizer import Synthesizer
    from marigram.graph.synthetic import Synthetic

_MODULE_OF = {
    "Augmentation": "augmenters.gate",
    "CSR": "csr",
    "Columns": "data",
    "Comparison": "detectors.verdict",
    "EdgeDetector": "detectors.edges",
    "EdgeTable": "data",
    "EventSchema": "data.schema",
    "Explanation": "detectors.explain",
    "Fidelity": "fidelity.fidelity",
    "GADBENCH_SEEDS": "data.splits",
    "Graph": "data",
    "GraphSchema": "data.schema",
    "Interval": "metrics",
    "Leak": "leakage",
    "NeighbourSampler": "sampler",
    "NodeDetector": "detectors.detector",
    "NodeTable": "data",
    "PUBLISHED": "data.publishers",
    "Part": "data",
    "PygSampler": "sampler_pyg",
    "RangeScores": "outofcore.ranges",
    "Report": "report",
    "SelfTraining": "detectors.selftrain",
    "Synthesizer": "synthesizer",
    "Synthetic": "synthetic",
    "TableSchema": "data.schema",
    "TreeSettings": "detectors.trees",
    "as_graph": "data.anything",
    "as_of": "data.splits",
    "augment": "augmenters.augment",
    "bootstrap": "metrics",
    "build_mapped": "outofcore.building",
    "by_group": "data.splits",
    "by_time": "data.splits",
    "delong": "metrics",
    "edges_as_nodes": "data.lifted",
    "few_labels": "data.splits",
    "figures": "metrics",
    "find_leaks": "leakage",
    "from_events": "data.events",
    "from_tables": "data.building",
    "infer_events": "data.events",
    "load": "data.loading",
    "node_activity": "outofcore.building",
    "over_splits": "metrics",
    "read_published": "data.publishers",
    "recall_at": "metrics",
    "relations_of": "relations",
    "stratified": "data.splits",
}
"""Public name -> the module under ``marigram.graph`` that defines it (PEP 562: fetched when first asked for)."""

__all__ = [
    "CSR",
    "GADBENCH_SEEDS",
    "PUBLISHED",
    "Augmentation",
    "Columns",
    "Comparison",
    "EdgeDetector",
    "EdgeTable",
    "EventSchema",
    "Explanation",
    "Fidelity",
    "Graph",
    "GraphSchema",
    "Interval",
    "Leak",
    "NeighbourSampler",
    "NodeDetector",
    "NodeTable",
    "Part",
    "PygSampler",
    "RangeScores",
    "Report",
    "SelfTraining",
    "Synthesizer",
    "Synthetic",
    "TableSchema",
    "TreeSettings",
    "as_graph",
    "as_of",
    "augment",
    "bootstrap",
    "build_mapped",
    "by_group",
    "by_time",
    "delong",
    "edges_as_nodes",
    "few_labels",
    "figures",
    "find_leaks",
    "from_events",
    "from_tables",
    "infer_events",
    "load",
    "node_activity",
    "over_splits",
    "read_published",
    "recall_at",
    "relations_of",
    "stratified",
]


def __getattr__(name: str) -> object:
    """Fetch a public name from its module and keep it, so that the next use is an ordinary attribute."""
    module = _MODULE_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, fetched or not."""
    return sorted(__all__)
