"""The command line: one file a command.

Only `marigram.cli.app` is imported to start, and it imports nothing but typer; a command's module is imported when
that command runs, and the numeric parts inside it. That is what keeps ``marigram --help`` under a third of a second.
"""

import gc
import os
import sys

__all__ = ["main"]

_ALONE = frozenset(("watch", "replay", "demo"))
"""Commands that start often and use nothing but what marigram depends on."""


def main() -> None:
    """Run the command line on the process's arguments and exit with its code."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell: what is written goes nowhere
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - as long as the process lives
    gc.set_threshold(100_000)  # imports make hundreds of thousands of objects that stay: nothing to collect
    elsewhere = any(word.startswith("--engine") for word in sys.argv)  # Spark speaks pandas
    if _ALONE.intersection(sys.argv[1:2]) and not elsewhere:
        from marigram.cli._spared import hide

        hide()

    from marigram.cli.app import app

    app(prog_name="marigram")
