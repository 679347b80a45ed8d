"""Memory is given back after enough was read, and not otherwise."""

import asyncio
import gc
import weakref
from contextlib import suppress

import pytest

from marigram.service import memory


class Body:
    """What a request leaves behind."""

    itself: object = None


def test_memory_is_given_back_after_a_rush(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []
    monkeypatch.setattr(memory, "_libc", lambda _: done.append)
    monkeypatch.setattr(memory, "_SECONDS", 0.001)
    heap = memory.Heap()

    async def scene() -> None:
        running = asyncio.create_task(heap.kept_small())
        for count, expected in ((memory._MUCH - 1, 0), (1, 1), (10, 1), (memory._MUCH, 2)):
            heap.read(count)
            await asyncio.sleep(0.1)
            assert len(done) == expected
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running

    asyncio.run(scene())


def test_another_c_library_is_left_alone_and_cycles_go_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_libc", lambda _: None)
    monkeypatch.setattr(memory, "_SECONDS", 0.001)
    memory.one_heap()
    heap = memory.Heap()

    async def scene() -> bool:
        gc.disable()  # whether it comes by itself is chance
        running = asyncio.create_task(heap.kept_small())
        held = Body()
        held.itself = held  # as an error that its own frame keeps
        seen = weakref.ref(held)
        del held
        heap.read(memory._MUCH)
        await asyncio.sleep(0.1)
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        gc.enable()
        return seen() is None

    assert asyncio.run(scene())
