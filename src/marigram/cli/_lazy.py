"""A group of commands that imports a command's module only when that command is asked for.

Typer builds every command before it parses the first argument, so a dozen commands would each pay for their
parameters at every start. Here the group holds names and one-line helps, as data, and resolves the rest on demand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any, ClassVar, NamedTuple

from typer.core import TyperGroup
from typer.main import get_command

from marigram.cli._errors import guarded


class Entry(NamedTuple):
    """Where a command lives (`module:attribute`, a `typer.Typer`) and the line that the overview shows for it."""

    target: str
    help: str


class _Commands(Mapping[str, Any]):
    """The mapping name -> command that typer expects; reading the names imports nothing."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self._entries = entries
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module, attribute = self._entries[name].target.split(":")
            command = get_command(getattr(import_module(module), attribute))
            command.name = name
            self._loaded[name] = command
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries


class LazyGroup(TyperGroup):
    """A `TyperGroup` over `entries`, which a subclass sets."""

    entries: ClassVar[Mapping[str, Entry]] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands(self.entries)  # type: ignore[assignment]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; see `guarded` for what becomes of its errors."""
        return guarded(lambda: super(LazyGroup, self).invoke(ctx))

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the signature of the base
        """Write the overview from the one-line helps alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in self.entries.items()])


__all__ = ["Entry", "LazyGroup"]
