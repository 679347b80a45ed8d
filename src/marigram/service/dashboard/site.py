"""The NiceGUI half of the pages; importing it imports NiceGUI, which is why only :mod:`.mount` does, when asked."""

from __future__ import annotations

from functools import cache

import nicegui
from fastapi import FastAPI
from nicegui import ui

from marigram.service.dashboard.alertlist import alerts
from marigram.service.dashboard.alertpage import alert
from marigram.service.dashboard.casepages import case, cases
from marigram.service.dashboard.keypages import key, keys
from marigram.service.dashboard.modelpage import model
from marigram.service.dashboard.overview import overview
from marigram.service.dashboard.queuepage import queue
from marigram.service.dashboard.settings import audit, configuration, silence_list

_PAGES = {
    "/overview": overview,
    "/alerts": alerts,
    "/alert": alert,
    "/cases": cases,
    "/case": case,
    "/queue": queue,
    "/model": model,
    "/keys": keys,
    "/key": key,
    "/silences": silence_list,
    "/configuration": configuration,
    "/audit": audit,
}
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#1f2328"/>'
    '<path d="M3 18h6l3-4 4 9 4-17 3 12h6" fill="none" stroke="#9fd3f2" stroke-width="2.5"/></svg>'
)

for _path, _page in _PAGES.items():
    ui.page(_path, response_timeout=30.0)(_page)


@cache
def pages() -> FastAPI:
    """Return the application that serves the pages and all they need, from this machine: a process has one."""
    nicegui.app.config.quasar_config["loadingBar"]["skipHijack"] = (
        True  # a bar that screen readers find no name of
    )
    inner = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    ui.run_with(
        inner,
        title="marigram",
        language="en-US",
        favicon=_ICON,
        tailwind=False,
        reconnect_timeout=10.0,
        show_welcome_message=False,
    )
    return inner


__all__ = ["pages"]
