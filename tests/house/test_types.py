"""Every function that is not compiled says what it takes and what it gives."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import marigram

PACKAGE = Path(marigram.__file__).parent
COMPILED = {"kernel", "once", "part", "piece", "intrinsic", "overload", "njit", "vectorize"}


def written_functions(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the functions below a node that Numba does not compile."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(
                name.id in COMPILED
                for d in child.decorator_list
                for name in ast.walk(d)
                if isinstance(name, ast.Name)
            ):
                continue
            yield child
        yield from written_functions(child)


def lacks_types(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    named += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
    bare = [
        argument for argument in named if argument.annotation is None and argument.arg not in {"self", "cls"}
    ]
    return bool(bare) or function.returns is None


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix()
)
def test_functions_are_annotated(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert not [
        f"{function.name}, line {function.lineno}"
        for function in written_functions(tree)
        if lacks_types(function)
    ]


def test_the_search_finds_what_lacks_types() -> None:
    tree = ast.parse("def good(a: int) -> int: ...\ndef bad(a): ...\n@kernel\ndef compiled(a): ...\n")
    assert [function.name for function in written_functions(tree) if lacks_types(function)] == ["bad"]
