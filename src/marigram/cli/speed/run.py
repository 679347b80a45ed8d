"""Measure one form after the other: ours, the memory limit, then each installed peer within its time budget."""

import os
import platform
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from marigram.cli.speed import ours
from marigram.cli.speed.clock import Rate, timed
from marigram.cli.speed.forms import FORMS, Form
from marigram.cli.speed.memory import memory_limit
from marigram.cli.speed.peers import PEERS, Entry, Rows, decode_json_lines, installed
from marigram.cli.speed.streams import (
    Events,
    key_names,
    make_events,
    warm_rounds,
    write_json_lines,
    write_parquet,
)

__all__ = ["measure"]

_PEER_BATCH = 128
_PEER_WARM = 300
_WARM_BUDGET = 60.0


def measure(
    names: Iterable[str], *, quick: bool, budget: float, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    """Everything that `--json` prints; `budget` are the seconds each peer has for each form."""
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    return {
        "quick": quick,
        "seed": seed,
        "peer_budget_s": budget,
        "machine": _machine(),
        "absent_peers": sorted(name for name, entry in PEERS.items() if not installed(entry)),
        "forms": {name: _measure_form(FORMS[name], quick, budget, seed, say) for name in names},
    }


def _machine() -> dict[str, Any]:
    packages = {entry.module for entry in PEERS.values() if installed(entry)} | {"numba", "pyarrow"}
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {name: version(name) for name in sorted(packages)},
    }


def _measure_form(
    form: Form, quick: bool, budget: float, seed: int, say: Callable[[str], None]
) -> dict[str, Any]:
    n, keys = form.sizes(quick)
    events = make_events(n, keys, form.d, seed)
    with TemporaryDirectory(prefix="marigram-speed-") as folder:
        path = _file(form, events, Path(folder))
        say(f"{form.about}: marigram")
        rate, bytes_per_key = _ours(form, events, keys, path, seed)
        limit = memory_limit(events.keys, events.values.reshape(n, -1)[:, 0], keys)
        peers = {}
        for name, entry in PEERS.items():
            if installed(entry) and entry.can(keys, form.d):
                say(f"{form.about}: {name}")
                peers[name] = _peer(entry, form, events, keys, path, budget, seed)
    return {
        "about": form.about,
        "events": n,
        "keys": keys,
        "d": form.d,
        "times": form.times,
        "ours": _figures(rate),
        "bytes_per_key": bytes_per_key,
        "memory_limit": _figures(limit),
        "memory_ratio": rate.per_cpu_second / limit.per_cpu_second,
        "peers": {
            name: {**_figures(peer), "ratio": rate.per_cpu_second / peer.per_cpu_second}
            for name, peer in peers.items()
        },
    }


def _figures(rate: Rate) -> dict[str, float]:
    return {
        "events": rate.events,
        "events_per_s": rate.per_second,
        "events_per_cpu_s": rate.per_cpu_second,
    }


def _file(form: Form, events: Events, folder: Path) -> Path:
    """The events as the form's file; a path that does not exist when it has none."""
    path = folder / ("events.parquet" if form.shape == "parquet" else "events.jsonl")
    if form.shape == "parquet":
        write_parquet(path, events)
    elif form.shape.startswith("json"):
        write_json_lines(path, events, iso=form.shape.endswith("iso"))
    return path


def _ours(form: Form, events: Events, keys: int, path: Path, seed: int) -> tuple[Rate, float | None]:
    if form.shape == "arrays" and keys == 1:
        return ours.one_key(events, form.times, seed), None
    if form.shape == "arrays":
        return ours.fleet(events, keys, form.times, seed)
    if form.shape == "one at a time":
        return ours.one_at_a_time(events, seed), None
    return ours.files(path, len(events), keys, seed), None


def _peer(entry: Entry, form: Form, events: Events, keys: int, path: Path, budget: float, seed: int) -> Rate:
    """Rate of a fresh peer that has seen every key once, or one key 300 times, before the clock starts."""
    peer = entry.make(form.d)
    named = path.exists()
    rounds = 1 if keys > 1 else _PEER_WARM

    def learn(part: Events) -> int:
        peer.learn(_rows(part, named))
        return len(part)

    warm = (part for block in warm_rounds(rounds, keys, form.d, seed) for part in block.chunks(_PEER_BATCH))
    timed(learn, warm, _WARM_BUDGET)
    return timed(lambda part: _learn(peer.learn, part()), _parts(events, path), budget)


def _learn(learn: Callable[[Rows], None], rows: Rows) -> int:
    learn(rows)
    return len(rows[0])


def _rows(part: Events, named: bool) -> Rows:
    keys = key_names(part.keys).to_pylist() if named else part.keys.tolist()
    return keys, part.values.tolist()


def _as_they_are(rows: Rows) -> Rows:
    return rows


def _from_columns(batch: pa.RecordBatch) -> Rows:
    return batch["key"].to_pylist(), batch["value"].to_pylist()


def _parts(events: Events, path: Path) -> Iterator[Callable[[], Rows]]:
    """Batches for a peer: lists at hand, or what still has to be decoded inside the clock."""
    if not path.exists():
        for part in events.chunks(_PEER_BATCH):
            yield partial(_as_they_are, _rows(part, named=False))
    elif path.suffix == ".parquet":
        for batch in pq.ParquetFile(path).iter_batches(_PEER_BATCH, columns=["key", "value"]):
            yield partial(_from_columns, batch)
    else:
        with path.open("rb") as file:
            while lines := list(islice(file, _PEER_BATCH)):
                yield partial(decode_json_lines, lines)
