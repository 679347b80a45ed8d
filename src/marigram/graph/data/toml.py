"""TOML of the few kinds of values that a graph's files hold; the standard library reads TOML but does not write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def dump(document: Mapping[str, Any]) -> str:
    """Return a document of values, tables, and lists of tables; what is None is left out."""
    return "\n".join(_table(document, ())).lstrip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    """The lines of a table: its own values first, then the tables below it."""
    lines = [f"{_key(name)} = {_value(value)}" for name, value in table.items() if _is_plain(value)]
    for name, value in table.items():
        below = (*path, _key(name))
        if isinstance(value, Mapping):
            lines += ["", f"[{'.'.join(below)}]", *_table(value, below)]
        elif value is not None and not _is_plain(value):
            for item in value:
                lines += ["", f"[[{'.'.join(below)}]]", *_table(item, below)]
    return lines


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping) or value is None:
        return False
    return not (isinstance(value, list | tuple) and value and isinstance(value[0], Mapping))


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    plain = name and all(c.isascii() and (c.isalnum() or c in "_-") for c in name)
    return name if plain else _value(name)


__all__ = ["dump"]
