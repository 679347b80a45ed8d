"""Where compiled kernels are kept, so that an edited kernel is never answered by a stale one.

Numba stores machine code beside a hash of the *file* that holds the function.  A kernel that calls a function of
another file is therefore stale as soon as that other file changes, and Numba does not notice.  Here the directory
itself carries a key: the package version and a hash over the sources of every room that holds kernels.  Any edit
gives a new directory, and everything in it is compiled afresh.

The directory lies in the first usable of ``$MARIGRAM_CACHE``, ``$NUMBA_CACHE_DIR``, the user's cache directory and a
private directory under the system's temporary one.  When a new one is made, directories of older keys are removed,
except the newest three and those that a running process holds.
"""

import contextlib
import hashlib
import os
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl

__all__ = ["KERNEL_ROOMS", "configure", "kernel_key"]

KERNEL_ROOMS = (
    "numerics",
    "verdicts",
    "evaluate",
    "online",
    "change",
    "thresholds",
    "detectors",
    "fleet",
    "events",
    "graph/kernels",
    "bridge/kernels",
    "cli/speed",
)
"""The rooms whose files may hold compiled functions; a test refuses Numba anywhere else."""

KEPT = 3
"""Directories of other keys that stay: switching between a few versions remains warm."""

_PREFIX = "kernels-"
_OURS = re.compile(rf"{_PREFIX}.+-[0-9a-f]{{16}}")

_held: list[int] = []
"""Descriptors with a shared lock on the directory in use; the system lets go of them when the process ends."""


def kernel_key(package: Path, version: str) -> str:
    """Return the directory name for this version and the kernel sources under ``package``; about 2 ms."""
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

    When no place at all is writable nothing is set, and Numba's own rules apply.
    """
    key = kernel_key(Path(__file__).parent, version)
    for root in _roots():
        if _prepare(root / key):
            os.environ["NUMBA_CACHE_DIR"] = str(root / key)
            if "numba" in sys.modules:
                sys.modules["numba"].config.CACHE_DIR = str(root / key)
            return


def _roots() -> Iterator[Path]:
    """Yield the places to try, best first."""
    if chosen := os.environ.get("MARIGRAM_CACHE"):
        yield Path(chosen)
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        inherited = Path(
            chosen
        )  # perhaps set by a parent process of ours: then go back to what it started from
        yield inherited.parent if _OURS.fullmatch(inherited.name) else inherited
    with contextlib.suppress(RuntimeError):  # no home directory is known
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "marigram")
    yield _private_temporary()


def _private_temporary() -> Path:
    """Return a directory under the system's temporary one that nobody else can write to."""
    import tempfile  # 5 ms that only a machine without a writable home pays

    if sys.platform == "win32":  # the temporary directory is the user's own
        return Path(tempfile.gettempdir(), "marigram")
    place = Path(tempfile.gettempdir(), f"marigram-{os.getuid()}")
    with contextlib.suppress(OSError):
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
            return place
    return Path(tempfile.mkdtemp(prefix="marigram-"))


def _prepare(directory: Path) -> bool:
    """Make the directory and hold it for the life of the process; False when it cannot be written to."""
    fresh = not directory.is_dir()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        os.utime(directory)
        _held.append(os.open(directory / "in-use", os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return False
    if sys.platform != "win32":  # elsewhere nothing is locked, and nothing removed
        fcntl.flock(_held[-1], fcntl.LOCK_SH)
        if fresh:
            _remove_old(directory)
    return True


def _remove_old(current: Path) -> None:
    """Remove the directories of other keys that are neither among the newest nor held by a process."""
    if sys.platform == "win32":
        return
    import shutil  # 5 ms that only the first start after a change pays

    with contextlib.suppress(OSError):  # another process is doing the same
        others = [path for path in current.parent.iterdir() if _OURS.fullmatch(path.name) and path != current]
        others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
        for path in others[KEPT:]:
            descriptor = os.open(path / "in-use", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                shutil.rmtree(path)
            finally:
                os.close(descriptor)
