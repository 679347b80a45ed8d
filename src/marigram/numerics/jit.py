"""One place for the compiler's options, so that every kernel is compiled alike.

``error_model="numpy"`` drops the zero-division branches, ``nogil`` lets threads share one table of states, and
``cache`` keeps the machine code on disk under the folder that :mod:`marigram._cache` names after the sources.
No fast-math flag is set: results must not depend on how a loop happened to be vectorised.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile ``function`` on first use and keep the result on disk."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))


_CALLABLE = os.environ.get("MARIGRAM_CALLABLE_PIECES", "") == "1"
"""Pieces that a Python prompt can call cost a wrapper each: a third of the first compilation."""
_INNER: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": not _CALLABLE,
    "no_cfunc_wrapper": True,
}


def piece(function: F) -> F:
    """Compile a small function of the hot path: always inlined into the kernel that calls it."""
    return cast(F, njit(forceinline=True, **_INNER)(function))


def once(function: F) -> F:
    """Compile a function that has one caller: its code joins the caller's before anything is compiled."""
    return cast(F, njit(inline="always", **_INNER)(function))


def part(function: F) -> F:
    """Compile a function that is large or seldom called, kept out of line so that the hot path stays short."""
    return cast(F, njit(**_INNER)(function))


__all__ = ["kernel", "once", "part", "piece"]
