"""Events over time: the wall's, and the processor's, which a busy machine disturbs less; on one thread."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import TypeVar

__all__ = ["Rate", "one_thread", "timed"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Rate:
    """A number of events and the seconds they took."""

    events: int
    wall: float
    cpu: float

    @property
    def per_second(self) -> float:
        """Events a second by the wall clock."""
        return self.events / self.wall

    @property
    def per_cpu_second(self) -> float:
        """Events a second of processor time."""
        return self.events / self.cpu


def one_thread() -> None:
    """Hold the pools of the numeric libraries to one thread; they look when they are first imported."""
    for pool in ("OMP", "OPENBLAS", "MKL", "NUMEXPR"):
        os.environ[f"{pool}_NUM_THREADS"] = "1"


def timed(work: Callable[[T], int], parts: Iterable[T], budget: float = float("inf")) -> Rate:
    """Do `work` on the parts until they or `budget` seconds run out; it returns how many events a part held.

    The clock runs while the work does; what the parts cost to make is not counted.
    """
    events, wall, cpu = 0, 0.0, 0.0
    for part in parts:
        wall_start, cpu_start = perf_counter(), process_time()
        events += work(part)
        wall += perf_counter() - wall_start
        cpu += process_time() - cpu_start
        if wall >= budget:
            break
    return Rate(events, wall, cpu)
