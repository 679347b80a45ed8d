"""A process that learns with others: ``python -m marigram.graph.distributed.worker WHAT FOLDER NUMBER COUNT``."""

from __future__ import annotations

import sys
from pathlib import Path

from marigram.graph.distributed import synthesis, training
from marigram.graph.distributed.launching import end_with_parent

WORK = {"network": training.work, "synthesizer": synthesis.work}

if __name__ == "__main__":
    end_with_parent()
    WORK[sys.argv[1]](Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
