"""One place for the compiler's options, so that every kernel is compiled alike.

``error_model="numpy"`` drops the zero-division branches, ``nogil`` lets threads share one table of states, and
``cache`` keeps the machine code on disk under the folder that :mod:`marigram._cache` names after the sources.
No fast-math flag is set: results must not depend on how a loop happened to be vectorised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import marigram._cache  # noqa: F401  (names the cache folder before Numba reads its settings)
from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile ``function`` on first use and keep the result on disk."""
    return cast(F, njit(cache=True, nogil=True, error_model="numpy")(function))


def piece(function: F) -> F:
    """Compile a function that only other kernels call: inlined into them, so never cached by itself."""
    return cast(F, njit(nogil=True, error_model="numpy")(function))


__all__ = ["kernel", "piece"]
