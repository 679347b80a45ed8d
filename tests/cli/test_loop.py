"""`marigram loop`: rounds with files, with words alone, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.bridge.loop.scenes import SCHEMA, events
from typer.testing import CliRunner, Result

from marigram.bridge.loop.loop import Loop
from marigram.cli.app import app


def invoke(*arguments: object) -> Result:
    result = CliRunner().invoke(app, ["loop", *map(str, arguments)])
    assert "Traceback" not in result.stderr, result.stderr
    return result


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    (tmp_path / "schema.toml").write_text(SCHEMA.to_toml())
    table, _ = events(120)
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    (tmp_path / "events.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    result = invoke(
        "--state", tmp_path / "state", "--schema", tmp_path / "schema.toml", tmp_path / "events.jsonl"
    )
    assert result.exit_code == 0
    assert "120 events are new, 0 rows were refused, 0 labels are new; version 0 is in use" in result.stderr
    return tmp_path / "state"


def test_words_alone_make_a_version_and_one_command_takes_it_back(begun: Path) -> None:
    result = invoke("--state", begun, "--label", "event:e7=true", "--label", "event:e8=false", "--json")
    assert result.exit_code == 0
    told, *rest = objects(result.stdout)
    assert told["version"] == 1
    assert told["report"]["malicious"] == 1
    assert {"case", "question"} <= {name for one in rest for name in one}
    assert "0 labels are new" in invoke("--state", begun, "--label", "event:e7=true").stderr
    assert invoke("--state", begun, "--roll-back").exit_code == 0
    assert invoke("--state", begun, "--roll-back").exit_code == 0
    assert "no version to go back" in invoke("--state", begun, "--roll-back").stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--label", "case=true"), "--label is case|event|entity:NAME=true|false|expected"),
        (("--label", "event:e7=true", "--label", "event:e700=true"), "there is no event 'e700'"),
        (("--label", "case:99=true"), "there is no case '99'"),
        (
            ("--label", "entity:account/user-9=true"),
            "there is no entity 'account/user-9'; did you mean 'account/user-",
        ),
        (("--preset", "cards"), "was begun with another schema"),
        (("--preset", "nothing"), "there is no preset 'nothing'"),
    ],
)
def test_what_makes_no_sense_is_refused(begun: Path, arguments: tuple[str, ...], said: str) -> None:
    result = invoke("--state", begun, *arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not Loop(begun / "loop").folder.labels.all()


def test_of_a_file_that_grew_only_new_events_are_taken(begun: Path) -> None:
    file = begun.parent / "events.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    more = [row | {"id": f"late-{row['id']}", "at": row["at"] + 10_000} for row in rows[:7]]
    with file.open("a") as grown:
        grown.write("".join(f"{json.dumps(row)}\n" for row in more))
    assert "7 events are new" in invoke("--state", begun, file).stderr
    assert "0 events are new" in invoke("--state", begun, file).stderr
    assert len(Loop(begun / "loop").moment().ids) == 127


def test_a_folder_without_a_loop_says_how_one_is_begun(tmp_path: Path) -> None:
    result = invoke("--state", tmp_path / "new")
    assert result.exit_code == 2
    assert "--preset NAME, or --schema TOML" in result.stderr
