"""Two machine operations that Python cannot say: the bits of a double, and a memory prefetch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def instruction(codegen: Callable[..., Any]) -> Callable[..., Any]:
    """Make a machine operation callable from compiled code; the first argument of ``codegen`` is not the caller's."""
    return cast(Callable[..., Any], intrinsic(codegen))


@instruction
def bits_of(typing_context: Any, x: Any) -> Any:
    """``bits_of(x)``: the IEEE-754 bits of a float64 as an int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@instruction
def float_of(typing_context: Any, bits: Any) -> Any:
    """``float_of(bits)``: the float64 whose IEEE-754 bits are the given int64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@instruction
def prefetch(typing_context: Any, array: Any, offset: Any) -> Any:
    """``prefetch(array, byte_offset)``: ask for the cache line at that byte of the array's data; never faults."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        view = cgutils.create_struct_proxy(signature.args[0])(context, builder, value=args[0])
        byte_pointer = ir.PointerType(ir.IntType(8))
        address = builder.gep(builder.bitcast(view.data, byte_pointer), [args[1]])
        i32 = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte_pointer, i32, i32, i32])
        name = "llvm.prefetch.p0i8" if "i8*" in str(byte_pointer) else "llvm.prefetch.p0"
        hint = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(hint, [address, i32(1), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(array, types.int64), codegen


__all__ = ["bits_of", "float_of", "instruction", "prefetch"]
