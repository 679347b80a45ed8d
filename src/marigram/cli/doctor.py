"""`marigram doctor`: whether this installation works, check by check, and what to do about what does not."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from marigram.cli._options import Json, command

app = command("doctor")

_NEEDED = ("numpy", "numba", "pyarrow", "msgspec", "typer", "rich")
_OPTIONAL = ("apsw", "fastapi", "matplotlib", "nicegui", "pandas", "polars", "uvicorn")
_SCARCE = 200_000_000
"""Free bytes below which a disk is called full."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check."""

    check: str
    ok: bool
    detail: str


@app.command()
def doctor(
    state: Annotated[
        Path | None,
        typer.Option(
            "--state", metavar="DIR", help="Check what `watch --state DIR` or `serve --state DIR` left."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Check that this installation works; exit 1 when something does not."""
    checks: list[Callable[[], Iterator[Finding]]] = [_python, _packages, _cache, _detector, _data, _disks]
    if state is not None:
        checks.append(lambda: _state(state))
    findings: list[Finding] = []
    for check in checks:
        for finding in check():
            findings.append(finding)
            if not json:
                mark = "ok  " if finding.ok else "FAIL"
                typer.echo(f"{mark}  {finding.check:12}  {finding.detail}")
    healthy = all(finding.ok for finding in findings)
    if json:
        import msgspec

        typer.echo(msgspec.json.encode({"healthy": healthy, "checks": [asdict(f) for f in findings]}))
    if not healthy:
        raise typer.Exit(1)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), f"{version} at {sys.executable}")


def _packages() -> Iterator[Finding]:
    from importlib.metadata import PackageNotFoundError, version

    from marigram import __version__

    yield Finding("marigram", True, __version__)
    for name in (*_NEEDED, *_OPTIONAL):
        try:
            yield Finding(name, True, version(name))
        except PackageNotFoundError:
            if name in _NEEDED:
                yield Finding(name, False, "not installed; install marigram again")
            else:
                yield Finding(name, True, "not installed (optional)")


def _cache() -> Iterator[Finding]:
    folder = os.environ.get("NUMBA_CACHE_DIR")
    if not folder:
        yield Finding("kernel cache", False, "no folder is writable; set MARIGRAM_CACHE to one that is")
        return
    kernels = sum(1 for _ in Path(folder).rglob("*.nbi"))
    warmth = f"{kernels} compiled kernels" if kernels else "still cold: the first run compiles"
    yield Finding("kernel cache", os.access(folder, os.W_OK), f"{folder}, {warmth}")


def _detector() -> Iterator[Finding]:
    """A stream with one spike and one shift must give one anomaly and one drift, where they are."""
    import numpy as np

    from marigram import Detector, Kind

    values = np.random.default_rng(7).normal(size=3000)
    values[1500] += 30.0
    values[2000:] += 20.0
    start = time.perf_counter()
    kinds = Detector().update_many(values)["kind"]
    seconds = time.perf_counter() - start
    drifts = np.flatnonzero(kinds == Kind.DRIFT)
    ok = bool(kinds[1500] == Kind.ANOMALY and drifts.size == 1 and 2000 <= drifts[0] < 2020)
    told = (
        f"spike {Kind(kinds[1500]).label}, shift told at {', +'.join(map(str, drifts - 2000)) or 'no event'}"
    )
    yield Finding("detector", ok, f"{told}; {seconds:.1f} s with loading or compiling")


def _data() -> Iterator[Finding]:
    from marigram import datasets

    rows = {name: len(datasets.load(name).values) for name in datasets.names()}
    yield Finding("shipped data", True, ", ".join(f"{name} {count:,}" for name, count in rows.items()))
    folder = os.environ.get("MARIGRAM_DATA")
    if folder is None:
        yield Finding("data folder", True, "MARIGRAM_DATA is not set (only benchmarks need it)")
    else:
        found = Path(folder).is_dir()
        yield Finding("data folder", found, folder if found else f"{folder} is no folder; see MARIGRAM_DATA")


def _disks() -> Iterator[Finding]:
    places = {"working directory": Path.cwd(), "kernel cache": Path(os.environ.get("NUMBA_CACHE_DIR", "."))}
    for name, place in places.items():
        free = shutil.disk_usage(place).free
        yield Finding("disk", free > _SCARCE, f"{free / 1e9:.1f} GB free for the {name}")


def _state(folder: Path) -> Iterator[Finding]:
    from marigram.store import examine

    if not folder.is_dir():
        yield Finding("state", False, f"{folder} is no folder")
        return
    found = [Finding(name, whole, detail) for name, whole, detail in examine(folder)]
    if (folder / "marigram.db").exists():
        from marigram.store.examining import examine_service

        found = [Finding(name, whole, detail) for name, whole, detail in examine_service(folder)]
    yield from found or [Finding("state", False, f"{folder} holds no state")]
