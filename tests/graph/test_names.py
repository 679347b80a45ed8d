"""The room's public names are found, documented, and cost nothing before they are used."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from marigram import graph as mgg

ROOM = Path(mgg.__file__)
REFERENCE = (ROOM.parents[3] / "docs" / "reference" / "graph.md").read_text()
DOCUMENTED = set(re.findall(r"^::: marigram\.graph\.(\w+)$", REFERENCE, re.MULTILINE))


@pytest.mark.parametrize("name", mgg.__all__)
def test_every_public_name_is_found_and_documented(name: str) -> None:
    if name == "PygSampler":
        pytest.importorskip("torch_geometric")
    assert getattr(mgg, name).__doc__
    assert name in dir(mgg)
    assert name in DOCUMENTED, f"docs/reference/graph.md lacks '::: marigram.graph.{name}'"


def test_the_lists_of_names_agree() -> None:
    typed = {
        alias.name
        for node in ast.walk(ast.parse(ROOM.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("marigram.")
        for alias in node.names
    }
    assert set(mgg.__all__) == set(mgg._MODULE_OF) == typed
    assert set(mgg.__all__) >= DOCUMENTED
    with pytest.raises(AttributeError, match="Grph"):
        mgg.Grph  # noqa: B018 - asking is what is tested


WITHOUT_THE_EXTRA = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "torch_geometric", "lightgbm", "sklearn", "networkx", "pandas"}:
            raise ModuleNotFoundError(f"no {name} here")
sys.meta_path.insert(0, Refused())
from marigram import graph as mgg
events = {"src": ["a", "b", "c"], "dst": ["b", "c", "a"], "time": [1, 2, 3]}
data = mgg.from_events(events)
data.save(sys.argv[1])
assert repr(mgg.as_graph(mgg.load(sys.argv[1]))) == repr(data), data
print(len(data.csr(("node", "src-dst", "node"))))
"""


def test_graphs_are_made_and_read_without_the_extra(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_THE_EXTRA, str(tmp_path / "graph")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "3\n"


def test_the_room_itself_loads_nothing() -> None:
    code = "import marigram.graph, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"numpy", "pyarrow", "numba", "torch"} & set(loaded)
