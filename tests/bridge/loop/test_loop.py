"""The loop over a folder: taken once, learned, versioned, rolled back, and whole after a crash at any file."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.bridge.loop.scenes import SCHEMA, events

from marigram import graph as mgg
from marigram.bridge.loop.loop import Loop, load_version, save_version
from marigram.bridge.loop.refit import TREES, is_judge, refit, scored, with_score
from marigram.errors import ParameterError
from marigram.evaluate.metrics import average_precision
from marigram.graph.data import Part


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("loop")
    Loop.begin(path, SCHEMA).take(events()[0], source="first")
    return path


@pytest.fixture
def loop(begun: Path, tmp_path: Path) -> Loop:
    shutil.copytree(begun, tmp_path / "loop")
    return Loop(tmp_path / "loop")


def said(loop: Loop, rows: Any, truth: np.ndarray) -> None:
    for row in rows:
        loop.say("event", f"e{row}", "true" if truth[row] else "false", by="ann")


def test_without_labels_the_loop_is_the_streams(loop: Loop) -> None:
    moment = loop.moment()
    assert loop.version == 0
    np.testing.assert_array_equal(np.argsort(-moment.logits[:20]), np.argsort(-moment.verdicts["score"][:20]))


def test_events_are_taken_once_and_in_parts_as_in_one(loop: Loop, tmp_path: Path) -> None:
    table, _ = events()
    assert loop.take(table, source="first") == 0
    parts = Loop.begin(tmp_path / "parts", SCHEMA)
    for cut in (slice(0, 100), slice(100, 240)):
        parts.take({name: cells[cut] for name, cells in table.items()}, source="part")
    np.testing.assert_array_equal(parts.moment().verdicts["score"], loop.moment().verdicts["score"])


def test_labels_make_a_version_that_finds_more_and_roll_back_is_one_step(loop: Loop) -> None:
    _, truth = events()
    before = loop.moment().logits
    said(loop, range(60), truth)
    report = loop.refit()
    assert report.promoted
    assert (report.labels, report.malicious, report.spent) == (60, 5, 60.0)
    after = loop.moment().logits
    assert average_precision(truth[60:], after[60:]) >= average_precision(truth[60:], before[60:])
    assert loop.version == 1
    assert loop.roll_back() == 0
    np.testing.assert_array_equal(loop.moment().logits, before)
    with pytest.raises(ParameterError, match="no version to go back"):
        loop.roll_back()


def test_a_refit_that_is_worse_on_held_out_labels_is_not_promoted(loop: Loop) -> None:
    _, truth = events()
    said(loop, range(120), truth)
    assert loop.refit().promoted
    ids = loop.moment().ids
    for row in range(120, 240):  # people who are wrong about all that is not held out
        wrong = bool(truth[row]) == is_judge(ids[row])
        loop.say("event", ids[row], "true" if wrong else "false", by="bob")
    report = loop.refit()
    assert report.judged is not None
    assert not report.promoted
    assert report.judged[0] < report.judged[1]
    assert loop.version == 1


def test_a_crash_while_a_part_is_written_leaves_the_parts_before_it(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    more, _ = events(24, seed=1, first=240)
    real, left = os.replace, [0]

    def dies(source: Any, target: Any) -> None:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        real(source, target)

    for fatal in range(1, 5):
        left[0] = fatal
        monkeypatch.setattr(os, "replace", dies)
        with pytest.raises(KeyboardInterrupt):
            loop.take(more, source="second")
        monkeypatch.setattr(os, "replace", real)
        assert len(Loop(loop.folder.path).moment().ids) == 240
    assert loop.take(more, source="second") == 24
    assert len(loop.moment().ids) == 264


def test_context_is_as_of_the_events_time(loop: Loop) -> None:
    place = loop.moment().around(30)
    assert all(node.number < 30 for node in place.nodes if node.kind == SCHEMA.event and node.hop == 2)
    context = loop.context(30)
    assert context.version == 0
    assert "account user-" in context.neighbourhood


def test_another_schema_and_another_worker_are_refused(loop: Loop) -> None:
    with pytest.raises(ParameterError, match="another schema"):
        Loop.begin(
            loop.folder.path, type(SCHEMA)(time="at", entities={"user": "account"}, attributes=("call",))
        )
    with loop.folder.changing(), pytest.raises(ParameterError, match="at work"):
        Loop(loop.folder.path).refit()


@pytest.mark.slow
def test_trees_join_the_process_and_are_saved_with_it(loop: Loop) -> None:
    pytest.importorskip("lightgbm")
    loop.take(events(240, seed=3, first=240)[0], source="second")
    truth = np.concatenate([events()[1], events(240, seed=3, first=240)[1]])
    said(loop, range(300), truth)
    report = loop.refit()
    assert "held-out labels" in report.trees
    moment = loop.moment()
    known, material = moment.known(), moment.material
    judge = np.array([is_judge(moment.ids[row]) for row in known.rows])
    found = refit(material, known, at=1)
    graph = with_score(material, found.trial)
    parts = np.zeros((1, 480), np.int8)
    parts[0, known.rows] = np.where(judge, Part.VAL, Part.TRAIN)
    table = graph.nodes[SCHEMA.event].with_labels(known.over(480)).with_splits(parts)
    trees = mgg.NodeDetector(hops=2, node_type=SCHEMA.event, trees=TREES)
    trees.fit(graph.with_nodes(**{SCHEMA.event: table}))
    number = loop.folder.add_version(lambda draft: save_version(draft, replace(found, detector=trees)))
    model, again = load_version(loop.folder, number)
    assert model is not None
    both, alone = scored(model, again, material), scored(model, None, material)
    assert np.isfinite(both).all()
    assert not np.allclose(both, alone)
    np.testing.assert_allclose(both, scored(found.model, trees, material), rtol=1e-6)
