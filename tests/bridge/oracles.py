"""The streams' kernels once more, slow and plain, from the equations in their docstrings."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

EVERYTHING = None


class Counts:
    """Witten and Bell's estimate with counts of windows, for one length of window and without fading."""

    def __init__(self, window: int) -> None:
        self.window = window
        self.seen: dict[tuple[object, int], list[int]] = defaultdict(list)

    def before(self, context: object, value: int, now: int) -> tuple[int, int, int]:
        """n, N and D of earlier windows."""
        earlier = {
            key: sum(w < now for w in windows) for key, windows in self.seen.items() if key[0] == context
        }
        return earlier.get((context, value), 0), sum(earlier.values()), sum(n > 0 for n in earlier.values())

    def surprise(self, context: object, value: int, time: int) -> float:
        """-log P, then count."""
        now = time // self.window
        n, total, kinds = self.before(EVERYTHING, value, now)
        p = (n + (kinds + 1) / (kinds + 2)) / (total + kinds + 1)
        if context is not EVERYTHING:
            n, total, kinds = self.before(context, value, now)
            p = (n + (kinds + 1) * p) / (total + kinds + 1)
        for key in {(EVERYTHING, value), (context, value)}:
            if now not in self.seen[key]:
                self.seen[key].append(now)
        return -math.log(p)


class Rate:
    """The evidence of one entity's events, tick by tick."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.mean = self.variance = 0.0
        self.ticks = self.now = 0
        self.recent = 0.0
        self.tick: int | None = None

    def evidence(self, tick: int) -> float:
        """Of one event, in nats."""
        while self.tick is not None and self.tick < tick:
            self.close()
            self.tick += 1
            self.recent *= 0.5
            self.now = 0
        self.tick = tick
        self.now += 1
        self.recent += 1.0
        z = self.recent - 2 * self.mean
        spread = (self.variance + self.mean) / 0.75 * (1 + 1 / self.ticks if self.ticks else 1) + 1
        return math.log(1 + z * z / spread) if z > 0 else 0.0

    def close(self) -> None:
        """Learn the tick that is over."""
        self.ticks += 1
        a = max(1 / self.ticks, self.step)
        bound = 3.4 * math.sqrt(self.variance + self.mean + 1)
        r = min(max(self.now - self.mean, -bound), bound)
        if self.now:
            self.mean += a * r
            self.variance += a * (r * r - self.variance)
        else:  # a silent tick: the mixture of the history with a zero
            mean = (1 - a) * self.mean
            self.variance = (1 - a) * (self.variance + a * self.mean * self.mean)
            self.mean = mean


def p_values(scores: Sequence[float]) -> list[float]:
    """Each score's p-value among those before it."""
    bins: list[int] = []
    found = []
    for score in scores:
        at = int(score / 0.25)
        ordered = sorted(bins, reverse=True)
        enough = max(0.05 * len(bins), 16.0)
        u = next((b for b in range(2047, -1, -1) if sum(x >= b for x in ordered) >= enough), 0)
        above = [b for b in ordered if b >= u]
        if at <= u or len(above) < 16:
            found.append((sum(b >= at for b in bins) + 1) / (len(bins) + 1) if bins else 1.0)
        else:
            excess = sum(b - u for b in above) / len(above) + 0.5
            found.append(len(above) / len(bins) * (1 + (at - u) / (len(above) * excess)) ** -len(above))
        bins.append(at)
    return found


def cases(
    unusual: Sequence[bool], actors: Sequence[int], entities: Sequence[int], times: Sequence[int], quiet: int
) -> tuple[list[bool], list[int]]:
    """Notice and case of each event: one list of open cases, each with whom it is of and when it was joined last."""
    last: dict[tuple[str, int], int] = {}
    number: dict[tuple[str, int], int] = {}
    notices, found, opened = [], [], 0

    def is_open(who: tuple[str, int], now: int) -> bool:
        return who in last and now - last[who] <= quiet

    for odd, actor, entity, now in zip(unusual, actors, entities, times, strict=True):
        own, other = ("actor", actor), ("entity", entity)
        notice, case = False, -1
        if is_open(own, now):
            case = number[own]
        elif odd:
            notice = entity < 0 or not is_open(other, now)
            case = opened if notice else number[other]
            opened += notice
            number[own] = case
            if entity >= 0:
                number[other], last[other] = case, now
        if case >= 0:
            last[own] = now
        notices.append(notice)
        found.append(case)
    return notices, found


class Edges:
    """A stream of edges with a cap on pairs, looked at between stretches."""

    def __init__(self, step: float, most: int, stretch: int) -> None:
        self.step, self.most, self.stretch = step, most, stretch
        self.rates: tuple[dict[object, Rate], ...] = ({}, {}, {})
        self.seen = self.forgotten = 0

    def evidence(self, source: int, target: int, tick: int) -> float:
        """Of one edge, in nats."""
        pairs = self.rates[2]
        if self.seen % self.stretch == 0 and len(pairs) > self.most:
            oldest = sorted(pairs, key=lambda pair: (pairs[pair].tick, pair))
            for pair in oldest[: len(pairs) - (self.most - self.most // 4)]:
                del pairs[pair]
                self.forgotten += 1
        self.seen += 1
        keys: tuple[object, ...] = (source, target, (source, target))
        known = zip(self.rates, keys, strict=True)
        return max(rates.setdefault(key, Rate(self.step)).evidence(tick) for rates, key in known)
