"""What verdicts depend on: the detector, the columns, how keys are spread; it may not change between runs."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import msgspec
import numpy as np

from marigram.detectors.parameters import Parameters
from marigram.engines.spark.pages import form_of
from marigram.errors import ParameterError, SnapshotError
from marigram.snapshots.dtypes import encode_dtype

FEWEST_IN_PAGE, MOST_IN_PAGE = 16, 1024
STATE = 2
"""How a bucket's state is laid out: 2 has patches beside pages."""


class Design(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Travels to every worker, and lies beside the state of every bucket.

    Parameters
    ----------
    parameters
        Of the detector.
    keys
        ``"str"`` or ``"int"``.
    d
        Coordinates of an event.
    timed
        Whether events have times.
    buckets, page
        Number of buckets; records of a page, 16 to 1024.
    lateness
        Nanoseconds that events are held back; None for not at all.
    """

    parameters: Parameters
    keys: str
    d: int
    timed: bool
    buckets: int
    page: int
    lateness: int | None = None

    def __post_init__(self) -> None:
        if self.parameters.pool:
            raise ParameterError(
                "pool=True lets keys share a tail in the order of their events: not on an engine"
            )
        if type(self.page) is not int or not FEWEST_IN_PAGE <= self.page <= MOST_IN_PAGE:
            raise ParameterError(
                f"page must be an integer from {FEWEST_IN_PAGE} to {MOST_IN_PAGE}, got {self.page!r}"
            )
        if self.lateness is not None and not self.timed:
            raise ParameterError("lateness cannot be kept: no column is the time")
        if self.lateness is not None and self.lateness < 0:
            raise ParameterError(f"lateness cannot be kept: {self.lateness} ns is negative")

    @property
    def seasonal(self) -> bool:
        """Whether records have a season's table."""
        return self.timed and self.parameters.season == "auto"

    def form(self) -> np.dtype[Any]:
        """Layout of one key's record."""
        return form_of(self.parameters, self.d, self.seasonal)

    def to_bytes(self) -> bytes:
        """The design, and which layout of records it means."""
        layout = json.dumps(encode_dtype(self.form())).encode()
        return msgspec.json.encode(
            {"design": self, "layout": hashlib.blake2b(layout, digest_size=8).hexdigest(), "state": STATE},
            order="deterministic",
        )

    @classmethod
    def from_bytes(cls, content: bytes) -> Design:
        """The design that a bucket's state was written by; ``SnapshotError`` when this version has another layout."""
        try:
            told = msgspec.json.decode(content)
            design = msgspec.convert(told["design"], cls)
        except (msgspec.MsgspecError, KeyError, TypeError, ParameterError) as error:
            raise SnapshotError(f"a bucket's state does not say what it is of: {error}") from error
        if design.to_bytes() != content:
            raise SnapshotError("the state was written by a version whose records have another layout")
        return design

    def differing(self, other: Design) -> list[str]:
        """Names of what is not the same in another design."""
        return [name for name in self.__struct_fields__ if getattr(self, name) != getattr(other, name)]


__all__ = ["FEWEST_IN_PAGE", "MOST_IN_PAGE", "Design"]
