"""Write the page of the commands from the commands themselves, so that no option is missing or out of date."""

from typing import Any

import typer

PLACE = "<!-- every command -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the help of every command where a page asks for it."""
    return markdown.replace(PLACE, commands()) if PLACE in markdown else markdown


def commands() -> str:
    """Return one section for each command: its purpose, its usage, its arguments and options."""
    from marigram.cli.app import app

    return "\n".join(_sections(typer.main.get_command(app), "marigram"))


def _sections(group: Any, path: str) -> list[str]:
    sections: list[str] = []
    for name in group.commands:
        command = group.commands[name]
        title = f"{path} {name}"
        with command.context_class(command, info_name=title) as context:
            text = command.get_help(context)
        sections += [f"## `{title}`\n", "```text", text.strip(), "```\n"]
        if hasattr(command, "commands"):
            sections += _sections(command, title)
    return sections
