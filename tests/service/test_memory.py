"""Memory is given back after enough was read, not more often."""

from marigram.service.memory import Heap


def test_memory_is_given_back_once_in_so_many_bytes() -> None:
    done: list[int] = []
    heap = Heap(100, lambda: done.append(1))
    for _ in range(25):
        heap.read(30)
    assert len(done) == 6
    Heap(1).read(1)  # and what the C library has can be called
