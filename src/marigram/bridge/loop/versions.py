"""The files of a version: the process, its trial, the trees if there are any, and what its refit found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from marigram import snapshots
from marigram.bridge.loop.folder import LoopFolder
from marigram.bridge.loop.process import Process
from marigram.bridge.loop.refit import Fitted

if TYPE_CHECKING:  # importing it needs the extra [graph]
    from marigram.graph.detectors.detector import NodeDetector

_KIND = "loop model"


def save_version(folder: Path, found: Fitted) -> None:
    """Write a version's files into a folder."""
    for name, model in (("model.mg", found.model), ("trial.mg", found.trial)):
        meta, arrays = model.packed()
        snapshots.save(folder / name, _KIND, meta, arrays)
    if found.detector is not None:
        found.detector.save(folder / "trees")
    (folder / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(found.report)))


def load_version(folder: LoopFolder, number: int) -> tuple[Process | None, NodeDetector | None]:
    """Return the models of a version; None for the streams alone."""
    if not number:
        return None, None
    trees = folder.version(number) / "trees"
    if not trees.is_dir():
        return load_model(folder, number, "model.mg"), None
    from marigram.graph.detectors.detector import NodeDetector

    return load_model(folder, number, "model.mg"), NodeDetector.load(trees)


def load_model(folder: LoopFolder, number: int, name: str) -> Process:
    """Return one process of a version."""
    meta, arrays = snapshots.load(folder.version(number) / name, _KIND)
    return Process.unpacked(meta, arrays)


__all__ = ["load_model", "load_version", "save_version"]
