"""Turns `--config TOML` and `--alpha` into the detector that they describe."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from marigram.cli._values import nearest
from marigram.detectors.default import Detector
from marigram.detectors.parameters import Parameters
from marigram.errors import ParameterError

_TABLE = "detector"
_TABLES = (_TABLE, "schema", "alerts", "channels", "kafka", "tail", "promql")
"""One file may hold all: what `--config` and `--schema` read, and what `serve` is told of alerts."""


def detector_of(config: Path | None, alpha: float | None) -> Detector:
    """The detector with the parameters of `config`, of which `alpha` replaces one; the default's where none is given.

    Raises
    ------
    ParameterError
        The file cannot be read, names a parameter that does not exist, or a value is out of range.
    """
    settings = {} if config is None else _settings(config)
    if alpha is not None:
        settings["alpha"] = alpha
    return Detector(**settings)


def _settings(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ParameterError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ParameterError(f"{path} is not TOML: {error}") from error
    for name in tables:
        if name not in _TABLES:
            hint = nearest(name, _TABLES)
            raise ParameterError(f"{path}: parameters stand under [{_TABLE}], and {name!r} does not{hint}")
    settings: dict[str, Any] = tables.get(_TABLE, {})
    known = Parameters.__struct_fields__
    for name in settings:
        if name not in known:
            hint = nearest(name, known) or f"; there are {', '.join(known)}"
            raise ParameterError(f"{path}: the detector has no parameter {name!r}{hint}")
    return settings


__all__ = ["detector_of"]
