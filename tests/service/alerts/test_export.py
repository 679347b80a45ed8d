"""Labels go out as a set, and a spreadsheet runs nothing of it."""

import csv
import io
import json

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.service.alerts.scenes import Scene, silent, told
from tests.service.alerts.test_actions import heard

from marigram.service.alerts import actions, tables
from marigram.service.alerts.export import csv_text, harmless, json_lines, parquet, rows_of

FORMULA = '=cmd|"/c calc"!A0'


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    for number, key in enumerate((FORMULA, "@SUM(1)", "web-7", "-2+3", "\t=1")):
        scene.follow(told("AB.", key=key, start=number))
    scene.follow(silent("+quiet"))
    for alert, said in zip(scene.alerts, ("true", "false", "expected", "true", "false"), strict=False):
        actions.label(scene.book, scene.connection, alert.id, said, "=ann", scene.now, heard, "@note")  # type: ignore[arg-type]
    return scene


def test_only_alerts_with_a_label_are_rows(scene: Scene) -> None:
    assert len(rows_of(scene.alerts)) == 5
    assert len(list(tables.labelled(scene.connection))) == 5


def test_the_three_forms_hold_the_same(scene: Scene) -> None:
    rows = rows_of(tables.labelled(scene.connection))
    lines = [json.loads(line) for line in json_lines(rows).splitlines()]
    table = pq.read_table(io.BytesIO(parquet(rows))).to_pylist()
    sheet = list(csv.DictReader(io.StringIO(csv_text(rows).decode(), newline="")))
    assert [line["key"] for line in lines] == [row["key"] for row in table]
    assert [row["key"].removeprefix("'") for row in sheet] == [line["key"] for line in lines]
    assert (
        [row["label"] for row in table]
        == [line["label"] for line in lines]
        == [row["label"] for row in sheet]
    )
    assert lines[0]["verdict"]["seq"] == json.loads(table[0]["verdict"])["seq"]
    assert table[0]["threshold_after"] == 4.0


def test_no_cell_of_the_csv_is_a_formula(scene: Scene) -> None:
    text = csv_text(rows_of(tables.labelled(scene.connection))).decode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert FORMULA in text.replace('""', '"')
    assert not [
        cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r")) and not _is_number(cell)
    ]


@given(st.text(max_size=20))
def test_a_harmless_text_is_the_text_or_the_text_behind_an_apostrophe(text: str) -> None:
    cell = harmless(text)
    assert cell in (text, "'" + text)
    assert not str(cell).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))


def test_an_empty_set_has_columns() -> None:
    assert json_lines([]) == b""
    assert csv_text([]).startswith(b"alert,key,label")
    assert pq.read_table(io.BytesIO(parquet([]))).num_rows == 0


def _is_number(cell: str) -> bool:
    try:
        return float(cell) is not None
    except ValueError:
        return False
