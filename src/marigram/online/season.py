"""Time of day and week: half-hour slots of a day, one table for working days and one for weekends.

Each slot holds an offset from a slow level, both followed by clipped SGD with an own M-scale as unit of the clip.
A weekend slot starts as a copy of its weekday's.  Season and slow level are never restarted: a change of the norm is
the business of the other experts until the slots have followed.
"""

from __future__ import annotations

from marigram.numerics.elementary import clip, exp_small, larger, smaller
from marigram.numerics.jit import part, piece
from marigram.online.scale import scale_floor

SLOTS = 48
NANOSECONDS_A_SLOT = 1_800_000_000_000
LEVEL_STEP, SLOT_STEP = 0.002, 0.02
AVERAGED, SLOT_AVERAGED = 1.0 / LEVEL_STEP, 1.0 / SLOT_STEP - 2.0
"""Counts below which an average's step is the larger one."""
CLIP = 3.4
LARGEST_OFFSET = 1e37
"""In units; keeps the single-precision table finite."""

TABLE_FIELDS = [("slot_offset", "f4", (2 * SLOTS,)), ("slot_count", "u1", (2 * SLOTS,))]
"""Offsets in units of the coordinate's ``season_unit``; counts saturate at 255."""
FIELDS = [("season_level", "f8"), ("season_scale", "f8"), ("season_unit", "f8"), ("season_n", "f4")]


@piece
def slot_of(time):
    """Slot number of a time in ns since 1970 (UTC); 48 to 95 on Saturdays and Sundays."""
    half_hours = time // NANOSECONDS_A_SLOT
    day = half_hours // SLOTS
    slot = half_hours - day * SLOTS
    return slot + (SLOTS if (day + 3) % 7 >= 5 else 0)


@part
def season_start(c, level, scale):
    """Begin at a first level and scale, which also becomes the unit of the slot table."""
    c.season_level = level
    c.season_unit = scale
    c.season_n = 16.0


@piece
def season_offset(c, g, slot):
    """The slot's offset; a weekend slot never seen yet has its weekday's."""
    own = slot if slot < SLOTS or g.slot_count[slot] > 0 else slot - SLOTS
    return c.season_unit * g.slot_offset[own]


@piece
def season_learn(c, g, slot, residual, scale):
    """Learn the residual x - level - offset of this slot."""
    if c.season_scale <= 0.0:
        c.season_scale = scale
    if slot >= SLOTS and g.slot_count[slot] == 0:
        g.slot_offset[slot] = g.slot_offset[slot - SLOTS]
        g.slot_count[slot] = min(g.slot_count[slot - SLOTS], 3)
    own = c.season_scale
    e = clip(residual, CLIP * own)
    c.season_n += 1.0
    z = residual / own
    q = smaller(z * z, 1e30)
    step = 1.5 / (c.season_n + 16.0) if c.season_n < 1484.0 else 0.001
    c.season_scale = larger(own * exp_small(step * ((q - 1.0) / (q + 1.0))), scale_floor(c.season_level))
    c.season_level += (1.0 / c.season_n if c.season_n < AVERAGED else LEVEL_STEP) * e
    count = g.slot_count[slot]
    if count < 255:
        g.slot_count[slot] = count + 1
    weight = 1.0 / (count + 2.0) if count < SLOT_AVERAGED else SLOT_STEP
    offset = g.slot_offset[slot] + weight * e / c.season_unit
    g.slot_offset[slot] = clip(offset, LARGEST_OFFSET)
