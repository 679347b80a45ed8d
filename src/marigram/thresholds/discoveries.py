"""Few false ones among the alerts, for ever: the loop behind ``AlertBudget(mode="fdr")``.

Ramdas, Yang, Wainwright and Jordan, NeurIPS 2017, count false discoveries with a decaying memory, since over an endless
stream of mostly normal events the first discoveries would pay for all later errors.  With delta = 1 - 1/memory, R_t = 1
when event t is given an alert and V_t = 1 when that is false,

    mem-FDR = E[sum delta^(T-t) V_t] / E[max(1, sum delta^(T-t) R_t)].

It is at most ``level`` at every T whenever p-values are at most p with probability p given the past, and the test
levels alpha_t, which depend on the past alone, obey

    sum_(t<=T) delta^(T-t) alpha_t <= level max(1, sum_(t<=T) delta^(T-t) R_t)          (their estimate of the FDP).

Here a fixed share of what this leaves is spent on each event, so it holds by construction: without discoveries
alpha_t settles at level/memory, and each one raises it for a while (as alpha-investing does; the constants are ours).
"""

from __future__ import annotations

import numpy as np

from marigram.numerics.jit import kernel

HASTE = 10.0
"""What is left is spent in memory/HASTE events."""

STATE = np.dtype(
    [
        ("n", "i8"),
        ("rejected", "i8"),
        ("alerts", "i8"),
        ("spent", "f8"),
        ("discovered", "f8"),
        ("level", "f8"),
    ]
)
"""``spent`` and ``discovered`` are the two decayed sums, ``level`` the last alpha_t."""
SETTINGS = np.dtype([("level", "f8"), ("memory", "f8")])


@kernel
def run(settings, states, p_values, out):
    """Test each p-value at its level: ``out`` says which get an alert."""
    p = settings[0]
    s = states[0]
    delta = 1.0 - 1.0 / p.memory
    share = min(1.0, HASTE / p.memory)
    for i in range(p_values.shape[0]):
        value = p_values[i]
        out[i] = False
        if not 0.0 <= value <= 1.0:
            s.rejected += 1
            continue
        s.n += 1
        s.spent *= delta
        s.discovered *= delta
        s.level = share * (p.level * max(1.0, s.discovered) - s.spent)
        s.spent += s.level
        if value <= s.level:
            out[i] = True
            s.alerts += 1
            s.discovered += 1.0


__all__ = ["SETTINGS", "STATE", "run"]
