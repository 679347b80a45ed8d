"""What went wrong, as one line on stderr and an exit code.

A person who mistyped a column name should read what is wrong, where, and what to do, not a traceback. A defect of
marigram itself keeps its traceback: whoever reports it will need that.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from typer import Exit
from typer.exceptions import TyperException

from marigram.errors import InputError, MarigramError, ParameterError, SnapshotError

EXTRAS = {
    module: extra
    for extra, modules in {
        "graph": ("duckdb", "lightgbm", "scipy", "sklearn", "torch", "torch_geometric"),
        "holidays": ("holidays",),
        "kafka": ("confluent_kafka",),
        "plot": ("matplotlib",),
        "serve": (
            *("apsw", "fastapi", "google", "h11", "nicegui", "opentelemetry", "prometheus_client"),
            *("starlette", "uvicorn"),
        ),
        "spark": ("grpc", "pandas", "py4j", "pyspark"),
    }.items()
    for module in modules
}
"""The extra that brings a module which the base does not."""


class ExitCode(IntEnum):
    """What the process tells its caller."""

    DONE = 0
    FOUND = 1
    USAGE = 2
    BAD_INPUT = 3
    DEFECT = 70
    NOT_WRITTEN = 74
    INTERRUPTED = 130
    TERMINATED = 143


def guarded(work: Callable[[], Any]) -> Any:
    """Run `work`; an error that people can act on becomes one line on stderr and `typer.Exit` with its code."""
    try:
        result = work()
        sys.stdout.flush()
        return result
    except (Exit, TyperException):
        raise
    except BrokenPipeError:
        mute(sys.stdout)
        raise Exit(ExitCode.DONE) from None
    except KeyboardInterrupt:
        say("interrupted")
        raise Exit(ExitCode.INTERRUPTED) from None
    except (MarigramError, OSError, MemoryError) as error:
        say(sentence(error))
        raise Exit(code_of(error)) from None
    except Exception as error:  # noqa: BLE001 - the last door: a defect must not end with a code that means something else
        extra = extra_of(error)
        if extra is not None:
            say(f"{error.args[0]}: the extra [{extra}] brings it: pip install 'marigram[{extra}]'")
            raise Exit(ExitCode.USAGE) from None
        traceback.print_exc()
        say(
            "this is a defect of marigram; the lines above tell where. `marigram doctor` checks the installation"
        )
        raise Exit(ExitCode.DEFECT) from None


def extra_of(error: BaseException) -> str | None:
    """The extra that brings the module whose lack is the error; None for any other error."""
    if not isinstance(error, ModuleNotFoundError) or error.name is None:
        return None
    return EXTRAS.get(error.name.split(".")[0])


def code_of(error: BaseException) -> ExitCode:
    """The exit code of an error that a person can act on."""
    if isinstance(error, ParameterError):
        return ExitCode.USAGE
    if isinstance(error, (InputError, SnapshotError, FileNotFoundError, IsADirectoryError, PermissionError)):
        return ExitCode.BAD_INPUT
    return ExitCode.NOT_WRITTEN


def sentence(error: BaseException) -> str:
    """The error in one line: what and where; control characters of foreign data made visible."""
    if isinstance(error, OSError):
        text = error.strerror or str(error)
        if error.filename is not None:
            text = f"{os.fsdecode(error.filename)}: {text}"
    else:
        text = str(error) or type(error).__name__
    return "".join(c if c.isprintable() else " " if c == "\n" else repr(c)[1:-1] for c in text)


@contextmanager
def naming(place: object) -> Iterator[None]:
    """Give an error of the system that names no file the name of the one in question."""
    try:
        yield
    except OSError as error:
        if error.filename is None and not isinstance(error, BrokenPipeError):
            raise OSError(error.errno, error.strerror, str(place)) from error
        raise


def say(text: str) -> None:
    """One line for the person, on stderr."""
    sys.stderr.write(f"marigram: {text}\n")
    sys.stderr.flush()


def mute(stream: Any) -> None:
    """Point a stream whose reader has left at nothing, so that no later flush complains."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


__all__ = ["EXTRAS", "ExitCode", "code_of", "extra_of", "guarded", "mute", "naming", "say", "sentence"]
