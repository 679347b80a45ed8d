"""Where compiled kernels are kept, so that an edited kernel is never answered by a stale one.

Numba stores machine code beside the hash of the *file* that holds the function.  A kernel that calls a function of
another file is therefore stale as soon as that other file changes, and Numba does not notice.  Here the directory
itself carries a key: the package version and a hash over the sources of every room that holds kernels.  Any edit gives
a new directory, and everything in it is compiled afresh.

The directory is the first usable of: ``$MARIGRAM_CACHE``, ``$NUMBA_CACHE_DIR``, the user's cache directory, a private
directory under the system's temporary one.  Directories of older keys are removed when a new one is made, except the
newest three and those that a running process holds.
"""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["KERNEL_ROOMS", "configure", "kernel_key"]

KERNEL_ROOMS = ("numerics", "evaluate", "online", "change", "thresholds", "detectors", "fleet", "events")
"""The rooms whose files may hold compiled functions; a test refuses Numba anywhere else."""

KEPT = 3
"""Directories kept besides the one in use: switching between a few versions stays warm."""

_PREFIX = "kernels-"
_OURS = re.compile(rf"{_PREFIX}.+-[0-9a-f]{{16}}")

_held: list[int] = []
"""Descriptors that hold a shared lock on the directory in use, for as long as the process lives."""


def kernel_key(package: Path, version: str) -> str:
    """Return the directory name for this version and these kernel sources; about 2 ms."""
    digest = hashlib.blake2b(digest_size=8)
    for room in KERNEL_ROOMS:
        for folder, _, names in sorted(os.walk(package / room)):
            for name in sorted(names):
                if name.endswith(".py"):
                    path = Path(folder, name)
                    text = path.read_bytes()
                    digest.update(f"{path.relative_to(package).as_posix()}\0{len(text)}\0".encode())
                    digest.update(text)
    return f"{_PREFIX}{version}-{digest.hexdigest()}"


def configure(version: str) -> None:
    """Point Numba at the directory of the present sources, whether or not Numba is already imported.

    With no writable place at all nothing is set, and Numba's own defaults apply.
    """
    key = kernel_key(Path(__file__).parent, version)
    for root in _roots():
        directory = _prepared(root / key)
        if directory is not None:
            os.environ["NUMBA_CACHE_DIR"] = str(directory)
            if "numba" in sys.modules:
                sys.modules["numba"].config.CACHE_DIR = str(directory)
            return


def _roots() -> list[Path]:
    """Return the places to try, best first."""
    roots = []
    if chosen := os.environ.get("MARIGRAM_CACHE"):
        roots.append(Path(chosen))
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        inherited = Path(chosen)  # set by a parent process of ours: go back to what it started from
        roots.append(inherited.parent if _OURS.fullmatch(inherited.name) else inherited)
    with contextlib.suppress(RuntimeError):  # no home directory is known
        roots.append(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "marigram"))
    roots.append(_private_temporary())
    return roots


def _private_temporary() -> Path:
    """Return a directory under the system's temporary one that nobody else can write to."""
    if sys.platform == "win32":  # the temporary directory is the user's own
        return Path(tempfile.gettempdir(), "marigram")
    place = Path(tempfile.gettempdir(), f"marigram-{os.getuid()}")
    with contextlib.suppress(OSError):
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return place
    return Path(tempfile.mkdtemp(prefix="marigram-"))


def _prepared(directory: Path) -> Path | None:
    """Make and hold the directory; None when it cannot be written to."""
    fresh = not directory.is_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(directory / "in-use", os.O_RDWR | os.O_CREAT, 0o600)
        os.utime(directory)
    except OSError:
        return None
    _held.append(descriptor)
    if sys.platform != "win32":
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if fresh:
            _remove_old(directory)
    return directory


if sys.platform != "win32":

    def _remove_old(current: Path) -> None:
        """Remove the siblings of other keys that are neither among the newest nor held by a process."""
        others = [p for p in current.parent.iterdir() if _OURS.fullmatch(p.name) and p != current]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[KEPT:]:
            with contextlib.suppress(OSError):  # held, or another process removes it at this moment
                descriptor = os.open(path / "in-use", os.O_RDWR)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path)
                finally:
                    os.close(descriptor)
