"""Answers: JSON made by msgspec, and the models that say in OpenAPI what they look like."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Response
from pydantic import BaseModel, Field


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class RejectedLine(BaseModel):
    """A line that cannot be used."""

    line: int = Field(description="Number of the line, the element or the row, from 1.")
    reason: str


class Accepted(BaseModel):
    """What became of a batch: every line is counted once."""

    accepted: int = Field(
        description="Events that are on the disk, and judged unless lateness holds them back."
    )
    duplicate: int = Field(description="Events of a batch of this name that was accepted before.")
    rejected: list[RejectedLine]


REFUSALS: dict[int | str, dict[str, Any]] = {
    int(status): {"model": Problem, "description": told}
    for status, told in (
        (HTTPStatus.BAD_REQUEST, "The body cannot be read."),
        (HTTPStatus.UNAUTHORIZED, "No valid token."),
        (HTTPStatus.FORBIDDEN, "The token has another scope, or is of another tenant."),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "A value is out of range."),
        (HTTPStatus.TOO_MANY_REQUESTS, "Too much waits; come again after Retry-After seconds."),
        (HTTPStatus.SERVICE_UNAVAILABLE, "Not now."),
        (HTTPStatus.INSUFFICIENT_STORAGE, "The disk is full; nothing was kept."),
    )
}


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(msgspec.json.encode(content), status, dict(headers or {}), "application/json")


__all__ = ["REFUSALS", "Accepted", "Problem", "answer"]
