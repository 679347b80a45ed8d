"""Cells on disk: one line of JSON each, written when it is measured, so that a killed run goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "cells"


@dataclass(frozen=True)
class Cells:
    """The cells of one graph, regime and detector.

    Attributes
    ----------
    name, regime, detector
        Which.
    folder
        Where they lie.
    """

    name: str
    regime: str
    detector: str
    folder: Path = FOLDER

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / f"{self.name}.{self.regime}.{self.detector}.jsonl"

    def read(self) -> Iterator[dict[str, Any]]:
        """Yield what is there; the last line may have been cut by a kill, and then does not count."""
        if not self.path.exists():
            return
        for line in self.path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)

    def has(self, kind: str, seed: int) -> bool:
        """Whether a cell was measured."""
        return any(cell["kind"] == kind and cell["seed"] == seed for cell in self.read())

    def add(self, cell: dict[str, Any]) -> None:
        """Write a cell behind the others."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = self.path.read_text() if self.path.exists() else ""
        if text and not text.endswith("\n"):
            self.path.write_text(text[: text.rfind("\n") + 1])
        with self.path.open("a") as file:
            file.write(json.dumps(cell) + "\n")

    def table(self) -> dict[str, dict[int, dict[str, Any]]]:
        """Return kind -> seed -> cell."""
        found: dict[str, dict[int, dict[str, Any]]] = {}
        for cell in self.read():
            found.setdefault(cell["kind"], {})[cell["seed"]] = cell
        return found


__all__ = ["FOLDER", "Cells"]
