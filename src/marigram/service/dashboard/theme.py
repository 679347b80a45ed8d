"""Light and dark: what the system prefers, or what was chosen in this browser.

The choice lies in the browser's own storage, and style sheets do the rest.  Charts are drawn on a canvas, which no
style sheet reaches: the browser says what it shows, by a cookie with the next request and by an event when it changes,
and options of charts are painted accordingly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from fastapi import Request

Theme: TypeAlias = Literal["light", "dark"]

COOKIE: Final = "marigram-theme"
EVENT: Final = "marigram-theme"
SCRIPT: Final = """<meta name="color-scheme" content="light dark"><script>
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("marigram-theme"); } catch { return null; } };
  const shown = () => ({ light: "light", dark: "dark" }[kept()] || (system.matches ? "dark" : "light"));
  const show = () => {
    const theme = shown();
    document.documentElement.dataset.theme = theme;
    document.cookie = `marigram-theme=${theme}; path=/; max-age=31536000; SameSite=Strict`;
    if (window.emitEvent) window.emitEvent("marigram-theme", theme);
  };
  window.marigramSwitch = () => {
    try { localStorage.setItem("marigram-theme", shown() === "dark" ? "light" : "dark"); } catch {}
    show();
  };
  system.addEventListener("change", show);
  window.addEventListener("storage", show);
  show();
})();
</script>"""
"""Runs before anything is drawn."""
ASKED: Final = "document.documentElement.dataset.theme"
"""What a browser is asked once its page is there: the first page of all is made before the server knows."""

_DARK: Final[Mapping[str, str]] = {
    "#57606a": "#9aa4af",
    "#1f2328": "#e6edf3",
    "#d8dee4": "#30363d",
    "#8c959f": "#8b949e",
    "#ffffff": "#161b22",
    "#9fd3f2": "#1b5e86",
    "#3b4754": "#c9d1d9",
    "#0072b2": "#58a6ff",
    "#cf222e": "#ff7b72",
    "#e08600": "#f0a73a",
    "#6f42c1": "#b794ff",
    "#5e35b1": "#c4a7ff",
    "#9a6700": "#d29922",
    "#0a7a7a": "#4fc3c3",
    "#1a7f37": "#56d364",
}
"""Colours of charts, as they are on a dark ground."""
_TEXT: Final = {"color": "#57606a"}
_LINE: Final = {"lineStyle": {"color": "#d8dee4"}}
_GROUND: Final[dict[str, Any]] = {
    "tooltip": {
        "backgroundColor": "#ffffff",
        "borderColor": "#8c959f",
        "textStyle": {"color": "#1f2328"},
    },
    "legend": {"textStyle": _TEXT, "inactiveColor": "#8c959f"},
    "xAxis": {
        "axisLabel": _TEXT,
        "axisLine": {"lineStyle": _TEXT},
        "splitLine": _LINE,
        "nameTextStyle": _TEXT,
    },
    "yAxis": {
        "axisLabel": _TEXT,
        "axisLine": {"lineStyle": _TEXT},
        "splitLine": _LINE,
        "nameTextStyle": _TEXT,
    },
}
"""What ECharts would colour by itself, for a light ground."""


def theme_of(request: Request) -> Theme:
    """Return what the browser showed last; light where it has not said yet."""
    return "dark" if request.cookies.get(COOKIE) == "dark" else "light"


def painted(options: Mapping[str, Any], theme: Theme) -> dict[str, Any]:
    """Return options of a chart in the colours of a theme."""
    whole = {name: _under(_GROUND[name], part) if name in _GROUND else part for name, part in options.items()}
    made: dict[str, Any] = whole if theme == "light" else _mapped(whole)
    return made


def _under(ground: Any, own: Any) -> Any:
    """Return what a chart says itself, and of the rest what is said of all."""
    if isinstance(ground, dict) and isinstance(own, dict):
        both = {name: _under(ground[name], own[name]) for name in own if name in ground}
        return {**ground, **own, **both}
    return own


def _mapped(part: Any) -> Any:
    if isinstance(part, dict):
        return {name: _mapped(value) for name, value in part.items()}
    if isinstance(part, (list, tuple)):
        return part if part and isinstance(part[0], float) else [_mapped(value) for value in part]
    return _DARK.get(part, part) if isinstance(part, str) else part


__all__ = ["ASKED", "COOKIE", "EVENT", "SCRIPT", "Theme", "painted", "theme_of"]
