"""What a request can be refused for, and the status that says so."""

from __future__ import annotations

from http import HTTPStatus

from marigram.errors import InputError, MarigramError, ParameterError, SnapshotError
from marigram.store.books import ReusedError
from marigram.store.database import DamageError, FullError
from marigram.store.ledger import BusyError


class RefusedError(MarigramError):
    """The request cannot be answered; ``status`` says of what sort the reason is.

    Parameters
    ----------
    status
        HTTP status, 4xx.
    reason
        What is wrong, for the person who sent it.
    headers
        Of the answer.
    """

    def __init__(self, status: HTTPStatus, reason: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = headers or {}


def status_of(error: MarigramError) -> tuple[HTTPStatus, dict[str, str]]:
    """Return the status and the headers of the answer to a request that ended so."""
    if isinstance(error, RefusedError):
        return error.status, error.headers
    if isinstance(error, BusyError):
        return HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(error.retry_after)}
    if isinstance(error, FullError):
        return HTTPStatus.INSUFFICIENT_STORAGE, {"Retry-After": "5"}
    if isinstance(error, ReusedError):
        return HTTPStatus.CONFLICT, {}
    if isinstance(error, (DamageError, SnapshotError)):
        return HTTPStatus.SERVICE_UNAVAILABLE, {}
    if isinstance(error, (ParameterError, InputError)):
        return HTTPStatus.UNPROCESSABLE_ENTITY, {}
    return HTTPStatus.BAD_REQUEST, {}


__all__ = ["RefusedError", "status_of"]
