"""What the synthesizer saves: one file of arrays and JSON, whole or not there, in which nothing can run.

The file is in the safetensors format, which every framework reads. Its ``__metadata__`` holds what the arrays belong
to, the version of that, the JSON, and a SHA-256 over all of it and the arrays. The file is written beside its place,
made durable and then renamed: whenever the process or the power goes, the former file is there, or the new one.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from marigram import snapshots
from marigram.errors import SnapshotError
from marigram.graph.detectors.safetensors import in_order, unpack_tensors, write_tensors

Arrays = Mapping[str, NDArray[Any]]

SUFFIX = ".safetensors"


def save_tensors(path: str | os.PathLike[str], kind: str, version: int, meta: Any, arrays: Arrays) -> None:
    """Put a file in place of what was there.

    Parameters
    ----------
    path
        Its folder must exist.
    kind, version
        What it holds, and in which version.
    meta
        JSON values.
    arrays
        Of numbers or truth values.

    Raises
    ------
    SnapshotError
        It cannot be written, or an array is of a type that the format does not know.
    """
    about = {"format": f"marigram {kind}", "version": str(version)}
    about["json"] = msgspec.json.encode(meta, order="deterministic").decode()
    about["sha256"] = _digest(about, arrays)
    snapshots.replace_file(path, lambda sink: write_tensors(sink, arrays, about))


def load_tensors(
    path: str | os.PathLike[str], kind: str, version: int
) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Return the JSON and the arrays, new ones, of what :func:`save_tensors` wrote.

    Raises
    ------
    SnapshotError
        The file is not there, is something else (a pickle, say), of another version, damaged or cut short.
    """
    name = os.fspath(path)
    try:
        arrays, about = unpack_tensors(Path(path).read_bytes())
    except OSError as error:
        raise SnapshotError(f"cannot read {name}: {error.strerror}") from error
    except SnapshotError as error:
        raise SnapshotError(f"{name} holds no {kind}, or is damaged or cut short: {error}") from error
    if about.get("format") != f"marigram {kind}":
        raise SnapshotError(f"{name} holds no {kind} but {about.get('format', 'tensors of another program')}")
    if about.get("version") != str(version):
        raise SnapshotError(f"{name} is of version {about.get('version')}; this marigram reads {version}")
    if about.pop("sha256", "") != _digest(about, arrays):
        raise SnapshotError(f"{name} is damaged: its checksum does not fit its content")
    return msgspec.json.decode(about["json"]), arrays


def _digest(about: Mapping[str, str], arrays: Arrays) -> str:
    """SHA-256 over the texts, and over name, type, shape and bytes of each array."""
    digest = hashlib.sha256(msgspec.json.encode(dict(about), order="deterministic"))
    for name, array in in_order(arrays):
        digest.update(msgspec.json.encode([name, array.dtype.str, list(array.shape)]))
        digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


__all__ = ["SUFFIX", "load_tensors", "save_tensors"]
