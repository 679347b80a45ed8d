"""A model as a folder: JSON that names every file with its SHA-256, arrays as safetensors, LightGBM's own text.

Nothing in it can run. A file that is missing, changed or not named is not loaded, and neither is a pickle. Files bear
the beginning of their digest and the head comes last, so a save that is cut off leaves the former model whole.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from marigram import snapshots
from marigram.errors import InputError, SnapshotError
from marigram.graph.detectors.calibration import Calibration
from marigram.graph.detectors.jobs import Packed, Scorer
from marigram.graph.detectors.safetensors import pack_tensors, unpack_tensors

HEAD = "model.json"
VERSION = 3
_FORMAT = "marigram graph scorer"
_MAY_RUN = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
"""How pickles, and the archives of them that torch writes, begin."""
_OURS = re.compile(r"[0-9a-f]{12}\..*\.(safetensors|txt)")


def save_model(
    folder: str | os.PathLike[str], about: Mapping[str, Any], scorers: Mapping[str, Scorer]
) -> None:
    """Write a model: what there is to say of it, and its scorers by name."""
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    written: dict[str, str] = {}
    for name, scorer in scorers.items():
        packed = scorer.packed()
        about_it = {"format": _FORMAT, "meta": msgspec.json.encode(packed.meta).decode()}
        _write(place, f"{name}.safetensors", pack_tensors(packed.arrays, about_it), written)
        for part, text in packed.texts.items():
            _write(place, f"{name}.{part}.txt", text.encode(), written)
    head = {"format": "marigram node detector", "version": VERSION, "about": about}
    head |= {"scorers": list(scorers), "files": written}
    content = msgspec.json.format(msgspec.json.encode(head))
    snapshots.replace_file(place / HEAD, lambda sink: sink.write(content))
    named = {_stored(name, digest) for name, digest in written.items()}
    for file in place.iterdir():  # those of the model that stood here
        if _OURS.fullmatch(file.name) and file.name not in named:
            file.unlink()


def load_model(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Scorer]]:
    """Read what :func:`save_model` wrote.

    Raises
    ------
    InputError
        There is no such folder.
    SnapshotError
        It is not a model, is damaged, of a newer version, or a pickle.
    """
    place = Path(folder)
    if not place.exists():
        raise InputError(0, f"no such folder: {place}")
    head = _head(place)
    try:
        content = {name: _read(place, name, digest) for name, digest in head["files"].items()}
        scorers = {name: _scorer(name, content) for name in head["scorers"]}
        return dict(head["about"]), scorers
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise SnapshotError(f"{place} does not hold a model: {error}") from error


def _head(place: Path) -> dict[str, Any]:
    path = place / HEAD if place.is_dir() else place
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{place} is not the folder of a model: it has no {HEAD}") from error
    _refuse_pickle(path, content)
    try:
        head: Any = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise SnapshotError(f"{path} is not the head of a model: {error}") from error
    if not isinstance(head, dict) or head.get("format") != "marigram node detector" or not place.is_dir():
        raise SnapshotError(f"{path} is not the head of a model")
    if head.get("version") != VERSION:
        raise SnapshotError(f"{path} is of version {head.get('version')}; this marigram reads {VERSION}")
    return head


def _scorer(name: str, content: Mapping[str, bytes]) -> Scorer:
    arrays, told = unpack_tensors(content[f"{name}.safetensors"])
    if told["format"] != _FORMAT:
        raise SnapshotError(f"{name}.safetensors holds no scorer but {told['format']!r}")
    meta = msgspec.json.decode(told["meta"])
    prefix = f"{name}."
    texts = {
        file.removeprefix(prefix).removesuffix(".txt"): data.decode()
        for file, data in content.items()
        if file.startswith(prefix) and file.endswith(".txt")
    }
    return _unpacked(Packed(meta, arrays, texts))


def _unpacked(packed: Packed) -> Scorer:
    meta = packed.meta
    if meta["type"] == "mean":
        from marigram.graph.detectors.ensemble import MeanScorer, members_of

        members = {member: _unpacked(part) for member, part in members_of(packed).items()}
        curves = [Calibration(**curve) for curve in meta["curves"]]
        return MeanScorer(members, dict(zip(members, curves, strict=True)))
    if meta["type"] == "trees":
        from marigram.graph.detectors.tables import TableScorer

        return TableScorer.unpacked(packed)
    if meta["type"] == "rarity":
        from marigram.graph.detectors.unsupervised import RarityScorer

        return RarityScorer.unpacked(packed)
    if meta["type"] == "network":
        from marigram.graph.detectors.neural import NetworkScorer

        return NetworkScorer.unpacked(packed)
    raise SnapshotError(f"a scorer of type {meta['type']!r} is not known here")


def _write(place: Path, name: str, content: bytes, written: dict[str, str]) -> None:
    written[name] = hashlib.sha256(content).hexdigest()
    snapshots.replace_file(place / _stored(name, written[name]), lambda sink: sink.write(content))


def _stored(name: str, digest: str) -> str:
    return f"{digest[:12]}.{name}"


def _read(place: Path, name: str, digest: str) -> bytes:
    path = place / _stored(name, digest)
    if path.parent != place or Path(name).name != name:
        raise SnapshotError(f"{name!r} lies outside the folder of the model")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{place} lacks {path.name}") from error
    _refuse_pickle(path, content)
    if hashlib.sha256(content).hexdigest() != digest:
        raise SnapshotError(f"{path} is not as it was written")
    return content


def _refuse_pickle(path: Path, content: bytes) -> None:
    tensors = content[8:9] == b"{"  # behind the length of their header, which can begin like a pickle
    if content.startswith(_MAY_RUN) and not tensors:
        raise SnapshotError(f"{path} is a pickle or an archive of one, which can run code: refused")


__all__ = ["load_model", "save_model"]
