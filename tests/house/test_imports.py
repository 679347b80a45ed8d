"""``import marigram`` is nearly free, and every public name is there when it is asked for."""

import ast
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

import marigram
from marigram._cache import KERNEL_ROOMS

PACKAGE = Path(marigram.__file__).parent


def loaded_after(statement: str) -> set[str]:
    """Return the top-level modules that a new interpreter holds after the statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
    )


def test_the_import_loads_no_dependency() -> None:
    assert not loaded_after("import marigram") & {"numpy", "numba", "pyarrow", "msgspec", "typer", "rich"}


def test_a_name_without_kernels_loads_no_compiler() -> None:
    assert "numba" not in loaded_after("import marigram; marigram.Kind, marigram.ParameterError")


def test_the_core_loads_neither_frames_nor_plots() -> None:
    statement = "import marigram; marigram.Detector, marigram.Fleet, marigram.Verdicts"
    ours = loaded_after(statement) - loaded_after(
        "import numba"
    )  # which loads SciPy itself where it is installed
    assert not ours & {
        "pandas",
        "polars",
        "matplotlib",
        "scipy",
        "sklearn",
        "river",
        "typer",
    }


@pytest.mark.parametrize("name", marigram.__all__)
def test_every_public_name_is_found(name: str) -> None:
    assert getattr(marigram, name) is not None
    assert name in dir(marigram)


def test_the_lists_of_names_agree() -> None:
    typed = {
        alias.name
        for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("marigram.")
        for alias in node.names
    }
    assert set(marigram.__all__) - {"__version__"} == set(marigram._ROOM_OF) == typed


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Detecter"):
        marigram.Detecter  # noqa: B018 - asking is what is tested


def test_the_version_has_one_source() -> None:
    assert version("marigram") == marigram.__version__


def test_the_command_is_declared() -> None:
    (command,) = entry_points(group="console_scripts", name="marigram")
    assert callable(command.load())


def test_numba_stays_in_the_rooms_that_the_cache_key_covers() -> None:
    outside = []
    for path in PACKAGE.rglob("*.py"):
        covered = any(path.is_relative_to(PACKAGE / room) for room in KERNEL_ROOMS)
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] == "numba" or name == "marigram.numerics.jit" for name in names):
                outside += [] if covered else [path]
    assert not outside


def test_types_are_announced() -> None:
    assert (PACKAGE / "py.typed").is_file()
