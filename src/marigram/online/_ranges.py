"""Checks of numbers that a person chose; every refusal names the legal range."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

from msgspec import Struct
from msgspec.structs import force_setattr

from marigram.errors import ParameterError


def number_in(name: str, value: Any, low: float, high: float, *, above: bool = False) -> float:
    """Return ``value`` as a float of [low, high], or of (low, high] with ``above``; ``ParameterError`` otherwise."""
    span = f"{'(' if above else '['}{low:g}, {high:g}]"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ParameterError(f"{name} must be a number in {span}, got {value!r}")
    number = float(value)
    if not low <= number <= high or (above and number == low):
        raise ParameterError(f"{name} must lie in {span}, got {value!r}")
    return number


def settle(struct: Struct, name: str, low: float, high: float, *, above: bool = False) -> None:
    """Check a number of a frozen parameter object as it is made, and keep it as a plain float."""
    force_setattr(struct, name, number_in(name, getattr(struct, name), low, high, above=above))


def integer_in(name: str, value: Any, low: int, high: int) -> int:
    """Return ``value`` as an int of [low, high]; ``ParameterError`` otherwise."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ParameterError(f"{name} must be an integer in [{low}, {high}], got {value!r}")
    number = int(value)
    if not low <= number <= high:
        raise ParameterError(f"{name} must lie in [{low}, {high}], got {value!r}")
    return number


def one_of(name: str, value: Any, legal: Sequence[str]) -> str:
    """Return ``value`` if it is one of the legal words; ``ParameterError`` otherwise."""
    if not isinstance(value, str) or value not in legal:
        raise ParameterError(f"{name} must be one of {', '.join(map(repr, legal))}, got {value!r}")
    return value


__all__ = ["integer_in", "number_in", "one_of", "settle"]
