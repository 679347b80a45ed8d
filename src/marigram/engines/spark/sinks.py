"""Sinks that Spark does not make exactly once by itself: idempotent by the number of the micro-batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from marigram.errors import SnapshotError
from marigram.snapshots import replace_file

if TYPE_CHECKING:
    import os

    from pyspark.sql import DataFrame


def once(
    mark: str | os.PathLike[str], write: Callable[[DataFrame, int], object]
) -> Callable[[DataFrame, int], None]:
    """Return a function for ``foreachBatch`` that passes over batches which were written before.

    After a crash Spark gives the last micro-batch again, with the same number and the same rows.  The number of the
    last one written is kept in a file, replaced whole.  Between the end of ``write`` and that file lies a moment: who
    crashes there writes the batch twice, so ``write`` should replace what it wrote under the same number (a partition
    of a table, a key of a message) wherever it can.

    Parameters
    ----------
    mark
        The file; one for each query and sink, on the driver's side, kept as long as the checkpoint.
    write
        Called with the verdicts and the number of the micro-batch.
    """
    path = Path(mark)

    def deal_with(verdicts: DataFrame, number: int) -> None:
        if number <= _last(path):
            return
        write(verdicts, number)
        replace_file(path, lambda file: file.write(str(number).encode()))

    return deal_with


def _last(path: Path) -> int:
    if not path.exists():
        return -1
    text = path.read_text()
    if not text.isdigit():
        raise SnapshotError(f"{path} does not hold the number of a micro-batch")
    return int(text)


__all__ = ["once"]
