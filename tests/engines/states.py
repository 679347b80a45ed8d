"""A bucket's state in memory, and events for it."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from marigram.detectors.parameters import Parameters
from marigram.engines.spark.design import Design


class MemoryState:
    """What a bucket keeps, in memory."""

    def __init__(self) -> None:
        self.about: bytes | None = None
        self.waiting: bytes | None = None
        self.rosters: dict[int, bytes] = {}
        self.pages: dict[int, bytes] = {}
        self.patched: dict[int, bytes] = {}
        self.standing: bytes | None = None
        self.written: list[int] = []
        self.asked = self.listed = 0

    def design(self) -> bytes | None:
        return self.about

    def keep_design(self, content: bytes) -> None:
        self.about = content

    def names(self) -> list[tuple[int, bytes]]:
        self.listed += 1
        return list(self.rosters.items())

    def page(self, page: int) -> bytes | None:
        self.asked += 1
        return self.pages.get(page)

    def keep_page(self, page: int, records: bytes) -> None:
        self.pages[page] = records
        self.written.append(page)

    def keep_names(self, page: int, names: bytes) -> None:
        self.rosters[page] = names

    def patches(self) -> list[tuple[int, bytes]]:
        return list(self.patched.items())

    def keep_patch(self, number: int, records: bytes) -> None:
        assert number not in self.patched
        self.patched[number] = records

    def drop_patches(self) -> None:
        self.patched.clear()

    def version(self) -> bytes | None:
        return self.standing

    def keep_version(self, content: bytes) -> None:
        self.standing = content

    def held(self) -> bytes | None:
        return self.waiting

    def keep_held(self, content: bytes) -> None:
        self.waiting = content

    def standing_of_another_worker(self) -> None:
        """The state went on elsewhere: what it says is the same, and its version another."""
        told = msgspec.msgpack.decode(self.standing or b"")
        self.standing = msgspec.msgpack.encode(told | {"word": b"another"})


def events(keys: list[str], values: list[float], start: int = 0) -> pa.Table:
    arrival = np.arange(start, start + len(keys))
    return pa.table({"key": keys, "value": values, "arrival": arrival})


def untimed(**changes: Any) -> Design:
    settings: dict[str, Any] = {
        "parameters": Parameters(),
        "keys": "str",
        "d": 1,
        "timed": False,
        "buckets": 8,
        "page": 16,
    }
    return Design(**settings | changes)
