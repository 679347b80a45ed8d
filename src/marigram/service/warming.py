"""The compiled code of the service, loaded while nobody waits: the first batch finds it there."""

from __future__ import annotations

from typing import Final

import numpy as np

from marigram.detectors.default import Detector
from marigram.events import Schema
from marigram.fleet import Fleet
from marigram.service.decoding import Decoder
from marigram.service.limits import Limits
from marigram.store.course import judge

_LINES: Final = b"\n".join(
    b'{"time": "2026-05-01T00:%02d:00Z", "key": "%s", "value": %d.5}'
    % (i % 60, b"ab"[i % 2 : i % 2 + 1], i % 7)
    for i in range(120)
)
_SCHEMA: Final = Schema(time="time", time_unit="iso", key=("key",), values=("value",), id="")


def warm() -> None:
    """Read and judge some lines as the service does, and forget them."""
    fleet = Fleet(Detector())
    judge(fleet, Decoder(_SCHEMA).decode(_LINES, "lines", Limits()))
    fleet.silent(int(np.iinfo(np.int64).max) - 1)


__all__ = ["warm"]
