"""Reads the values that people type: durations, sizes of memory, and names that may be misspelt."""

from __future__ import annotations

import re
from collections.abc import Iterable

from marigram.errors import ParameterError

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "min": 60_000_000_000,
    "h": 3_600_000_000_000,
    "d": 86_400_000_000_000,
    "w": 604_800_000_000_000,
}
_BYTES = {"": 1, "b": 1}
_BYTES |= {prefix + unit: 1000**i for i, prefix in enumerate("kmgt", 1) for unit in ("", "b")}
_BYTES |= {f"{prefix}ib": 1024**i for i, prefix in enumerate("kmgt", 1)}
_LONGEST = 2**63 - 1


def duration(text: str, option: str) -> int:
    """Nanoseconds of a duration such as ``30s``, ``5m``, ``1.5h``, ``1h30m`` or ``250ms``.

    >>> duration("1h30m", "--lateness")
    5400000000000
    """
    pieces = re.findall(r"(\d+(?:\.\d+)?)\s*([a-zµ]+)", text.strip().lower().replace("µs", "us"))
    if not pieces or "".join(n + u for n, u in pieces) != re.sub(r"\s", "", text.lower().replace("µs", "us")):
        raise ParameterError(
            f"{option}: {text!r} is no duration; write a number and a unit, such as 30s, 5m, 2h or 1d"
        )
    for _, unit in pieces:
        if unit not in _NANOSECONDS:
            raise ParameterError(
                f"{option}: {unit!r} is no unit of time; there are {', '.join(_NANOSECONDS)}"
            )
    total = sum(round(float(number) * _NANOSECONDS[unit]) for number, unit in pieces)
    if total > _LONGEST:
        raise ParameterError(f"{option}: {text!r} is longer than 292 years")
    return total


def size(text: str, option: str) -> int:
    """Bytes of a size such as ``512MB``, ``2GiB`` or ``100000``.

    >>> size("2GiB", "--memory")
    2147483648
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", text.strip().lower())
    if match is None or match[2] not in _BYTES:
        raise ParameterError(
            f"{option}: {text!r} is no size; write a number and a unit, such as 512MB or 2GiB"
        )
    total = round(float(match[1]) * _BYTES[match[2]])
    if not 0 < total <= _LONGEST:
        raise ParameterError(f"{option}: {text!r} is not a usable size")
    return total


def nearest(name: str, known: Iterable[str]) -> str:
    """`` (did you mean 'alpha'?)`` when a known name is close, otherwise the empty string."""
    from difflib import get_close_matches

    matches = get_close_matches(name, list(known), n=1)
    return f" (did you mean {matches[0]!r}?)" if matches else ""


__all__ = ["duration", "nearest", "size"]
