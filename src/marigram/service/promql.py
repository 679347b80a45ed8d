"""PromQL, asked again and again: each stretch of time once, up to a moment that is old enough to be complete.

Reference: https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries.  The end of the last stretch is
committed together with its samples.  The server is called through the guard that notices go through.
"""

from __future__ import annotations

import asyncio
import math
import os
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from marigram.errors import InputError, ParameterError
from marigram.service.delivery.addresses import networks
from marigram.service.delivery.guard import Guard
from marigram.service.delivery.http import Answer, fetch
from marigram.service.feed import Feed
from marigram.service.series import Samples, batch_of, series_name
from marigram.service.sources import PromQuery
from marigram.service.tenants import Tenant

_SECOND: Final = 1_000_000_000
_STEPS: Final = 1000
"""Samples of a series asked for at once; Prometheus gives 11,000 at most."""
_MOST: Final = 1 << 25
"""Bytes of an answer."""
_SECONDS: Final = 60.0
_LOOK: Final = 0.2


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]]


class _Matrix(msgspec.Struct):
    resultType: str  # noqa: N815 - Prometheus calls it so
    result: list[_Series]


class _Range(msgspec.Struct):
    status: str
    data: _Matrix


class PromFeed(Feed):
    """Asks one query.

    Parameters
    ----------
    tenant
        Whose samples they are.
    query
        What to ask, and whom.
    guard
        What opens connections; it allows what the query allows unless it is given.

    Raises
    ------
    ParameterError
        The token's variable is not set, or the tenant has other events.
    """

    def __init__(self, tenant: Tenant, query: PromQuery, guard: Guard | None = None) -> None:
        super().__init__(tenant, f"promql:{query.url}:{query.query}")
        self._query, self._steps = query, _STEPS
        self._guard = guard or Guard(networks(query.allow))
        self._headers = {"Accept": "application/json"}
        if query.bearer_env is not None:
            token = os.environ.get(query.bearer_env)
            if not token:
                raise ParameterError(f"bearer_env names {query.bearer_env}, which is not set")
            self._headers["Authorization"] = f"Bearer {token}"
        tenant.take_series()

    def work(self) -> None:
        """Ask for the next stretch, or wait until there is one."""
        step, told = round(self._query.step), self.position()
        now = self.tenant.ledger.now() / _SECOND
        start = int(told) + step if told is not None else math.ceil((now - self._query.since) / step) * step
        last = math.floor((now - self._query.delay) / step) * step
        if last < start:
            self.stopping.wait(min(float(step), start + self._query.delay - now))
            return
        end = min(last, start + (self._steps - 1) * step)
        found = self._asked(start, end, step)
        if found is not None and self.hand_in(batch_of(found), str(end)):
            self._steps = min(_STEPS, 2 * self._steps)

    def _asked(self, start: int, end: int, step: int) -> list[Samples] | None:
        """Return the samples of a stretch; None when there are none now: too many, or the end."""
        asked = urlencode({"query": self._query.query, "start": start, "end": end, "step": step})
        url = f"{self._query.url.rstrip('/')}/api/v1/query_range?{asked}"
        answer = asyncio.run(fetch(url, self._guard, headers=self._headers, seconds=_SECONDS, most=_MOST))
        if len(answer.body) >= _MOST:
            if self._steps == 1:
                raise InputError(0, f"one step is more than {_MOST >> 20} MiB")
            self._steps = max(1, self._steps // 2)
            return None
        if answer.status != HTTPStatus.OK:
            said = " ".join(answer.body[:300].decode("utf-8", "replace").split())
            raise InputError(0, f"status {answer.status}: {said}")
        return samples_of(answer.body, self._query.name or self._query.query)

    async def _fetched(self, url: str) -> Answer | None:
        """Return the answer, or None as soon as the end has come."""
        asking = asyncio.create_task(
            fetch(url, self._guard, headers=self._headers, seconds=_SECONDS, most=_MOST)
        )
        while not self.stopping.is_set():
            await asyncio.wait((asking,), timeout=_LOOK)
            if asking.done():
                return asking.result()
        asking.cancel()
        return None


def samples_of(body: bytes, name: str) -> list[Samples]:
    """Return the samples of an answer; a series without a name is called ``name``.

    Raises
    ------
    InputError
        It is no matrix.
    """
    try:
        answer = msgspec.json.decode(body, type=_Range)
        if answer.data.resultType != "matrix":
            raise ValueError(f"a {answer.data.resultType} is no matrix")
        return [_named(series, name) for series in answer.data.result]
    except (msgspec.DecodeError, ValueError, OverflowError) as error:
        raise InputError(0, f"no answer to a range query: {error}") from error


def _named(series: _Series, name: str) -> Samples:
    labels: dict[str, Any] = dict(series.metric)
    called = labels.pop("__name__", None) or name
    times = [round(at * 1000.0) * 1_000_000 for at, _ in series.values]
    if times and not -(2**63) <= min(times) <= max(times) < 2**63:
        raise ValueError("a time is outside the years 1677 to 2262")
    return Samples(series_name(called, labels), times, [float(value) for _, value in series.values])


__all__ = ["PromFeed", "samples_of"]
