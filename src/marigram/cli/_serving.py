"""What `marigram serve` is told, put together, and how it speaks: one JSON object a line."""

from __future__ import annotations

import logging
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from marigram.cli._columns import schema_of
from marigram.cli._config import detector_of
from marigram.service.alerts import rules_of
from marigram.service.limits import Limits
from marigram.service.sources import sources_of
from marigram.service.tenants import Settings


def settings_of(
    state: Path,
    config: Path | None,
    alpha: float | None,
    schema: Path | None,
    columns: Mapping[str, Any],
    *,
    rate: float | None,
    **others: Any,
) -> Settings:
    """Return the settings that files and flags describe.

    Raises
    ------
    ParameterError
        A file cannot be read, or a value is out of range.
    """
    tables: dict[str, Any] = {}
    detector = None if config is None and alpha is None else detector_of(config, alpha)
    if config is not None:
        with config.open("rb") as source:  # read once already, by detector_of
            tables = tomllib.load(source)
    if schema is None and "schema" in tables:
        schema = config
    rules = rules_of({**tables.get("alerts", {}), "channels": tables.get("channels", [])})
    return Settings(
        state=state,
        detector=detector if "detector" in tables or alpha is not None else None,
        schema=schema_of(schema, columns),
        alerts=rules,
        channels=rules.channels,
        sources=sources_of({name: tables.get(name, []) for name in ("kafka", "tail", "promql")}),
        limits=Limits(rate=rate),
        **others,
    )


class JsonLines(logging.Formatter):
    """A record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        told = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told).decode()


def logged(level: int = logging.INFO) -> None:
    """Write what happens to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)


__all__ = ["logged", "settings_of"]
