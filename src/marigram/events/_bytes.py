"""Eight bytes of text at a time, for the compiled readers.

A position is an address: indexing an array would cost a test for a negative index at every byte, and handing the array
on to small functions seven machine words and two atomic counts of its references.  Nothing is tested, so whoever uses
these loads stays inside the text.  The tests on eight bytes at once are those of H. S. Warren, "Hacker's Delight"
(2nd ed., chapter 6): a flag appears in the top bit of each byte looked for; flags above the first may be wrong.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from marigram.numerics.bits import instruction
from marigram.numerics.jit import piece

__all__ = [
    "PADDING",
    "TOPS",
    "below_blank",
    "byte",
    "digit_run",
    "digits_value",
    "first_of",
    "leading_zeros",
    "product",
    "put",
    "trailing_zeros",
    "word",
]

PADDING: Final = 8
"""Bytes that must follow a text so that :func:`word` may be asked at any of its bytes."""

_ONES = np.uint64(0x0101010101010101)
TOPS = np.uint64(0x8080808080808080)
_BLANKS = np.uint64(0x2020202020202020)
_ZEROS = np.uint64(0x3030303030303030)
_PAST_NINE = np.uint64(0x7676767676767676)


@instruction
def byte(typing_context: Any, at: Any) -> Any:
    """``byte(at)``: the byte at an address as an int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.PointerType(ir.IntType(8)))
        return builder.zext(builder.load(pointer), ir.IntType(64))

    return types.int64(types.int64), codegen


@instruction
def word(typing_context: Any, at: Any) -> Any:
    """``word(at)``: the eight bytes from an address on as a uint64, the first one lowest."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.PointerType(ir.IntType(64)))
        return builder.load(pointer, align=1)

    return types.uint64(types.int64), codegen


@instruction
def put(typing_context: Any, at: Any, x: Any) -> Any:
    """``put(at, x)``: store eight bytes, an int64, uint64 or float64, at an address."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.inttoptr(args[0], ir.PointerType(args[1].type))
        builder.store(args[1], pointer, align=8)
        return context.get_dummy_value()

    return types.void(types.int64, x), codegen


@instruction
def trailing_zeros(typing_context: Any, x: Any) -> Any:
    """``trailing_zeros(x)``: zero bits below the lowest one of a uint64; 64 for 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@instruction
def leading_zeros(typing_context: Any, x: Any) -> Any:
    """``leading_zeros(x)``: zero bits above the highest one of a uint64; 64 for 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), codegen


@instruction
def product(typing_context: Any, a: Any, b: Any) -> Any:
    """``product(a, b)``: high and low 64 bits of the product of two uint64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        wide = ir.IntType(128)
        full = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        low = builder.trunc(full, ir.IntType(64))
        high = builder.trunc(builder.lshr(full, ir.Constant(wide, 64)), ir.IntType(64))
        return cgutils.pack_array(builder, [high, low])

    pair = types.UniTuple(types.uint64, 2)
    return pair(types.uint64, types.uint64), codegen


@piece
def first_of(w: Any, c: Any) -> Any:
    """Flags of the bytes of ``w`` that equal the byte which ``c`` repeats eight times."""
    x = w ^ c
    return (x - _ONES) & ~x & TOPS


@piece
def below_blank(w: Any) -> Any:
    """Flags of the bytes of ``w`` below 32."""
    return (w - _BLANKS) & ~w & TOPS


@piece
def digit_run(w: Any) -> Any:
    """How many of the bytes of ``w``, from the first on, are digits."""
    d = w ^ _ZEROS
    return trailing_zeros(((d + _PAST_NINE) | d) & TOPS) >> 3


@piece
def digits_value(w: Any, count: int) -> Any:
    """The number that the first ``count`` >= 1 bytes of ``w``, all digits, write."""
    d = (w ^ _ZEROS) << np.uint64(64 - 8 * count)
    d = d * np.uint64(10) + (d >> np.uint64(8))
    pairs = np.uint64(0x000000FF000000FF)
    low = (d & pairs) * np.uint64(100 + (1_000_000 << 32))
    high = ((d >> np.uint64(16)) & pairs) * np.uint64(1 + (10_000 << 32))
    return (low + high) >> np.uint64(32)
