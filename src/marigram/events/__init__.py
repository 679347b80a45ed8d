"""What an event is: schemas, sources, sinks, lateness.

``open_source(path)`` gives batches of columns from files or standard input, ``open_sink(path)`` takes verdicts.
Formats are told by the first bytes of an input and by the suffix of an output; ``Schema`` says which columns are
what, and is inferred where nobody said.
"""

from .batch import Batch, Offset, Reject
from .entities import EntitySchema, Purpose
from .infer import infer
from .keys import KeyNames
from .schema import Schema
from .sinks import RejectSink, Sink, open_rejects, open_sink
from .source import Source, open_source
from .times import parse_time

__all__ = [
    "Batch",
    "EntitySchema",
    "KeyNames",
    "Offset",
    "Purpose",
    "Reject",
    "RejectSink",
    "Schema",
    "Sink",
    "Source",
    "infer",
    "open_rejects",
    "open_sink",
    "open_source",
    "parse_time",
]
