"""At most so many alerts in any period, spent on the most surprising: the loop behind ``AlertBudget(mode="rate")``.

The cap is exact: an alert is given only if fewer than ``budget`` were given in the period that ends with it, by a clock
that never goes back.  Which events get one is decided by rank.  With weights 2^(-age/memory),

    r(x) = (1 + weights of the events at least as surprising as x)/(weight of the time watched)

is how often events like x come, per period, and x is worth an alert when

    r(x) <= eager budget sqrt(free/budget),        free = alerts left in the present period.

Whoever waits for the ``budget`` best of a period gives few alerts, since each blocks its place for a period; whoever
takes the first that come gives them to the mediocre.  Only the order of scores counts, not their unit.
"""

from __future__ import annotations

import math

import numpy as np

from marigram.numerics.jit import kernel, part, piece
from marigram.online.records import MAGNITUDE

LIFE = 4.0
"""Half-lives after which an event is forgotten altogether."""
NO_TIME = np.iinfo(np.int64).min

STATE = np.dtype(
    [
        ("n", "i8"), ("rejected", "i8"), ("alerts", "i8"), ("ended", "i8"), ("held", "i8"),
        ("begun", "i8"), ("now", "i8"), ("pruned", "i8"), ("seen", "i8"),
    ]
)  # fmt: skip
"""``ended`` of the ``alerts`` are a period old; ``held`` entries in the list of the most surprising.

``seen`` rows have passed, of which a clock of events is made.
"""
SETTINGS = np.dtype([("period", "i8"), ("memory", "f8"), ("eager", "f8")])


def room(budget: int, eager: float, memory: float) -> int:
    """Entries that the list of the most surprising needs."""
    return 64 + math.ceil(1.5 * eager * budget * memory / math.log(2.0))


@piece
def tick(s, time):
    """Move the clock to the event's time, never back."""
    if time != NO_TIME and (s.n == 1 or time > s.now):
        s.now = time
    if s.n == 1:
        s.begun = s.now
        s.pruned = s.now


@piece
def periods(p, earlier, later):
    """Time between two readings of the clock, in periods."""
    return (later - earlier) / p.period


@part
def prune(p, s, surprises, at):
    """Forget what is older than its life."""
    kept = 0
    for k in range(s.held):
        if periods(p, at[k], s.now) < LIFE * p.memory:
            surprises[kept] = surprises[k]
            at[kept] = at[k]
            kept += 1
    s.held = kept
    s.pruned = s.now


@part
def rank_and_hold(p, s, x, surprises, at):
    """How often events like x come, per period; then x takes its place among the most surprising."""
    weight = 1.0
    place = 0
    while place < s.held and surprises[place] >= x:
        weight += 2.0 ** (-periods(p, at[place], s.now) / p.memory)
        place += 1
    if s.held == surprises.shape[0]:
        s.held -= 1
    for k in range(s.held, place, -1):
        surprises[k] = surprises[k - 1]
        at[k] = at[k - 1]
    surprises[place] = x
    at[place] = s.now
    s.held += 1
    watched = min(periods(p, s.begun, s.now), LIFE * p.memory)
    watched = p.memory / math.log(2.0) * (1.0 - 2.0 ** (-watched / p.memory))
    return weight / watched if watched > 0.0 else math.inf


@kernel
def run(settings, states, given, surprises, at, scores, times, out):
    """Decide on each score: ``out`` says which get an alert.  ``given`` is a ring of the clock at the last alerts."""
    p = settings[0]
    s = states[0]
    budget = given.shape[0]
    for i in range(scores.shape[0]):
        x = scores[i]
        out[i] = False
        if not abs(x) <= MAGNITUDE:
            s.rejected += 1
            continue
        s.n += 1
        tick(s, times[i])
        while s.ended < s.alerts and s.now - given[s.ended % budget] >= p.period:
            s.ended += 1
        if periods(p, s.pruned, s.now) > 0.25 * p.memory:
            prune(p, s, surprises, at)
        if s.held == surprises.shape[0] and x <= surprises[s.held - 1]:
            continue
        rate = rank_and_hold(p, s, x, surprises, at)
        free = budget - (s.alerts - s.ended)
        if free > 0 and rate <= p.eager * budget * math.sqrt(free / budget):
            out[i] = True
            given[s.alerts % budget] = s.now
            s.alerts += 1


__all__ = ["NO_TIME", "SETTINGS", "STATE", "room", "run"]
