"""Numbers that several steps of the kernel share: what a value may be, and how a key's first events count."""

from __future__ import annotations

import numpy as np

START = 8
"""Events that set the first level and scale."""
LEARNING = 64
"""Events of a key whose kind is `learning`."""
LARGEST_VALUE = 1e300
NO_TIME = np.int64(-(2**63))
NO_STEP = 1e-13
"""Neighbours closer than this part of their size differ by rounding only."""
NORMAL, ANOMALY, DRIFT, UNDECIDED, LEARNING_KIND, MISSING, REJECTED = 0, 1, 2, 3, 4, 5, 6
