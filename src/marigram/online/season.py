"""Time of day and week: half-hour slots of a day, one table for working days and one for weekends, and 6-hour
windows of the week on top.

Slots and windows hold offsets from a slow level; all are followed by clipped SGD, with an own M-scale as unit of the
clip.  Two curves are read from the same tables: one constant within a slot and a window (what switches at the full
hour), one that runs straight from centre to centre (what swings).  What working days share at an hour is the slots'
alone, and what weekends share: the windows of the same hours sum to zero in either.  A weekend slot starts as a copy
of its weekday's.  Nothing here is ever restarted: a change of the norm is the business of the other experts until the
tables have followed.
"""

from __future__ import annotations

import numpy as np

from marigram.numerics.elementary import clip, exp_small, larger, smaller
from marigram.numerics.jit import part, piece
from marigram.online.scale import COUNTED, scale_floor

SLOTS = 48
WINDOWS, A_DAY = 28, 4
NANOSECONDS_A_SLOT = 1_800_000_000_000
NANOSECONDS_A_WINDOW = 12 * NANOSECONDS_A_SLOT
WEEKEND = 20
"""The first window of Saturday."""
FIRST_WINDOW = 12
"""The window in which 1970 began, on a Thursday."""
LEVEL_STEP, SLOT_STEP, WEEKEND_SLOT_STEP, WINDOW_STEP = 0.002, 0.02, 0.05, 0.008
"""Smallest steps; a weekend slot hears two days a week, not five, and forgets as much in a week."""
PRIOR_EVENTS = 16.0
"""A window begins as if it had held this many events without an offset of its own."""
AVERAGED, SLOT_AVERAGED = 1.0 / LEVEL_STEP, 1.0 / SLOT_STEP - 2.0
"""Counts below which an average's step is the larger one."""
CLIP = 3.4
LARGEST_OFFSET = 1e37
"""In units; keeps the single-precision table finite."""
FURTHEST = 1e301
"""What a table may add to the slow level: beyond any value, and finite."""

TABLE_FIELDS = [
    ("slot_offset", "f4", (2 * SLOTS,)), ("window_offset", "f4", (WINDOWS,)),
    ("slot_count", "u1", (2 * SLOTS,)), ("window_count", "u1", (WINDOWS,)),
]  # fmt: skip
"""Offsets in units of the coordinate's ``season_unit``; counts saturate at 255."""
FIELDS = [("season_level", "f8"), ("season_scale", "f8"), ("season_unit", "f8"), ("season_n", "u2")]
BEHIND_SLOTS = 4 * 2 * SLOTS
"""Bytes of a table before the fields that every event touches."""
CALENDAR = np.dtype(
    [
        ("slot", "i8"), ("slot_beside", "i8"), ("window", "i8"), ("window_beside", "i8"),
        ("slot_share", "f8"), ("window_share", "f8"),
    ]
)  # fmt: skip
"""Where an event's time falls: its slot (-1 without a time) and window, the nearest other of each, and that one's share
on the straight line between their centres."""


@piece
def slot_of(time):
    """Slot number of a time in ns since 1970 (UTC); 48 to 95 on Saturdays and Sundays."""
    half_hours = time // NANOSECONDS_A_SLOT
    day = half_hours // SLOTS
    slot = half_hours - day * SLOTS
    return slot + (SLOTS if (day + 3) % 7 >= 5 else 0)


@piece
def window_of(time):
    """Window number of a time in ns since 1970 (UTC): 0 begins on Mondays at midnight."""
    return (time // NANOSECONDS_A_WINDOW + FIRST_WINDOW) % WINDOWS


@part
def read_calendar(w, time):
    """Fill ``w`` for a time in ns since 1970 (UTC).

    Lines do not join days, since only slots and windows together run on over midnight: there they go on as they came.
    """
    slot = slot_of(time)
    share = (time % NANOSECONDS_A_SLOT) * (1.0 / NANOSECONDS_A_SLOT) - 0.5
    toward = 1 if share > 0.0 else -1
    out = slot % SLOTS == (SLOTS - 1 if share > 0.0 else 0)
    w.slot, w.slot_beside, w.slot_share = slot, slot - toward if out else slot + toward, abs(share)
    if out:
        w.slot_share = -w.slot_share
    window = window_of(time)
    share = (time % NANOSECONDS_A_WINDOW) * (1.0 / NANOSECONDS_A_WINDOW) - 0.5
    toward = 1 if share > 0.0 else -1
    out = window % A_DAY == (A_DAY - 1 if share > 0.0 else 0)
    w.window, w.window_beside, w.window_share = (
        window,
        window - toward if out else window + toward,
        abs(share),
    )
    if out:
        w.window_share = -w.window_share


@part
def season_start(c, level, scale):
    """Begin at a first level and scale, which also becomes the unit of the tables."""
    c.season_level = level
    c.season_unit = scale
    c.season_n = 16


@piece
def slot_value(g, slot):
    """A slot's offset; a weekend slot never seen yet has its weekday's."""
    return g.slot_offset[slot if slot < SLOTS or g.slot_count[slot] > 0 else slot - SLOTS]


@piece
def season_curves(c, g, w):
    """The season at the time of ``w``: constant within slot and window, and straight between their centres."""
    slot, window = slot_value(g, w.slot), g.window_offset[w.window]
    beside = w.slot_beside
    bend = 0.0
    if g.slot_count[beside] > 0 or beside >= SLOTS:
        bend = w.slot_share * (slot_value(g, beside) - slot)
    if g.window_count[w.window_beside] > 0:
        bend += w.window_share * (g.window_offset[w.window_beside] - window)
    constant = c.season_level + clip(c.season_unit * (slot + window), FURTHEST)
    return constant, constant + clip(c.season_unit * bend, FURTHEST)


@piece
def season_learn(c, g, w, residual, straight, scale):
    """Learn the residual x - level - offsets of this slot and window."""
    if c.season_scale <= 0.0:
        c.season_scale = scale
    slot, window = w.slot, w.window
    if slot >= SLOTS and g.slot_count[slot] == 0:
        g.slot_offset[slot] = g.slot_offset[slot - SLOTS]
        g.slot_count[slot] = min(g.slot_count[slot - SLOTS], 3)
    own = c.season_scale
    e = clip(residual, CLIP * own)
    n = min(c.season_n + 1, COUNTED)
    c.season_n = n
    z = residual / own
    q = smaller(z * z, 1e30)
    step = 1.5 / (n + 16.0) if n < 1484 else 0.001
    c.season_scale = larger(own * exp_small(step * ((q - 1.0) / (q + 1.0))), scale_floor(c.season_level))
    c.season_level += (1.0 / n if n < AVERAGED else LEVEL_STEP) * e
    e = clip(e / c.season_unit, LARGEST_OFFSET)
    count = g.slot_count[slot]
    if count < 255:
        g.slot_count[slot] = count + 1
    least = SLOT_STEP if slot < SLOTS else WEEKEND_SLOT_STEP
    share = 1.0 / (count + 2.0) if count < SLOT_AVERAGED else 0.0
    share = larger(share, least)
    g.slot_offset[slot] = clip(g.slot_offset[slot] + share * e, LARGEST_OFFSET)
    count = g.window_count[window]
    if count < 255:
        g.window_count[window] = count + 1
    share = larger(1.0 / (count + PRIOR_EVENTS), WINDOW_STEP)
    e = clip(clip(straight, CLIP * own) / c.season_unit, LARGEST_OFFSET)
    first, end = (window % A_DAY, WEEKEND) if window < WEEKEND else (WEEKEND + window % A_DAY, WINDOWS)
    for k in range(first, end, A_DAY):
        shared = share * e * (0.2 if first < WEEKEND else 0.5)
        g.window_offset[k] = clip(g.window_offset[k] - shared, LARGEST_OFFSET)
    g.window_offset[window] = clip(g.window_offset[window] + share * e, LARGEST_OFFSET)
