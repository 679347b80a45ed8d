"""Labels: kept once, durable, cut short without harm, and what they say of events."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

from marigram.bridge.loop.labels import DOUBT, Label, LabelBook, resolved
from marigram.errors import ParameterError, SnapshotError


def label(of: str, subject: str, word: str, by: str = "ann", at: int = 10) -> Label:
    return Label(of=of, subject=subject, word=word, by=by, at=at)  # type: ignore[arg-type]


def known(*labels: Label) -> dict[int, tuple[int, float]]:
    ids = {f"e{row}": row for row in range(6)}
    cases = np.array([-1, 0, 0, 1, -1, -1])
    entities = {"user/eve": np.array([3, 4, 5])}
    found = resolved(labels, ids, cases, {0: 2, 1: 3}, entities, np.arange(6))
    rows = zip(found.rows.tolist(), found.labels.tolist(), found.doubt.tolist(), strict=True)
    return {row: (value, doubt) for row, value, doubt in rows}


def test_the_same_word_is_kept_once_and_another_one_beside_it(tmp_path: Path) -> None:
    book = LabelBook(tmp_path / "labels.jsonl")
    assert book.add(label("event", "e1", "true"))
    assert not book.add(label("event", "e1", "true", at=99))
    assert book.add(label("event", "e1", "false"))
    assert book.add(label("event", "e1", "true", by="bob"))
    assert [(one.word, one.by) for one in book.all()] == [("true", "ann"), ("false", "ann"), ("true", "bob")]


def test_a_word_that_was_taken_back_does_not_come_again_with_its_old_time(tmp_path: Path) -> None:
    book = LabelBook(tmp_path / "labels.jsonl")
    assert book.add(label("event", "e1", "true", at=10))
    assert book.add(label("event", "e1", "false", at=20))
    assert not book.add(label("event", "e1", "true", at=10))  # as a service tells it at every round
    assert book.add(label("event", "e1", "true", at=30))


def test_one_word_on_an_alert_whose_peak_moves_is_one_label(tmp_path: Path) -> None:
    book = LabelBook(tmp_path / "labels.jsonl")
    first = Label(of="event", subject="web#4", word="true", by="ann", at=10, origin="alert-1")
    assert book.add(first)
    assert not book.add(msgspec.structs.replace(first, subject="web#9"))
    assert book.add(msgspec.structs.replace(first, subject="web#9", at=20, word="false"))
    assert book.add(msgspec.structs.replace(first, subject="web#9", origin="alert-2"))


@pytest.mark.parametrize("lost", [1, 7, 40])
def test_a_line_that_a_crash_cut_short_is_left_out_and_written_over(tmp_path: Path, lost: int) -> None:
    book = LabelBook(tmp_path / "labels.jsonl")
    book.add(label("event", "e1", "true"))
    book.add(label("event", "e2", "false"))
    book.path.write_bytes(book.path.read_bytes()[:-lost])
    assert [one.subject for one in book.all()] == ["e1"]
    assert book.add(label("event", "e3", "true"))
    assert [one.subject for one in book.all()] == ["e1", "e3"]


def test_a_damaged_line_before_the_last_is_refused(tmp_path: Path) -> None:
    book = LabelBook(tmp_path / "labels.jsonl")
    book.add(label("event", "e1", "true"))
    book.add(label("event", "e2", "true"))
    content = bytearray(book.path.read_bytes())
    content[20] ^= 1
    book.path.write_bytes(bytes(content))
    with pytest.raises(SnapshotError, match="line 1"):
        book.all()


def test_a_case_speaks_of_all_its_events_and_most_of_the_one_it_is_about() -> None:
    assert known(label("case", "0", "true")) == {1: (1, DOUBT["case"]), 2: (1, DOUBT["event"])}


def test_what_is_said_of_an_event_stands_above_its_case_and_that_above_its_entity() -> None:
    told = known(
        label("event", "e3", "false"), label("entity", "user/eve", "true"), label("case", "1", "true")
    )
    assert told == {3: (0, DOUBT["event"]), 4: (1, DOUBT["entity"]), 5: (1, DOUBT["entity"])}


def test_where_people_differ_nothing_is_learned_and_it_is_told() -> None:
    labels = [
        label("event", "e1", "true"),
        label("event", "e1", "expected", by="bob"),
        label("event", "e0", "expected"),
    ]
    found = resolved(labels, {"e0": 0, "e1": 1}, np.full(2, -1), {}, {}, np.arange(2))
    assert found.conflicts == ("event e1",)
    assert found.rows.tolist() == [0]
    assert found.labels.tolist() == [0]
    assert found.spent == 3.0


def test_a_label_of_nothing_is_counted_and_a_bad_one_refused() -> None:
    assert resolved([label("event", "gone", "true")], {}, np.array([-1]), {}, {}, np.zeros(1)).unknown == 1
    with pytest.raises(ParameterError, match="cost"):
        Label(of="event", subject="e", word="true", by="ann", at=0, cost=-1.0)
