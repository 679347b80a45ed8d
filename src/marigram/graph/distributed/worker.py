"""One of the processes that learn a network: ``python -m marigram.graph.distributed.worker FOLDER NUMBER COUNT``."""

from __future__ import annotations

import sys
from pathlib import Path

from marigram.graph.distributed.training import work

if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
