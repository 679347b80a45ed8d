"""`/anomalydetector/v1.1/timeseries/…`: for programs that were written for Azure Anomaly Detector.

Their key, ``Ocp-Apim-Subscription-Key``, is a token of scope ``read``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response

from marigram.errors import ParameterError
from marigram.service import azure
from marigram.service.access import read
from marigram.service.routes.answers import REFUSALS, answer
from marigram.service.tenants import Tenant
from marigram.service.tokens import Access

router = APIRouter(
    prefix="/anomalydetector/v1.1/timeseries", tags=["Azure Anomaly Detector"], responses=REFUSALS
)
Admitted = Annotated[tuple[Access, Tenant], Depends(read)]


@router.post("/entire/detect", summary="Judge every point of a series.")
async def post_entire(asked: azure.Series, _: Admitted) -> Response:
    """Expected values, margins, and whether each point is an anomaly."""
    return await _answered(azure.entire, asked)


@router.post("/last/detect", summary="Judge the newest point of a series.")
async def post_last(asked: azure.Series, _: Admitted) -> Response:
    """The same for the last point alone."""
    return await _answered(azure.last, asked)


@router.post("/changepoint/detect", summary="Tell where the norm of a series moved.")
async def post_changepoint(asked: azure.ChangeSeries, _: Admitted) -> Response:
    """Whether each point is a change point, and how sure that is."""
    return await _answered(azure.changepoint, asked)


async def _answered(work: Callable[[Any], dict[str, Any]], asked: azure.Series) -> Response:
    try:
        return answer(await asyncio.to_thread(work, asked))
    except ParameterError as error:
        return answer({"code": "InvalidSeries", "message": str(error)}, HTTPStatus.BAD_REQUEST)


__all__ = ["router"]
