"""Sentences about lines that could not be used: those with one reason together, each with its number."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from marigram.events import Reject

_MOST_TOLD = 1000
"""Ranges of lines told on stderr; what follows is only counted, which is said."""


class RejectTeller:
    """Tells of rejected lines as long as there are not too many, and says when it stops."""

    def __init__(self, most: int = _MOST_TOLD) -> None:
        self._left = most

    def sentences(self, rejects: Sequence[Reject]) -> Iterator[str]:
        """Yield what to say of these."""
        groups: dict[tuple[str, str], list[int]] = {}
        for reject in rejects:
            groups.setdefault((reject.file, reject.reason), []).append(reject.line)
        for (file, reason), numbers in groups.items():
            spans = list(_spans(numbers))
            if self._left <= 0:
                return
            shown = spans[: self._left]
            self._left -= len(shown)
            where = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in shown)
            if numbers == [0]:
                yield f"{file}: {reason}"
            else:
                yield f"{file}, line{'s' if len(numbers) > 1 else ''} {where}: {reason}"
            if self._left <= 0:
                yield "further rejected lines are only counted; --rejects FILE keeps every one"


def _spans(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of each run of successive numbers."""
    first = last = None
    for number in numbers:
        if first is None or last is None:
            first = last = number
        elif number == last + 1:
            last = number
        else:
            yield first, last
            first = last = number
    if first is not None and last is not None:
        yield first, last


__all__ = ["RejectTeller"]
