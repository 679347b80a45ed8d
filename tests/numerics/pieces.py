"""Call compiled pieces, which only other kernels can call, from a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def callable_piece(piece: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel that does nothing but call ``piece``."""

    @njit(error_model="numpy")
    def call(*arguments):
        return piece(*arguments)

    return call


def callable_on_record(piece: Callable[..., Any]) -> Callable[..., Any]:
    """The same for a piece whose first argument is a record: it takes an array of records and the number of one."""

    @njit(error_model="numpy")
    def call(records, row, *arguments):
        return piece(records[row], *arguments)

    return call
