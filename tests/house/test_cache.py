"""Compiled kernels follow their sources, wherever the cache has to live."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import marigram
from marigram import _cache

PACKAGE = Path(marigram.__file__).parent
CALLEE = "from numba import njit\n\n\n@njit\ndef step(x):\n    return x + {step}\n"
CALLER = (
    "from numba import njit\n\nfrom marigram.numerics.callee import step\n\n\n"
    "@njit(cache=True)\ndef run(x):\n    return step(x)\n"
)


def run(code: str, **variables: str | Path) -> str:
    """Return what a new interpreter prints, under our environment without a cache of its own, plus the variables."""
    inherited = {k: v for k, v in os.environ.items() if k not in {"NUMBA_CACHE_DIR", "MARIGRAM_CACHE"}}
    env = inherited | {name: str(value) for name, value in variables.items()}
    done = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def directory_of(**variables: str | Path) -> Path:
    """Return the directory that a new process chooses."""
    return Path(run("import marigram, numba; print(numba.config.CACHE_DIR)", **variables))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy the package's front door into a new tree, with two rooms: a kernel, and one that it calls."""
    package = tmp_path / "tree" / "marigram"
    for name in ("numerics", "detectors"):
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").touch()
    for name in ("__init__.py", "_cache.py"):
        shutil.copy(PACKAGE / name, package / name)
    (package / "numerics" / "callee.py").write_text(CALLEE.format(step=1))
    (package / "detectors" / "caller.py").write_text(CALLER)
    return package


def test_an_edited_callee_is_compiled_anew(tree: Path, tmp_path: Path) -> None:
    keyed = "import marigram; from marigram.detectors.caller import run; print(run(1))"
    # the same, with one directory for all sources, as Numba alone would have it
    fixed = f"import marigram, os; os.environ['NUMBA_CACHE_DIR'] = {str(tmp_path / 'fixed')!r}; {keyed}"
    where = {"PYTHONPATH": tree.parent, "MARIGRAM_CACHE": tmp_path / "cache"}

    assert (run(keyed, **where), run(fixed, **where)) == ("2", "2")
    (tree / "numerics" / "callee.py").write_text(CALLEE.format(step=10))
    assert run(keyed, **where) == "11"
    assert run(fixed, **where) == "2", "Numba has learned to look at callees: this module is no longer needed"


def test_the_second_process_finds_the_code_of_the_first(tree: Path, tmp_path: Path) -> None:
    code = "from marigram.detectors.caller import run; run(1); print(sum(run.stats.cache_hits.values()))"
    where = {"PYTHONPATH": tree.parent, "MARIGRAM_CACHE": tmp_path / "cache"}
    assert (run(code, **where), run(code, **where)) == ("0", "1")


def test_the_key_sees_every_edit_of_a_kernel_and_nothing_else(tree: Path) -> None:
    key = _cache.kernel_key(tree, "1.0")
    (tree / "errors.py").write_text("pass\n")
    (tree / "numerics" / "notes.txt").write_text("not a source")
    assert _cache.kernel_key(tree, "1.0") == key
    assert _cache.kernel_key(tree, "1.1") != key
    (tree / "numerics" / "callee.py").rename(tree / "numerics" / "other.py")
    assert _cache.kernel_key(tree, "1.0") != key


def test_the_users_own_places_come_first(tmp_path: Path) -> None:
    numba, own = tmp_path / "numba", tmp_path / "own"
    key = _cache.kernel_key(PACKAGE, marigram.__version__)
    assert directory_of(NUMBA_CACHE_DIR=numba) == numba / key
    assert directory_of(NUMBA_CACHE_DIR=numba, MARIGRAM_CACHE=own) == own / key
    assert directory_of(XDG_CACHE_HOME=tmp_path) == tmp_path / "marigram" / key


def test_a_child_process_does_not_nest_its_directory_in_its_parents(tmp_path: Path) -> None:
    parent = directory_of(NUMBA_CACHE_DIR=tmp_path)
    assert directory_of(NUMBA_CACHE_DIR=parent) == parent


def test_numba_imported_before_us_is_told(tmp_path: Path) -> None:
    chosen = run("import numba, marigram; print(numba.config.CACHE_DIR)", MARIGRAM_CACHE=tmp_path)
    assert Path(chosen).parent == tmp_path


def test_without_a_writable_home_a_private_temporary_directory_serves(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = tmp_path / "file" / "home"  # below a file nothing can be made, not even by root
    where = {"HOME": nowhere, "XDG_CACHE_HOME": nowhere, "TMPDIR": tmp_path}
    private = directory_of(**where).parent
    assert private == tmp_path / f"marigram-{os.getuid()}"
    assert private.stat().st_mode & 0o777 == 0o700

    private.chmod(0o777)  # now anyone could plant code there
    refuge = directory_of(**where).parent
    assert refuge.parent == tmp_path
    assert refuge != private


def test_old_directories_go_except_the_newest_and_those_in_use(tmp_path: Path) -> None:
    names = [f"kernels-0.1.0-{number:016x}" for number in range(6)]
    for age, name in enumerate(names):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1_000_000 - age, 1_000_000 - age))
    (tmp_path / "the user's own").mkdir()
    before = len(_cache._held)
    assert _cache._prepare(tmp_path / names[5])  # held by this process from here on
    os.utime(tmp_path / names[5], (1, 1))
    current = directory_of(MARIGRAM_CACHE=tmp_path)
    for descriptor in _cache._held[before:]:
        os.close(descriptor)
    del _cache._held[before:]

    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*names[:3], names[5], current.name, "the user's own"}
