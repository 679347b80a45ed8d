"""Data sets too large to ship, found in the folder that the environment variable MARIGRAM_DATA names."""

import os
from collections.abc import Mapping
from pathlib import Path

from marigram.errors import MarigramError

__all__ = ["DatasetMissingError", "find"]

VARIABLE = "MARIGRAM_DATA"


class DatasetMissingError(MarigramError, FileNotFoundError):
    """The data set is not on this machine; the message says what to do."""

    def __str__(self) -> str:
        return str(self.args[0])


def find(name: str, environment: Mapping[str, str] | None = None) -> Path:
    """Folder of the data set `name` under MARIGRAM_DATA, for instance `find("nab")`.

    `environment` stands in for the process's own. Raises DatasetMissingError when the variable is not set or the
    folder is not there: nothing is fetched.
    """
    root = (os.environ if environment is None else environment).get(VARIABLE)
    if not root:
        raise DatasetMissingError(
            f"the data set {name!r} does not ship with marigram: set {VARIABLE} to the folder that holds {name}/"
        )
    folder = Path(root).expanduser() / name
    if folder.is_dir():
        return folder
    held = sorted(entry.name for entry in Path(root).expanduser().glob("*/"))
    known = f"it holds {', '.join(held)}" if held else "it holds no folder"
    raise DatasetMissingError(f"no folder {name}/ in {VARIABLE}={root}: {known}")
