"""What is public is documented, what is written is true, and nothing names the machine it was made on."""

import ast
import importlib
import inspect
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import marigram

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
REFERENCE = "\n".join(page.read_text() for page in sorted((ROOT / "docs" / "reference").glob("*.md")))
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
OF_OTHER_TOOLS = {
    "--data-binary",
    "--fork-strategy",
    "--full",
    "--require-hashes",
    "--seconds",
    "--seeds",
    "--upgrade",
}  # curl's, uv's, pip's, the benchmarks' and the experiments'
PUBLIC = [name for name in marigram.__all__ if name != "__version__"]


def tracked(*patterns: str) -> list[Path]:
    """Return the files under version control that match; skips where there is no repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing is under version control")
    if not shutil.which("git"):
        pytest.skip("this machine lacks git")
    command = ["git", "ls-files", "-z", "--", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


@cache
def commands() -> dict[str, set[str]]:
    """Return the options of every command, and of the commands below it."""
    group = typer.main.get_command(importlib.import_module("marigram.cli.app").app)

    def options(command: Any) -> set[str]:
        own = {
            option for parameter in command.params for option in [*parameter.opts, *parameter.secondary_opts]
        }
        return own.union(*(options(child) for child in getattr(command, "commands", {}).values()), {"--help"})

    return {name: options(command) for name, command in group.commands.items()} | {"": options(group)}


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring_and_a_place_in_the_reference(name: str) -> None:
    text = vars(getattr(marigram, name)).get("__doc__") if inspect.isclass(getattr(marigram, name)) else None
    assert text or getattr(marigram, name).__doc__
    assert re.search(rf"^::: marigram\.{name}$", REFERENCE, re.MULTILINE), (
        f"docs/reference lacks '::: marigram.{name}'"
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_method_has_a_docstring(name: str) -> None:
    subject = getattr(marigram, name)
    members = vars(subject) if inspect.isclass(subject) and not issubclass(subject, (int, Exception)) else {}
    bare = [
        member
        for member, value in members.items()
        if not member.startswith("_")
        and (callable(value) or isinstance(value, property | classmethod | staticmethod))
        and not inspect.getdoc(getattr(subject, member))
    ]
    assert not bare


def test_the_reference_names_nothing_that_is_not_public() -> None:
    assert set(re.findall(r"^::: marigram\.(\w+)$", REFERENCE, re.MULTILINE)) == set(PUBLIC)


def test_every_setting_of_the_environment_is_documented() -> None:
    sources = [*(ROOT / "src").rglob("*.py"), ROOT / "Makefile"]
    settings = {name for path in sources for name in re.findall(r"\bMARIGRAM_[A-Z_]+\b", path.read_text())}
    text = "\n".join(page.read_text() for page in PAGES)
    assert not {name for name in settings if name not in text}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_make_targets_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE))
    assert named <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text()
    code = "\n".join(
        re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    )  # prose may begin with our name
    named = set(re.findall(r"`marigram ([a-z]+)\b", text))
    named |= set(re.findall(r"(?:^|\| |/)marigram ([a-z]+)\b", code, re.MULTILINE))
    assert named <= set(commands())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_options_that_a_page_names_exist(page: Path) -> None:
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text()))
    assert named - OF_OTHER_TOOLS <= set().union(*commands().values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_files_that_a_page_links_to_exist(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def test_every_target_says_what_it_does() -> None:
    silent = TARGETS - set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    assert silent == {"check"} & silent  # a part of `make test`


def test_the_changelog_tells_of_this_version() -> None:
    assert re.search(
        rf"^## \[?{re.escape(marigram.__version__)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )


def test_every_module_says_why_it_exists() -> None:
    silent = [
        path
        for path in tracked("*.py")
        if path.stat().st_size and not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


def test_no_file_names_the_machine_or_the_registry_it_came_from() -> None:
    # pieced together, so that this file does not name them either
    places = "|".join(("work", "root", "farm", "mnt", "home/[a-z]+", "tmp/" + "bash_jobs"))
    hosts = "|".join(("py" + "pi", "python" + "hosted", "npm" + "js", "files" + r"\.python"))
    forbidden = re.compile(rf"(?<![\w.~/$}}])/(?:{places})/|[\w.-]*(?:{hosts})\.(?:org|com)")
    found = []
    for path in tracked():
        text = path.read_bytes()
        if b"\0" not in text[:8192]:
            found += [
                f"{path.relative_to(ROOT)}: {hit.group()}" for hit in forbidden.finditer(text.decode("utf-8"))
            ]
    assert not found
