"""Rows that another version wrote are refused in words, at the start and in every list."""

from __future__ import annotations

import pytest
from tests.service.alerts.scenes import Scene, told

from marigram.errors import SnapshotError
from marigram.service.alerts import Alerts, tables

OLDER = "UPDATE alert SET body = CAST(json_remove(body, '$.granted') AS BLOB)"


def test_an_alert_of_another_version_is_refused_and_says_what_to_do() -> None:
    scene = Scene()
    scene.follow(told("A"))
    (id_,) = [alert.id for alert in scene.alerts]
    scene.connection.execute(OLDER)
    for ask in (
        lambda: Alerts.load(scene.connection, scene.rules),
        lambda: tables.found(scene.connection, id_),
        lambda: tables.listed(scene.connection, tables.Filter()),
    ):
        with pytest.raises(SnapshotError, match=r"an alert .* not written by this version .*`granted`"):
            ask()


def test_a_field_that_is_new_takes_its_default() -> None:
    scene = Scene()
    scene.follow(told("A"))
    scene.connection.execute("UPDATE alert SET body = CAST(json_remove(body, '$.muted_by') AS BLOB)")
    assert scene.alert.muted_by is None
