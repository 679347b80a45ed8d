"""States of streams: what is damaged, cut short, of another kind or layout is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from marigram import snapshots
from marigram.bridge import EdgeStream, EntityStreams
from marigram.bridge.streams.saving import LAYOUT
from marigram.errors import SnapshotError
from marigram.events import EntitySchema


def edge_stream() -> Any:
    stream = EdgeStream(most_pairs=2000)
    stream.update(["a", "b", "a"], ["c", "c", "d"], [1, 2, 3])
    return stream


def entity_streams() -> Any:
    streams = EntityStreams(EntitySchema(time="at", unit="s", entities={"src": "host", "dst": "host"}))
    streams.update({"at": [1, 2, 3], "src": ["a", "b", "a"], "dst": ["c", "c", "d"]})
    return streams


KINDS = {"edge stream": edge_stream, "entity streams": entity_streams}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_whole_is_refused(kind: str, tmp_path: Path) -> None:
    stream, path, bad = KINDS[kind](), tmp_path / "state.mg", tmp_path / "bad.mg"
    stream.save(path)
    whole = path.read_bytes()
    type(stream).load(path)
    rng = np.random.default_rng(0)
    for length in (0, 7, 40, len(whole) // 2, len(whole) - 1):
        bad.write_bytes(whole[:length])
        with pytest.raises(SnapshotError, match=r"no marigram snapshot|damaged or cut short"):
            type(stream).load(bad)
    for place in rng.integers(0, len(whole), 40).tolist():
        content = bytearray(whole)
        content[place] ^= 1 << int(rng.integers(8))
        bad.write_bytes(bytes(content))
        with pytest.raises(SnapshotError, match=r"bad\.mg"):
            type(stream).load(bad)
    other = next(name for name in KINDS if name != kind)
    with pytest.raises(SnapshotError, match=f"holds a {kind}, not a {other}"):
        type(KINDS[other]()).load(path)
    with pytest.raises(SnapshotError, match="No such file"):
        type(stream).load(tmp_path / "nothing.mg")


def without(name: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, arrays: arrays.pop(name)


def with_array(name: str, array: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda _, arrays: arrays.update({name: array})


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("edge stream", lambda meta, _: meta.update(layout=LAYOUT + 1), f"layout {LAYOUT + 1}"),
        ("edge stream", lambda meta, _: meta.pop("layout"), "layout 1, and this version reads"),
        ("edge stream", lambda meta, _: meta["settings"].update(tick=0), "tick must be"),
        ("edge stream", lambda meta, _: meta["settings"].update(odd=1), "odd"),
        ("edge stream", without("sources"), "sources"),
        ("edge stream", with_array("targets", np.zeros(5)), "another layout"),
        ("edge stream", with_array("pairs.history", np.zeros(2)), "another layout"),
        ("entity streams", lambda meta, _: meta.update(layout=1), "layout 1"),
        (
            "entity streams",
            lambda meta, _: meta.update(schema="time = ["),
            "no state that this version reads",
        ),
        ("entity streams", lambda meta, _: meta["settings"].pop("alpha"), "alpha"),
        ("entity streams", without("book.src.bytes"), "book.src.bytes"),
        ("entity streams", with_array("bins", np.zeros(3)), "no state that this version reads"),
        ("entity streams", with_array("history.src", np.zeros(3)), "another layout"),
    ],
)
def test_what_another_version_wrote_is_refused(kind: str, change: Any, said: str, tmp_path: Path) -> None:
    stream, path = KINDS[kind](), tmp_path / "state.mg"
    stream.save(path)
    meta, arrays = snapshots.load(path, kind)
    change(meta, arrays)
    snapshots.save(path, kind, meta, arrays)
    with pytest.raises(SnapshotError, match=said):
        type(stream).load(path)
