"""The command line: one file a command.

Only `marigram.cli.app` is imported to start, and it imports nothing but typer; a command's module is imported when
that command runs, and the numeric parts inside it. That is what keeps ``marigram --help`` under a third of a second.
"""

__all__ = ["main"]


def main() -> None:
    """Run the command line on the process's arguments and exit with its code."""
    from marigram.cli.app import app

    app(prog_name="marigram")
