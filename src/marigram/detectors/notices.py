"""Episodes and notices: what people are sent."""

from __future__ import annotations

from marigram.numerics.jit import piece

EPISODE_GAP = 200
UNUSUAL = 3.0
DRIFT_SEVERITY = 4.0


@piece
def tell(h, s, drift):
    """Episodes and notices: true on an episode's first event and when severity rises by 1 above its peak."""
    if not (s >= UNUSUAL or drift):
        h.quiet = min(h.quiet + 1, 1 << 30)
        return False
    fresh = h.episode == 0 or h.quiet >= EPISODE_GAP
    h.quiet = 0
    if fresh:
        h.episode += 1
        h.peak = s
        return True
    if s >= h.peak + 1.0:
        h.peak = s
        return True
    return False
