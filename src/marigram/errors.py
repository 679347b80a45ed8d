"""Every exception that marigram raises on purpose, in one place.

A caller can catch :class:`MarigramError` for all of them.  A parameter out of range is also a ``ValueError``, so
that code which knows nothing of marigram handles it as usual.
"""

__all__ = ["InputError", "MarigramError", "ParameterError", "SnapshotError"]


class MarigramError(Exception):
    """Base of all errors raised on purpose by this package."""


class ParameterError(MarigramError, ValueError):
    """A setting or an argument is outside the range it may have; the message names both."""


class InputError(MarigramError):
    """One line of the input, or the whole source, cannot be read.

    Parameters
    ----------
    line
        Number of the line in its source, from 1; 0 when the source as a whole is at fault.
    reason
        What is wrong, in words for the person who owns the data.

    Examples
    --------
    >>> error = InputError(7, "broken JSON")
    >>> error.line, error.reason, str(error)
    (7, 'broken JSON', 'line 7: broken JSON')
    >>> str(InputError(0, "no such file: events.csv"))
    'no such file: events.csv'
    """

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(line, reason)
        self.line = line
        self.reason = reason

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


class SnapshotError(MarigramError):
    """A saved state cannot be used: not ours, damaged, or written by a newer version."""
