"""A synthesizer as a folder of one file: weights and arrays as safetensors, the rest as JSON, under one checksum."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from marigram.errors import SnapshotError
from marigram.graph.data import Columns, EdgeType
from marigram.graph.decoders.drafts import Known
from marigram.graph.decoders.drawing import Drawing
from marigram.graph.decoders.edges import no_rows, packed_edges, unpacked_edges
from marigram.graph.decoders.nodes import NodeDecoder, packed_columns, unpacked_columns
from marigram.graph.decoders.training import Decoders
from marigram.graph.tensorfiles import SUFFIX, load_tensors, save_tensors

Packed = tuple[dict[str, Any], dict[str, NDArray[Any]]]

NAME = f"synthesizer{SUFFIX}"
VERSION = 2
_KIND = "synthesizer"
_ARRAYS = (
    "rows", "mean", "spread", "classes", "joinable", "degrees", "sent", "time", "values", "centre", "scale",
)  # fmt: skip


def save(
    folder: str | os.PathLike[str], about: Mapping[str, Any], drawing: Drawing, diffusion: Packed | None
) -> None:
    """Write a synthesizer: what there is to say of it, its decoders and the real nodes' latents, its diffusion."""
    meta: dict[str, Any] = {"about": dict(about), "aspects": sorted(drawing.aspects)}
    arrays: dict[str, NDArray[Any]] = {}
    meta["relations"] = [list(kind) for kind in drawing.decoders.relations]
    meta["columns"] = _keep("columns", map(packed_columns, drawing.columns.values()), arrays)
    meta["edges"] = _keep("edges", map(packed_edges, drawing.edges.values()), arrays)
    meta["known"] = _keep("known", map(_packed_known, drawing.known.values()), arrays)
    meta["types"] = list(drawing.known)
    weights = {name: t.detach().cpu().numpy() for name, t in drawing.decoders.state_dict().items()}
    arrays |= {f"decoders/{name}": array for name, array in weights.items()}
    meta["diffusion"] = _keep("diffusion", [] if diffusion is None else [diffusion], arrays)
    Path(folder).mkdir(parents=True, exist_ok=True)
    save_tensors(Path(folder) / NAME, _KIND, VERSION, meta, arrays)


def load(folder: str | os.PathLike[str]) -> tuple[dict[str, Any], Drawing, Packed | None]:
    """Read what :func:`save` wrote."""
    path = Path(folder) / NAME
    if not path.is_file():
        raise SnapshotError(f"{folder} holds no synthesizer: it has no {NAME}")
    meta, arrays = load_tensors(path, _KIND, VERSION)
    types, about = meta["types"], meta["about"]
    columns = {
        name: unpacked_columns(inner, _part(f"columns/{number}/", arrays))
        for number, (name, inner) in enumerate(zip(types, meta["columns"], strict=True))
    }
    found = [unpacked_edges(inner, _part(f"edges/{n}/", arrays)) for n, inner in enumerate(meta["edges"])]
    edges = {each.kind: each for each in found}
    known = {
        name: _unpacked_known(inner, _part(f"known/{number}/", arrays))
        for number, (name, inner) in enumerate(zip(types, meta["known"], strict=True))
    }
    settings = about["settings"]
    nodes = {n: NodeDecoder(c, settings["latent"], linear=settings["linear"]) for n, c in columns.items()}
    relations: list[EdgeType] = [(source, name, target) for source, name, target in meta["relations"]]
    decoders = Decoders(nodes, relations, edges, settings["latent"])
    weights = _part("decoders/", arrays)
    decoders.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    decoders.eval()
    drawing = Drawing(decoders, columns, edges, known, frozenset(meta["aspects"]))
    diffusion = (meta["diffusion"][0], _part("diffusion/0/", arrays)) if meta["diffusion"] else None
    return about, drawing, diffusion


def _keep(place: str, parts: Any, arrays: dict[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """Put the arrays of several parts beside the others, and return their headers."""
    headers = []
    for number, (header, inner) in enumerate(parts):
        headers.append(header)
        arrays |= {f"{place}/{number}/{name}": array for name, array in inner.items()}
    return headers


def _part(prefix: str, arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _packed_known(known: Known) -> Packed:
    like: Columns = known.like
    names = [like.numeric_names, like.text_names, like.code_names, like.vocabularies]
    meta = {"size": known.size, "labelled": known.labelled, "dated": known.dated, "names": names}
    return meta, {name: np.asarray(getattr(known, name)) for name in _ARRAYS}


def _unpacked_known(meta: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Known:
    return Known(
        size=meta["size"],
        labelled=meta["labelled"],
        dated=meta["dated"],
        like=no_rows(meta["names"]),
        **arrays,
    )


__all__ = ["load", "save"]
