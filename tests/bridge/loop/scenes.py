"""Events of a small service for the tests of the loop: everybody reads, and some accounts dump what they should not."""

from __future__ import annotations

from typing import Any

import numpy as np

from marigram.events.entities import EntitySchema

SCHEMA = EntitySchema(
    time="at",
    unit="s",
    id="id",
    entities={"user": "account", "ip": "address"},
    attributes=("call",),
    action="call",
)
START = 1_700_000_000


def events(count: int = 240, seed: int = 0, first: int = 0) -> tuple[dict[str, list[Any]], np.ndarray]:
    """Return a table and the truth: every twelfth event is a dump from an address of its own."""
    rng = np.random.default_rng(seed)
    bad = np.arange(first, first + count) % 12 == 7
    table = {
        "at": [START + 30 * (first + i) for i in range(count)],
        "id": [f"e{first + i}" for i in range(count)],
        "user": [f"user-{rng.integers(4)}" for _ in range(count)],
        "ip": [f"10.9.9.{rng.integers(3)}" if wrong else f"10.0.0.{rng.integers(5)}" for wrong in bad],
        "call": ["dump" if wrong else ("read", "list", "write")[rng.integers(3)] for wrong in bad],
    }
    return table, bad.astype(np.int8)
